# shellcheck shell=bash
# Builds the library and the scripts, and copies them. Part of pgrx-install.sh.

install_extension() {
    ensure_requirements
    version=$(sed -nE "s/^default_version = '(.*)'/\1/p" signal_hub.control)
    sql_scripts=$CARGO_TARGET_DIR/release/sql
    timed "building signal_hub (3 minutes the first time on 2 cores, seconds when nothing changed)" \
        run_cargo build --release --locked "${features[@]}"
    run_cargo run --quiet --locked -p install_scripts -- sql "$version" "$sql_scripts"
    if [[ -n ${with_live:-} ]]; then
        timed "building signal_hub_live (2 minutes the first time)" \
            run_cargo build --release --locked -p signal_hub_live
    fi
    copy_files
}

# Copies what changed, each file whole or not at all: overwriting the library
# in place would crash the servers that have it mapped.
copy_files() {
    local folder libraries script commands=() changed=() programs=${DESTDIR:-}${PREFIX:-/usr/local}/bin
    folder=${DESTDIR:-}$("$pg_config" --sharedir)/extension
    libraries=${DESTDIR:-}$("$pg_config" --pkglibdir)
    [[ -z ${DESTDIR:-} ]] || mkdir -p "$folder" "$libraries" "$programs"

    place() {
        cmp -s "$1" "$2" && return
        local new=$2.new
        commands+=("$(printf 'install -m %s %q %q && mv -f %q %q' "$3" "$1" "$new" "$new" "$2")")
        changed+=("$2")
    }
    place "$CARGO_TARGET_DIR/release/libsignal_hub.so" "$libraries/signal_hub.so" 755
    for script in "$sql_scripts"/*.sql; do
        place "$script" "$folder/${script##*/}" 644
    done
    [[ -z ${with_live:-} ]] || place "$CARGO_TARGET_DIR/release/signal_hub_live" "$programs/signal_hub_live" 755
    # Last: it makes the release known.
    place "$repo/signal_hub.control" "$folder/signal_hub.control" 644

    if ((${#commands[@]} == 0)); then
        say "installed already: signal_hub $version"
        return
    fi
    local all
    all=$(printf '%s && ' "${commands[@]}")
    all=${all% && }
    if [[ -w $folder && -w $libraries && (-z ${with_live:-} || -w $programs) ]]; then sh -c "$all"; else as_root "$all"; fi
    say "installed signal_hub $version:" "${changed[@]}"
}

# The two lines to type, for the server found.
next_steps() {
    local psql=$bindir/psql restart="$bindir/pg_ctl restart -D DATA_DIRECTORY" sudo='' me name port status known others
    me=$(id -un)
    if [[ $bindir == /usr/lib/postgresql/* ]] && command -v pg_lsclusters >/dev/null; then
        # The first cluster of this release.
        read -r name port status < <(pg_lsclusters -h | awk -v m="$major" '$1 == m { print $2, $3, $4; exit }') || true
        [[ $me == root && -z ${SUDO_USER:-} ]] || sudo='sudo '
        restart="${sudo}pg_ctlcluster $major ${name:=main} restart"
        psql="${sudo:-runuser }-u postgres -- psql -p ${port:=5432}"
        [[ ${status:-} == online* ]] || say "The server is down; start it first: ${restart% restart} start"
        [[ $me != root ]] || me=postgres
    fi
    known=$(as_user "$me" "$bindir/psql" -XAtw ${port:+-p "$port"} -d postgres -c "
        SELECT 'preloaded: ' || current_setting('shared_preload_libraries')
         WHERE (SELECT setting FROM pg_config WHERE name = 'BINDIR') = '$bindir'" 2>/dev/null) || true
    others=${known#preloaded: }
    say "" "Next:"
    if [[ $others == *signal_hub* ]]; then
        say "  1. signal_hub is in shared_preload_libraries already; to load what was built now: $restart"
    else
        say "  1. $psql -c \"ALTER SYSTEM SET shared_preload_libraries = ${others:+$others, }signal_hub\" && $restart"
        [[ -n $known ]] || say "     (when SHOW shared_preload_libraries lists others, keep them: = THE_OTHERS, signal_hub)"
    fi
    say "  2. $psql -d YOUR_DATABASE -c 'CREATE EXTENSION signal_hub'"
    [[ -z ${with_live:-} ]] || say "  3. For the live page: signal_hub_live, see live/README.md"
}
