# shellcheck shell=bash
# What has to be there to build: PostgreSQL, a C compiler, libclang, Rust. What is
# missing is installed where that can be done. Part of pgrx-install.sh.

OLDEST=15
NEWEST=18

# Sets pg_config, major, bindir and features.
ensure_requirements() {
    ensure_rust
    ensure_packages
    major=$(major_of "$pg_config")
    bindir=$("$pg_config" --bindir)
    features=(--no-default-features --features "signal_hub/pg$major")
    say "PostgreSQL: $("$pg_config" --version) in $bindir"
}

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
