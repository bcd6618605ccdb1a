# shellcheck shell=bash
# PostgreSQL 16, which no Debian has: from a Python package for x86-64, with its headers. It has
# neither TLS, XML nor other extensions of PostgreSQL's own. Part of tests/other_postgres.sh and of
# packaging/test.sh.

# shellcheck disable=SC2034 # of those who source this
postgresql_16='pgserver==0.1.4 --hash=sha256:d595789b47624a3d963aa9aa6359da9be31beb7e61f1a45541953242068b8813'

# unpack_postgresql_16 FOLDER: the server into usr/lib/postgresql/16 below FOLDER, and its libraries
# beside that, where its programs look for them.
unpack_postgresql_16() {
    local unpacked=$1/unpacked
    # The same file whatever version of Python this machine has.
    python3 -m pip download --no-cache-dir --no-deps --only-binary=:all: --python-version=3.11 --abi=cp311 \
        --platform=manylinux2014_x86_64 --dest "$unpacked" --requirement /dev/stdin <<<"$postgresql_16" &&
        python3 -m zipfile -e "$unpacked"/*.whl "$unpacked" || return
    mkdir -p "$1/usr/lib/postgresql"
    mv "$unpacked/pgserver/pginstall" "$1/usr/lib/postgresql/16"
    mv "$unpacked/pgserver.libs" "$1/usr/lib/"
    chmod +x "$1/usr/lib/postgresql/16/bin"/*
    rm -r "$unpacked"
}
