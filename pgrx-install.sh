#!/usr/bin/env bash
# Builds and installs signal_hub, shows it at work, tests it: see usage().
# The demo itself is in tests/demo.sh.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: ./pgrx-install.sh [COMMAND] [OPTIONS]

  install   build signal_hub and install it into PostgreSQL (the default)
  demo      install, then show it at work on a private server that ends by itself
              --keep       leave the server up and say how to stop it
              --seconds N  watch for N seconds after the first signal (default 20)
  test      install, then run every check and test
  help      print this text

PG_CONFIG names the pg_config of the PostgreSQL to install into (15 to 18).
Without it: the one in PATH, else the newest in /usr/lib/postgresql. What is
missing is installed with apt-get on Debian and its relatives; that and copying
into system folders needs root or sudo.
USAGE
}

OLDEST=15
NEWEST=18

say() { printf '%s\n' "$@"; }

# die MESSAGE [MORE LINES]
die() {
    printf 'pgrx-install.sh: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '  %s\n' "$@" >&2
    exit 1
}

# Runs a long step between a line that says what and one that says how long.
timed() {
    local what=$1 began=$SECONDS
    shift
    say "== $what"
    "$@"
    say "== done in $((SECONDS - began)) s"
}

# ---- who does what ---------------------------------------------------------

# Under sudo the caller's toolchain builds, so that no file of theirs ends up
# owned by root. A server never runs as root: then it runs as postgres.
choose_users() {
    builder=$(id -un)
    if [[ $builder == root && ${SUDO_USER:-root} != root ]] &&
        runuser -u "$SUDO_USER" -- test -w "$repo"; then
        builder=$SUDO_USER
    fi
    builder_home=$(getent passwd "$builder" | cut -d: -f6)
    export PATH=$PATH:${CARGO_HOME:-$builder_home/.cargo}/bin
    server_user=$builder
    [[ $builder != root ]] || server_user=postgres
}

as_builder() {
    if [[ $builder == "$(id -un)" ]]; then "$@"; else runuser -u "$builder" -- env HOME="$builder_home" "$@"; fi
}

# as_user USER COMMAND: from /, as the user may not enter the folder of the caller.
as_user() (
    cd /
    if [[ $1 == "$(id -un)" ]]; then "${@:2}"; else runuser -u "$1" -- "${@:2}"; fi
)

as_server_user() { as_user "$server_user" "$@"; }

# as_root SHELL_COMMAND
as_root() {
    if ((EUID == 0)); then
        sh -c "$1"
    elif ! command -v sudo >/dev/null; then
        die "this needs root, and there is no sudo. Run as root, then start again here:" "$1"
    else
        sudo sh -c "$1" || die "not done. Run as root, then start again here:" "$1"
    fi
}

# ---- what has to be there --------------------------------------------------

# Why the PostgreSQL of a pg_config cannot be used; nothing when it can.
unusable() {
    local version bindir include
    "$1" --version >/dev/null 2>&1 || { say "it does not run"; return; }
    version=$(major_of "$1") bindir=$("$1" --bindir) include=$("$1" --includedir-server)
    # Client packages bring a pg_config, too: it promises neither server nor headers.
    if ! [[ $version =~ ^[0-9]+$ ]] || ((version < OLDEST || version > NEWEST)); then
        say "it belongs to $("$1" --version | head -n 1); signal_hub supports $OLDEST to $NEWEST"
    elif [[ ! -x $bindir/postgres ]]; then
        say "its server is not installed ($bindir/postgres is missing; package postgresql-$version)"
    elif [[ ! -f $include/postgres.h ]]; then
        say "its server headers are not installed ($include/postgres.h is missing; package postgresql-server-dev-$version)"
    fi
}

major_of() { "$1" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/'; }

# Sets pg_config; false when there is no PostgreSQL to use.
find_postgres() {
    local candidate reason
    if [[ -n ${PG_CONFIG:-} ]]; then
        candidate=$(command -v "$PG_CONFIG") || die "PG_CONFIG=$PG_CONFIG: no such program"
        reason=$(unusable "$candidate")
        [[ -z $reason ]] || die "PG_CONFIG=$PG_CONFIG cannot be used: $reason"
        pg_config=$(realpath -s "$candidate")
        return
    fi
    for candidate in "$(command -v pg_config || true)" \
        $(seq -f '/usr/lib/postgresql/%g/bin/pg_config' "$NEWEST" -1 "$OLDEST"); do
        if [[ -x $candidate && -z $(unusable "$candidate") ]]; then
            pg_config=$candidate
            return
        fi
    done
    return 1
}

can_link_c() { as_builder cc -x c -o /dev/null - <<<'int main(void) { return 0; }' 2>/dev/null; }

# What bindgen loads, and the compiler's own headers beside it.
has_libclang() {
    [[ -n ${LIBCLANG_PATH:-} ]] && return
    local folder lib='' header=''
    for folder in /usr/lib/llvm-*/lib /usr/lib64 /usr/lib /usr/lib/*-linux-gnu /usr/local/lib; do
        [[ -z $(compgen -G "$folder/libclang.so*" || compgen -G "$folder/libclang-[0-9]*.so*") ]] || lib=1
        [[ -z $(compgen -G "$folder/clang/*/include/stddef.h") ]] || header=1
    done
    [[ -n $lib && -n $header ]]
}

# The newest release a server is installed of, else the newest on offer.
release_to_install() {
    local n
    for ((n = NEWEST; n >= OLDEST; n--)); do
        [[ ! -x /usr/lib/postgresql/$n/bin/postgres ]] || { say "$n"; return; }
    done
    for ((n = NEWEST; n >= OLDEST; n--)); do
        apt-cache show "postgresql-$n" "postgresql-server-dev-$n" >/dev/null 2>&1 && { say "$n"; return; }
    done
    return 1
}

apt() {
    local output
    output=$(as_root "DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 $*" 2>&1) ||
        die "not installed:" "$(tail -n 20 <<<"$output")"
}

ensure_packages() {
    local postgres='' packages=() n
    find_postgres || postgres=missing
    can_link_c || packages+=(gcc libc6-dev)
    has_libclang || packages+=(libclang-dev)
    [[ -z $postgres && ${#packages[@]} == 0 ]] && return
    if ! command -v apt-get >/dev/null; then
        die "this system has no apt-get; install what is missing, then start again:" \
            ${postgres:+"PostgreSQL $OLDEST to $NEWEST, the server and its headers (or set PG_CONFIG)"} \
            ${packages[0]:+"${packages[*]} (Debian's names)"}
    fi
    # Without it neither cargo nor the extension can check a certificate.
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || packages+=(ca-certificates)
    timed "reading the lists of packages" apt update
    if [[ -n $postgres ]]; then
        n=$(release_to_install) || die "no PostgreSQL $OLDEST to $NEWEST on offer here: add apt.postgresql.org, see https://www.postgresql.org/download/"
        if [[ ! -x /usr/lib/postgresql/$n/bin/postgres ]]; then
            packages+=("postgresql-$n")
            say "PostgreSQL $n is installed as Debian does it: with a cluster 'main', which is the server to add signal_hub to"
        fi
        packages+=("postgresql-server-dev-$n")
    fi
    timed "installing ${packages[*]} (1 to 3 minutes)" apt install -y --no-install-recommends "${packages[@]}"
    find_postgres || die "PostgreSQL is installed but not found; set PG_CONFIG"
}

ensure_rust() {
    local wanted have hint='get it from https://rustup.rs, as the user who builds (no root needed), then start again'
    wanted=$(sed -nE 's/^rust-version = "(.*)"/\1/p' Cargo.toml)
    as_builder sh -c 'command -v cargo && command -v rustc' >/dev/null ||
        die "Rust is missing: no cargo and rustc in PATH or in ${PATH##*:}" "$hint"
    have=$(as_builder rustc --version) || die "rustc does not run, see above" "with rustup: rustup default stable"
    have=${have#rustc } have=${have%% *}
    [[ $(printf '%s\n' "$wanted" "${have%%-*}" | sort -V | head -n 1) == "$wanted" ]] ||
        die "Rust $wanted or newer is needed, this is $have" "with rustup: rustup update stable"
}

# ---- install ---------------------------------------------------------------

run_cargo() { as_builder env PGRX_PG_CONFIG_PATH="$pg_config" PG_CONFIG="$pg_config" cargo "$@"; }

install_extension() {
    ensure_rust
    ensure_packages
    major=$(major_of "$pg_config")
    bindir=$("$pg_config" --bindir)
    features=(--no-default-features --features "signal_hub/pg$major")
    say "PostgreSQL: $("$pg_config" --version) in $bindir"
    timed "building signal_hub (3 minutes the first time on 2 cores, seconds when nothing changed)" \
        run_cargo build --release --locked "${features[@]}"
    copy_files
}

# Copies what changed, each file whole or not at all: overwriting the library
# in place would crash the servers that have it mapped.
copy_files() {
    local version folder script update commands=() changed=()
    version=$(sed -nE "s/^default_version = '(.*)'/\1/p" signal_hub.control)
    folder=$("$pg_config" --sharedir)/extension
    script=$CARGO_TARGET_DIR/release/signal_hub--$version.sql
    # shellcheck disable=SC2016 # expands in that shell
    as_builder sh -c 'out=$1; shift; cat "$@" >"$out"' - "$script" sql/[0-9]_*.sql
    update=$CARGO_TARGET_DIR/release/signal_hub--0.2.0--$version.sql
    # shellcheck disable=SC2016
    as_builder sh -c 'out=$1; shift; cat "$@" >"$out"' - "$update" sql/updates/0.2.0--0.3.0/*.sql

    place() {
        cmp -s "$1" "$2" && return
        local new=$2.new
        commands+=("$(printf 'install -m %s %q %q && mv -f %q %q' "$3" "$1" "$new" "$new" "$2")")
        changed+=("$2")
    }
    place "$CARGO_TARGET_DIR/release/libsignal_hub.so" "$("$pg_config" --pkglibdir)/signal_hub.so" 755
    place "$script" "$folder/signal_hub--$version.sql" 644
    place "$update" "$folder/${update##*/}" 644
    for script in sql/releases/*.sql; do
        place "$repo/$script" "$folder/${script##*/}" 644
    done
    # Last: it makes the release known.
    place "$repo/signal_hub.control" "$folder/signal_hub.control" 644

    if ((${#commands[@]} == 0)); then
        say "installed already: signal_hub $version"
        return
    fi
    local all
    all=$(printf '%s && ' "${commands[@]}")
    all=${all% && }
    if [[ -w $folder && -w $("$pg_config" --pkglibdir) ]]; then sh -c "$all"; else as_root "$all"; fi
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
}

# ---- test ------------------------------------------------------------------

# Runs one check; a failure is remembered and the others still run. One that
# exits with 77 cannot be run here.
check() {
    local what=$1 began=$SECONDS result=ok code=0
    shift
    say "" "== $what"
    "$@" || code=$?
    case $code in
        0) ;;
        77) result=skipped ;;
        *) result=FAILED failed=1 ;;
    esac
    report+=("$(printf '%-7s %4d s  %s' "$result" $((SECONDS - began)) "$what")")
    say "== $result after $((SECONDS - began)) s"
}

is_pure() { ! grep -rnw pgrx src/market src/strategy; }

# Programs of other packages: those that the realtime suite lets follow
# user_signals, and the browser of the live page.
has_program() {
    case $1 in
        psycopg2) /usr/bin/python3 -c 'import psycopg2' ;;
        wal2json) [[ -f $("$pg_config" --pkglibdir)/wal2json.so ]] ;;
        node_pg_logical_replication) [[ -d tests/realtime/consumers/node/node_modules/pg-logical-replication ]] ;;
        node) command -v node && command -v npm ;;
        chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
    esac >/dev/null 2>&1
}

# What cannot be had is skipped, and the report says so.
ensure_programs() {
    local follower package packages=()
    has_program psycopg2 || packages+=(python3-psycopg2)
    has_program wal2json || packages+=("postgresql-$major-wal2json")
    has_program node || packages+=(nodejs npm)
    has_program chromium || packages+=(chromium)
    if ((${#packages[@]} > 0)) && command -v apt-get >/dev/null && { ((EUID == 0)) || command -v sudo >/dev/null; }; then
        (timed "reading the lists of packages" apt update) || true
        # One by one: a package that is not on offer must not keep the others away.
        for package in "${packages[@]}"; do
            (timed "installing $package" apt install -y --no-install-recommends "$package") || true
        done
    fi
    if command -v npm >/dev/null; then
        as_builder npm ci --prefix tests/realtime/consumers/node --no-audit --no-fund --loglevel=error || true
    fi
    for follower in psycopg2 wal2json node_pg_logical_replication; do
        if ! has_program "$follower"; then
            skip+=(--skip "$follower")
            report+=("skipped         realtime with $follower: it is not installed")
        fi
    done
}

run_tests() {
    local report=() failed='' skip=() component
    (($# == 0)) || bad_usage "unknown option: $1"
    ensure_rust
    for component in fmt clippy; do
        as_builder cargo "$component" --version >/dev/null ||
            die "cargo $component is missing" "with rustup: rustup component add rustfmt clippy"
    done
    install_extension
    check "formatting" run_cargo fmt --all --check
    check "lints" run_cargo clippy --workspace --all-targets --locked "${features[@]}" -- -D warnings
    check "src/market and src/strategy know nothing of PostgreSQL" is_pure
    check "unit tests of the extension" run_cargo test --locked "${features[@]}"
    if as_builder sh -c 'command -v c++' >/dev/null; then
        check "a minute of fuzzing the reply parser" as_builder fuzz/run 60
    else
        report+=("skipped         fuzzing: no C++ compiler (Debian: g++)")
    fi
    ensure_programs
    # Root alone can give one server a name server or a disk of its own.
    if [[ $builder != root ]]; then
        skip+=(--skip names:: --skip disk::)
        report+=("skipped         faults of name resolution and of disks: they need root")
    fi
    check "market simulator, stories, faults and realtime" run_cargo test --locked -p signal_hub_tests -- "${skip[@]}"
    check "live service" run_cargo test --locked -p signal_hub_live
    check "live page in a browser" as_builder env PG_CONFIG="$pg_config" live/tests/browser/run
    if command -v shellcheck >/dev/null; then
        check "shellcheck" shellcheck -x pgrx-install.sh .ci/run fuzz/run live/tests/browser/run tests/other_postgres.sh
    else
        report+=("skipped         shellcheck is not installed")
    fi
    if as_builder cargo deny --version >/dev/null 2>&1; then
        check "licenses, bans and sources of dependencies" run_cargo deny --locked check licenses bans sources
    else
        report+=("skipped         cargo-deny is not installed")
    fi
    say "" "${report[@]}"
    [[ -z $failed ]] || die "some checks failed"
}

# ---- command line ----------------------------------------------------------

bad_usage() {
    say "pgrx-install.sh: $1" >&2
    usage >&2
    exit 2
}

[[ -z ${PG_CONFIG:-} || $PG_CONFIG != */* ]] || PG_CONFIG=$(realpath -s "$PG_CONFIG")
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-$repo/target}")
export CARGO_TARGET_DIR
cd "$repo"
# shellcheck source=tests/demo.sh
source tests/demo.sh
choose_users

command=${1:-install}
(($# == 0)) || shift
case $command in
    install)
        (($# == 0)) || bad_usage "unknown option: $1"
        install_extension
        next_steps
        ;;
    demo) demo "$@" ;;
    test) run_tests "$@" ;;
    help | -h | --help) usage ;;
    *) bad_usage "unknown command: $command" ;;
esac
