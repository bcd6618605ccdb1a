# shellcheck shell=bash
# Builds a source tree and puts what it installs into a folder. Part of packaging/build.sh.

# stage_extension SOURCES MAJOR FOLDER: as pgrx-install.sh installs it, below FOLDER.
stage_extension() {
    local sources=$1 major=$2 folder=$3 real libraries shared
    real=$(command -v "${PG_CONFIG:-/usr/lib/postgresql/$major/bin/pg_config}") || die "there is no PostgreSQL $major (set PG_CONFIG)"
    [[ $("$real" --version) =~ ^PostgreSQL\ $major\. ]] || die "$real is not of PostgreSQL $major"
    # Where Debian has it, whatever PostgreSQL it was built with.
    libraries=$folder/usr/lib/postgresql/$major/lib shared=$folder/usr/share/postgresql/$major
    mkdir -p "$libraries" "$shared/extension"
    if grep -q DESTDIR "$sources/scripts/install.sh" 2>/dev/null; then
        local raw=$folder.raw
        (cd "$sources" && PG_CONFIG=$real CARGO_TARGET_DIR=$build DESTDIR=$raw ./pgrx-install.sh install --without-live)
        cp "$raw$("$real" --pkglibdir)/signal_hub.so" "$libraries/"
        cp "$raw$("$real" --sharedir)"/extension/signal_hub* "$shared/extension/"
        rm -r "$raw"
    else
        install_before_0_3 "$real"
    fi
    # Code to load, not to run.
    chmod 644 "$libraries/signal_hub.so"
}

# Of releases that do not know DESTDIR: by a pg_config that says other folders.
install_before_0_3() {
    local wrapper=$folder.pg_config
    cat >"$wrapper" <<EOF
#!/bin/sh
case \$1 in
    --pkglibdir) echo '$libraries' ;;
    --sharedir) echo '$shared' ;;
    *) exec '$1' "\$@" ;;
esac
EOF
    chmod +x "$wrapper"
    (cd "$sources" && PG_CONFIG=$wrapper CARGO_TARGET_DIR=$build ./pgrx-install.sh install)
    rm "$wrapper"
}

# stage_service SOURCES FOLDER: the service, with its configuration.
stage_service() {
    local sources=$1 folder=$2
    (cd "$sources" && CARGO_TARGET_DIR=$build cargo build --profile "$profile" --locked -p signal_hub_live)
    install -D -m 755 "$build/$built/signal_hub_live" "$folder/usr/bin/signal_hub_live"
    install -D -m 640 "$packaging/live.toml" "$folder/etc/signal-hub/live.toml"
    install -D -m 644 "$packaging/setup.sql" "$folder/usr/share/signal-hub/setup.sql"
    install -D -m 644 "$packaging/prometheus/signal_hub.rules.yml" "$folder/usr/share/signal-hub/signal_hub.rules.yml"
    install -D -m 644 "$packaging/grafana/signal_hub.json" "$folder/usr/share/signal-hub/dashboard.json"
}
