#!/bin/sh
# Writes a backup into a new folder: Dagster's records, and all data that can't be made again.
#   deploy/backup.sh FOLDER
# Needs LDT_DATA_DIR and the LDT_POSTGRES_ names of ldt.env in the environment, and pg_dump and tar.
set -eu
umask 077
folder=${1:?"say where to: deploy/backup.sh FOLDER"}
: "${LDT_DATA_DIR:?}" "${LDT_POSTGRES_HOST:?}" "${LDT_POSTGRES_PORT:?}"
: "${LDT_POSTGRES_DB:?}" "${LDT_POSTGRES_USER:?}" "${LDT_POSTGRES_PASSWORD:?}"
mkdir "$folder"
# In the environment, as arguments can be seen by everybody on the machine.
PGPASSWORD=$LDT_POSTGRES_PASSWORD pg_dump --format=custom --no-owner --file="$folder/dagster.dump" \
    --host="$LDT_POSTGRES_HOST" --port="$LDT_POSTGRES_PORT" --username="$LDT_POSTGRES_USER" \
    "$LDT_POSTGRES_DB"
# The warehouse and the published file follow from data/raw: `ldt rebuild` makes them.
tar --create --gzip --file="$folder/data.tar.gz" --directory="$LDT_DATA_DIR" \
    --exclude='./warehouse.*' --exclude='./ldt.duckdb*' --exclude='./exports' --exclude='.tmp-*' \
    --exclude='*.lock' .
(cd "$folder" && sha256sum dagster.dump data.tar.gz > SHA256SUMS)
