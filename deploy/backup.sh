#!/bin/sh
# Writes a backup into a new folder: Dagster's records, and all data that can't be made again.
#   deploy/backup.sh FOLDER [ENV_FILE]
# Needs LDT_DATA_DIR and the LDT_POSTGRES_ names, from the environment or from an environment file
# (ENV_FILE, or the one that LDT_ENV_FILE names), and pg_dump and tar.
set -eu
umask 077
folder=${1:?"say where to: deploy/backup.sh FOLDER [ENV_FILE]"}
env_file=${2:-${LDT_ENV_FILE:-}}
. "$(dirname "$0")/read_env.sh"
data=$(cd "$LDT_DATA_DIR" && pwd -P)
mkdir "$folder"
case "$(cd "$folder" && pwd -P)/" in "$data"/*)
    rmdir "$folder"
    echo "A backup there would hold itself, and people whom an erasure doesn't find: choose a folder \
outside of LDT_DATA_DIR." >&2
    exit 1
    ;;
esac
# In the environment, as arguments can be seen by everybody on the machine.
PGPASSWORD=$LDT_POSTGRES_PASSWORD pg_dump --format=custom --no-owner --file="$folder/dagster.dump" \
    --host="$LDT_POSTGRES_HOST" --port="$LDT_POSTGRES_PORT" --username="$LDT_POSTGRES_USER" \
    "$LDT_POSTGRES_DB"
# The warehouse and the published file follow from data/raw: `ldt rebuild` makes them.
# tar ends with 1 where a file grew or went while it was read, as logs do while runs go on, and with 2
# where it failed. What is in raw is put in place whole, so there only one that went is amiss.
status=0
LC_ALL=C tar --create --gzip --file="$folder/data.tar.gz" --directory="$LDT_DATA_DIR" \
    --exclude='./warehouse.*' --exclude='./ldt.duckdb*' --exclude='./exports' --exclude='.tmp-*' \
    --exclude='*.lock' . 2>"$folder/tar.log" || status=$?
cat "$folder/tar.log" >&2
if grep -q '\./raw/.*removed before we read it' "$folder/tar.log"; then
    echo "Files of raw went meanwhile, as by an erasure or \`ldt compact\`: make the backup again." >&2
    exit 1
fi
rm "$folder/tar.log"
[ "$status" -le 1 ]
(cd "$folder" && sha256sum dagster.dump data.tar.gz > SHA256SUMS)
