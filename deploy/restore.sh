#!/bin/sh
# Brings a backup back, into an empty data folder and a database whose tables it takes the place of.
#   deploy/restore.sh FOLDER [ENV_FILE]
# Then `ldt rebuild`. Needs what backup.sh needs, and pg_restore. Nothing else may be running.
set -eu
umask 077
folder=${1:?"say where from: deploy/restore.sh FOLDER [ENV_FILE]"}
env_file=${2:-${LDT_ENV_FILE:-}}
. "$(dirname "$0")/read_env.sh"
(cd "$folder" && sha256sum --check --quiet SHA256SUMS)
mkdir -p "$LDT_DATA_DIR"
if [ -n "$(ls -A "$LDT_DATA_DIR")" ]; then
    echo "$LDT_DATA_DIR is not empty: move what is in it away first." >&2
    exit 1
fi
PGPASSWORD=$LDT_POSTGRES_PASSWORD pg_restore --clean --if-exists --no-owner --single-transaction \
    --host="$LDT_POSTGRES_HOST" --port="$LDT_POSTGRES_PORT" --username="$LDT_POSTGRES_USER" \
    --dbname="$LDT_POSTGRES_DB" "$folder/dagster.dump"
tar --extract --gzip --file="$folder/data.tar.gz" --directory="$LDT_DATA_DIR" --no-same-owner
