#!/bin/sh
# Brings a backup back, into an empty data folder and a database whose tables it takes the place of.
#   deploy/restore.sh FOLDER [ENV_FILE [ERASURES]]
# Then `ldt rebuild`. Needs what backup.sh needs, and pg_restore. Nothing else may be running.
# ERASURES is the newest raw/erasures that there is, as of the data that was lost: whoever was erased
# after the backup is in it, and without that book comes back.
set -eu
umask 077
folder=${1:?"say where from: deploy/restore.sh FOLDER [ENV_FILE [ERASURES]]"}
env_file=${2:-${LDT_ENV_FILE:-}}
erasures=${3:-}
. "$(dirname "$0")/read_env.sh"
if [ ! -f "$folder/SHA256SUMS" ]; then
    echo "$folder is no whole backup: it has no SHA256SUMS, which backup.sh writes last." >&2
    exit 1
fi
(cd "$folder" && sha256sum --check --quiet SHA256SUMS)
if [ -n "$erasures" ] && ! ls -d "$erasures"/of=* >/dev/null 2>&1; then
    echo "$erasures is no book of erasures: name the folder raw/erasures of the newest data." >&2
    exit 1
fi
mkdir -p "$LDT_DATA_DIR"
if [ -n "$(ls -A "$LDT_DATA_DIR")" ]; then
    echo "$LDT_DATA_DIR is not empty: move what is in it away first." >&2
    exit 1
fi
PGPASSWORD=$LDT_POSTGRES_PASSWORD pg_restore --clean --if-exists --no-owner --single-transaction \
    --host="$LDT_POSTGRES_HOST" --port="$LDT_POSTGRES_PORT" --username="$LDT_POSTGRES_USER" \
    --dbname="$LDT_POSTGRES_DB" "$folder/dagster.dump"
tar --extract --gzip --file="$folder/data.tar.gz" --directory="$LDT_DATA_DIR" --no-same-owner
if [ -n "$erasures" ]; then
    # What the backup has of the book stays: an extract is never changed, only followed by others.
    mkdir -p "$LDT_DATA_DIR/raw/erasures"
    cp -R "$erasures"/of=* "$LDT_DATA_DIR/raw/erasures"
else
    echo "Whoever was erased after this backup is back: if there is a newer raw/erasures, as in the data" \
        "that was lost, copy what is in it into $LDT_DATA_DIR/raw/erasures before you run ldt rebuild." >&2
fi
