#!/usr/bin/env bash
# Tests signal_hub on a PostgreSQL that this machine does not have: see usage().
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: tests/other_postgres.sh MAJOR [TEST...]
       tests/other_postgres.sh MAJOR --upgrade [COMMIT]
       tests/other_postgres.sh MAJOR --live [TEST...]
       tests/other_postgres.sh MAJOR --packages FOLDER [COMMIT]

The first builds and installs signal_hub for PostgreSQL MAJOR (16, 17 or 18) in a
folder that holds this release, and runs stories, faults and realtime on it, or those
whose names contain a TEST, without the followers that other packages bring.
The second runs the test of pg_upgrade, from this machine's own PostgreSQL
(PG_CONFIG, else the pg_config in PATH) to MAJOR; with COMMIT, the old one has
signal_hub as of that commit. A failure at an option "pg_attver" says that MAJOR
lacks a patch the old server has; no database can be upgraded between these two.
The third runs the tests of the live service on MAJOR.
The fourth puts into FOLDER what packaging/build.sh makes for MAJOR, without the
service; with COMMIT, that of an older release. packaging/test.sh tries them.

To be run by hand, as root, on Debian, with Rust installed. For 17 and 18 the folder
holds the Debian that has this release; that needs debootstrap, 3 minutes and 5 GB.
No Debian has 16: it comes from a Python package for x86-64 and runs on this machine,
which needs python3 with pip, and what pgrx-install.sh needs to build and test.
The package has neither XML nor other extensions of PostgreSQL's own.

The folder is $SIGNAL_HUB_FOLDER/MAJOR (default /var/tmp/signal_hub-postgres/MAJOR),
with a log beside it. It is kept for the next time and can be removed at any time:
nothing stays mounted, no process and no port is shared.
USAGE
}

die() {
    printf 'tests/other_postgres.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Sets where PostgreSQL MAJOR comes from: a release of Debian or a Python package.
choose_source() {
    suite='' package=''
    case $major in
        16) package=$postgresql_16 ;;
        17) suite=trixie ;;
        18) suite=sid ;;
        *) usage >&2 && die "no source of PostgreSQL '$major' is known here" 2 ;;
    esac
}

# Lines for sources.list: where this machine gets its own release from, updates
# of it too, for another release. pg_upgrade needs a server as patched as the old.
sources() {
    local codename
    codename=$(sed -nE 's/^VERSION_CODENAME=//p' /etc/os-release)
    apt-get indextargets --format "deb \$(REPO_URI) \$(CODENAME) main" 'Created-By: Packages' 'Component: main' |
        sed -nE "s/ $codename(-[a-z]+)? / $1\1 /p" | if [[ $1 == sid ]]; then grep ' sid '; else cat; fi
}

make_root() {
    local log=$folder/$major.log
    printf '== %s\n' "making $root with ${suite:+Debian }${suite:-${package%% *}}, see $log"
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    if [[ -n $suite ]]; then
        make_debian
    else
        unpack_postgresql_16 "$root" >"$log" 2>&1 || die "not downloaded, see $log"
    fi
    touch "$root/complete"
}

make_debian() {
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" \
        "$(sources "$suite" | awk 'NR == 1 { print $2 }')" >"$log"
    sources "$suite" >"$root/etc/apt/sources.list"
    mount_system
    chroot "$root" sh -c "export DEBIAN_FRONTEND=noninteractive
        # A mirror may be behind: debootstrap has checked who signed, not when.
        apt-get -q -o Acquire::Check-Valid-Until=false update && apt-get -qy upgrade &&
        apt-get -qy install --no-install-recommends \
            postgresql-$major postgresql-server-dev-$major libclang-dev gcc libc6-dev" >>"$log" 2>&1 ||
        die "not installed, see $log"
}

# What a Debian needs to run. Mounts end with this process, which has its own view of them.
mount_system() {
    # As some faults expect of the root.
    mount --bind "$root" "$root"
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    cp /etc/hosts /etc/resolv.conf "$root/etc/"
}

mount_sources() {
    local sysroot
    sysroot=$(cd "$repo" && rustc --print sysroot)
    (cd "$repo" && cargo fetch --locked --quiet)
    mkdir -p "$root"/{repo,rust,cargo,build,tmp}
    chmod 1777 "$root/tmp"
    mount --bind -o ro "$repo" "$root/repo"
    mount --bind -o ro "$sysroot" "$root/rust"
    mount --bind "${CARGO_HOME:-$HOME/.cargo}" "$root/cargo"
}

# inside FOLDER [VARIABLE=VALUE...] COMMAND: without a network but its own loopback.
inside() {
    # shellcheck disable=SC2016 # expands in that shell
    unshare --net -- sh -c 'ip link set lo up && exec "$@"' - ${suite:+chroot "$root"} \
        env -i -C "$inner$1" "PATH=$inner/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 HOME=/root \
        "TMPDIR=$inner/tmp" "CARGO_HOME=$inner/cargo" CARGO_NET_OFFLINE=true "${@:2}"
}

# install MAJOR SOURCES
install_extension() {
    inside "$2" "CARGO_TARGET_DIR=$inner/build/$1" "PG_CONFIG=$(pg_config_of "$1")" ./pgrx-install.sh install
}

pg_config_of() {
    if [[ $1 == "$major" ]]; then echo "$inner/usr/lib/postgresql/$1/bin/pg_config"; else echo "$inner$old_pg_config"; fi
}

# run_cargo COMMAND [ARGUMENT...]: on the crate of the tests
run_cargo() {
    inside /repo "CARGO_TARGET_DIR=$inner/build/$major" "PG_CONFIG=$(pg_config_of "$major")" \
        "OLD_PG_CONFIG=${old_pg_config:+$inner$old_pg_config}" cargo "$1" --locked -p signal_hub_tests "${@:2}"
}

# This machine's PostgreSQL, at the same place in the folder.
copy_old_postgres() {
    local option path missing
    for option in --bindir --pkglibdir --sharedir --includedir-server; do
        path=$("$old_pg_config" "$option")
        rm -rf "${root:?}$path"
        mkdir -p "$(dirname "$root$path")"
        cp -a "$path" "$root$path"
    done
    # No trace of an extension built elsewhere; and just-in-time compilation needs an LLVM of its own.
    rm -f "$root$("$old_pg_config" --sharedir)/extension/signal_hub"* \
        "$root$("$old_pg_config" --pkglibdir)"/{signal_hub,llvmjit}.so
    # Libraries that the newer Debian has not; those it has are newer and serve as well.
    mkdir -p "$root/usr/local/lib"
    while
        missing=$(inside / sh -c "ldd $inner$("$old_pg_config" --bindir)/*" 2>/dev/null | awk '/not found/ { print $1; exit }')
        [[ -n $missing ]]; do
        path=$(ldconfig -p | awk -v name="$missing" '$1 == name { print $NF; exit }')
        [[ -n $path && ! -e $root/usr/local/lib/$missing ]] || die "$missing cannot be brought along"
        cp -L "$path" "$root/usr/local/lib/$missing"
        inside / ldconfig
    done
}

test_upgrade() {
    local commit=${1:-} sources=/repo old
    old=$("$old_pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
    ((old < major)) || die "this machine has PostgreSQL $old: no upgrade to $major"
    copy_old_postgres
    [[ -z $commit ]] || sources=$(unpack_commit "$commit")
    install_extension "$old" "$sources"
    # A name that matches no test would be no failure to cargo.
    run_cargo test --test faults -- --nocapture --ignored upgrades:: | tee >(cat >&2) | grep -q '^test result: ok. [1-9]'
}

# build_packages FOLDER [COMMIT]
build_packages() {
    local output=$root/build/packages options=(--no-service --output "$inner/build/packages")
    [[ -z ${2:-} ]] || options+=(--sources "$inner$(unpack_commit "$2")")
    if [[ -n $suite ]] && ! chroot "$root" sh -c 'command -v dh' >/dev/null; then
        chroot "$root" sh -c 'export DEBIAN_FRONTEND=noninteractive
            apt-get -q -o Acquire::Check-Valid-Until=false update && apt-get -qy install --no-install-recommends debhelper' \
            >>"$folder/$major.log" 2>&1 || die "debhelper is not installed, see $folder/$major.log"
    fi
    rm -rf "$output"
    inside /repo "CARGO_TARGET_DIR=$inner/build/$major" "PG_CONFIG=$(pg_config_of "$major")" \
        packaging/build.sh "${options[@]}" "$major"
    mkdir -p "$1"
    cp "$output"/* "$1/"
}

# unpack_commit COMMIT: the folder of its sources
unpack_commit() {
    rm -rf "$root/old"
    mkdir "$root/old"
    git -C "$repo" archive "$1" | tar -x -C "$root/old"
    echo /old
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=tests/postgresql_16.sh
source "$repo/tests/postgresql_16.sh"
case ${1:-help} in help | -h | --help) usage && exit ;; esac
major=$1
choose_source
((EUID == 0)) || die "this needs root"
for tool in ${suite:+debootstrap} ${package:+python3} cargo rustc unshare ip; do
    command -v "$tool" >/dev/null || die "$tool is missing"
done
[[ -z $package ]] || id -u postgres >/dev/null || die "there is no user postgres to run servers as"
# Whatever happens, no mount and no process outlives this one.
if [[ -z ${SIGNAL_HUB_UNSHARED:-} ]]; then
    export SIGNAL_HUB_UNSHARED=1
    exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc -- "$0" "$@"
fi
trap 'exit 130' INT TERM

shift
# Servers run as user postgres, who must be able to read what root makes here.
umask 022
folder=${SIGNAL_HUB_FOLDER:-/var/tmp/signal_hub-postgres}
root=$folder/$major
# What paths in the folder begin with for the commands of inside(): nothing where it is their root.
inner=${package:+$root}
old_pg_config=
if [[ ! -e $root/complete ]]; then make_root; elif [[ -n $suite ]]; then mount_system; fi
mount_sources
if [[ ${1:-} == --packages ]]; then
    [[ -n ${2:-} ]] || { usage >&2 && die "into which folder?" 2; }
    build_packages "$(realpath -m "$2")" "${3:-}"
    exit
fi
install_extension "$major" /repo
if [[ ${1:-} == --live ]]; then
    inside /repo "CARGO_TARGET_DIR=$inner/build/$major" "PG_CONFIG=$(pg_config_of "$major")" \
        cargo test --locked -p signal_hub_live --test service -- "${@:2}"
elif [[ ${1:-} == --upgrade ]]; then
    # Not the one in PATH itself, which in the folder is that of the folder.
    old_pg_config=$("${PG_CONFIG:-pg_config}" --bindir)/pg_config || die "no pg_config of an older PostgreSQL"
    test_upgrade "${2:-}"
else
    # The program that follows; to cargo test, an example named is one more test.
    run_cargo build --examples
    run_cargo test --no-fail-fast --test stories --test faults --test realtime -- \
        --skip psycopg2 --skip wal2json --skip node_pg_logical_replication "$@"
fi
