# shellcheck shell=bash
# A package postgresql-16 for packaging/test.sh, as no Debian has one: the server of
# tests/postgresql_16.sh, where that of apt.postgresql.org has its files.

# make_stand_in PACKAGE: puts it together in a folder beside the file PACKAGE.
make_stand_in() {
    local tree=${1%.deb} server
    rm -rf "$tree"
    mkdir -p "$tree/DEBIAN" "$tree/usr/share/postgresql"
    unpack_postgresql_16 "$tree" || return
    server=$tree/usr/lib/postgresql/16
    # Debian has them elsewhere; this server finds them by the links.
    mv "$server/share/postgresql" "$tree/usr/share/postgresql/16"
    ln -s ../../../../share/postgresql/16 "$server/share/postgresql"
    mv "$server/lib/postgresql"/* "$server/lib/"
    rmdir "$server/lib/postgresql"
    ln -s . "$server/lib/postgresql"
    cat >"$tree/DEBIAN/control" <<'EOF'
Package: postgresql-16
Version: 16.2-0
Architecture: amd64
Maintainer: signal_hub contributors <signal_hub@localhost>
Depends: postgresql-common, postgresql-client-common, zlib1g
Provides: postgresql-client-16
Description: PostgreSQL 16 to test packages of extensions with
EOF
    dpkg-deb --root-owner-group --build "$tree" "$1" && rm -r "$tree"
}
