# Sourced by backup.sh and restore.sh: sets what they need, from the environment or, where it isn't
# there, from the environment file $env_file. That file is no shell: nothing of it is run, and a value
# is what stands behind the first =, with &, $, blanks and all. The last line of a name counts.
if [ -n "$env_file" ] && [ ! -r "$env_file" ]; then
    echo "$env_file can't be read." >&2
    exit 1
fi
value_of() {
    printenv "$1" || [ -z "$env_file" ] ||
        sed -n -e 's/[[:space:]]*$//' -e "s/^[[:space:]]*$1=[[:space:]]*//p" "$env_file" | tail -n 1
}
LDT_DATA_DIR=$(value_of LDT_DATA_DIR)
LDT_POSTGRES_HOST=$(value_of LDT_POSTGRES_HOST)
LDT_POSTGRES_PORT=$(value_of LDT_POSTGRES_PORT)
LDT_POSTGRES_DB=$(value_of LDT_POSTGRES_DB)
LDT_POSTGRES_USER=$(value_of LDT_POSTGRES_USER)
LDT_POSTGRES_PASSWORD=$(value_of LDT_POSTGRES_PASSWORD)
: "${LDT_DATA_DIR:?}" "${LDT_POSTGRES_HOST:?}" "${LDT_POSTGRES_PORT:?}"
: "${LDT_POSTGRES_DB:?}" "${LDT_POSTGRES_USER:?}" "${LDT_POSTGRES_PASSWORD:?}"
