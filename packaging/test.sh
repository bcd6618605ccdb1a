#!/usr/bin/env bash
# Installs, upgrades and purges what packaging/build.sh made, on a Debian of its own: see usage().
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: packaging/test.sh [--postgresql MAJOR] PACKAGES [BEFORE]

In a folder with the Debian that has PostgreSQL MAJOR (15, the default, is in Debian 12, 17 in
13, 18 in sid; no Debian has 16, which comes from a Python package into Debian 12, laid out as
apt.postgresql.org has it): installs the packages in folder BEFORE, which
packaging/build.sh made of an older release (--sources), creates the extension and waits for
signals; upgrades to those in PACKAGES, without losing any; sets up the service as README.md
says, and asks it for a signal; runs the RUN lines of the Dockerfile and of docs/supabase.md
that install, as far as they go without a network; purges everything, and checks that nothing
is left.

As root, on Debian, with debootstrap, and market_simulator built (cargo build -p
signal_hub_simulator). The folder is $SIGNAL_HUB_FOLDER (default
/var/tmp/signal_hub-packages) and can be removed at any time: nothing stays mounted.
USAGE
}

die() {
    printf 'packaging/test.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}
say() { printf '== %s\n' "$1"; }

arguments=("$@") major=15 before=''
if [[ ${1:-} == --postgresql ]]; then
    major=${2:-}
    shift 2
fi
case ${1:-help} in help | -h | --help) usage && exit ;; esac
case $major in
    15 | 16) suite=bookworm ;;
    17) suite=trixie ;;
    18) suite=sid ;;
    *) usage >&2 && die "no Debian has PostgreSQL '$major'" 2 ;;
esac
packages=$(realpath "$1")
[[ -z ${2:-} ]] || before=$(realpath "$2")
((EUID == 0)) || die "this needs root"
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=tests/postgresql_16.sh
source "$repo/tests/postgresql_16.sh"
# shellcheck source=packaging/stand_in.sh
source "$repo/packaging/stand_in.sh"
folder=${SIGNAL_HUB_FOLDER:-/var/tmp/signal_hub-packages}
root=$folder/$suite
[[ $major != 16 ]] || root=$folder/16
# Whatever happens, no mount and no process outlives this one; its network is a loopback.
if [[ -z ${SIGNAL_HUB_UNSHARED:-} && -e $root/complete ]]; then
    export SIGNAL_HUB_UNSHARED=1
    exec unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc -- "$0" "${arguments[@]}"
fi
simulator=${CARGO_TARGET_DIR:-$repo/target}/debug/market_simulator
[[ -x $simulator ]] || die "$simulator is missing: cargo build -p signal_hub_simulator"

inside() { chroot "$root" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
sql() { inside runuser -u postgres -- psql -XAtqw -v ON_ERROR_STOP=1 "$@"; }
# eventually WHAT COMMAND...
eventually() {
    local what=$1 n
    shift
    for ((n = 0; n < 300; n++)); do
        ! "$@" >/dev/null 2>&1 || { say "$what" && return; }
        sleep 0.2
    done
    sql -x -c 'SELECT * FROM signal_health' || true
    die "not within a minute: $what"
}
is_true() { [[ $(sql -c "SELECT $1") == t ]]; }

# Once, with a network.
make_root() {
    local postgresql=postgresql-$major
    command -v debootstrap >/dev/null || die "debootstrap is missing"
    say "making $root, see $folder/log"
    rm -rf --one-file-system "$root"
    mkdir -p "$folder"
    debootstrap --variant=minbase --include=ca-certificates,adduser,curl "$suite" "$root" >"$folder/log"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    # No server starts by itself.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    if [[ $major == 16 ]]; then
        postgresql=/tmp/postgresql-16.deb
        make_stand_in "$root$postgresql" >>"$folder/log" 2>&1 || die "PostgreSQL 16 is not packaged, see $folder/log"
    fi
    # A mirror may be behind: debootstrap has checked who signed, not when. Some packages look into
    # /proc, which is there as long as this takes.
    # shellcheck disable=SC2016 # expands in that shell
    unshare --mount --propagation private -- sh -ec 'mount -t proc proc "$0/proc"
        exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            sh -c "apt-get -q -o Acquire::Check-Valid-Until=false update &&
                apt-get -qy install --no-install-recommends $1"' "$root" "$postgresql" >>"$folder/log" 2>&1
    touch "$root/complete"
}

if [[ ! -e $root/complete ]]; then
    make_root
    exec "$0" "${arguments[@]}"
fi

# Every file that a package may leave.
inventory() {
    inside find /etc /usr /opt /var /home -xdev \
        \( -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /var/lib/postgresql \
        -o -path /etc/postgresql -o -path /var/lib/apt -o -path '/var/lib/systemd/deb-systemd*' \) -prune -o \
        ! -name '*-' ! -name '.pwd.lock' -print | LC_ALL=C sort
    inside cut -d: -f1 /etc/passwd /etc/group
}

install_packages() {
    rm -rf "$root/tmp/packages"
    mkdir -p "$root/tmp/packages"
    cp "$@" "$root/tmp/packages/"
    inside sh -c 'apt-get -qy install --no-install-recommends /tmp/packages/*.deb' >>"$folder/log" 2>&1 ||
        die "not installed, see $folder/log"
}

restart() { inside pg_ctlcluster "$major" main restart; }

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
ip link set lo up
: >"$folder/log"
inside sh -c "dpkg --purge signal-hub-live postgresql-$major-signal-hub; pg_dropcluster --stop $major main" >>"$folder/log" 2>&1 || true
rm -rf "$root"/usr/local/bin/* "$root"/tmp/*
inventory >"$folder/inventory"
inside pg_createcluster "$major" main >>"$folder/log"

install -m 755 "$simulator" "$root/tmp/market_simulator"
inside /tmp/market_simulator --port 9000 >>"$folder/log" 2>&1 &

if [[ -n $before ]]; then install_packages "$before/postgresql-$major"-*.deb; else install_packages "$packages/postgresql-$major"-*.deb; fi
inside pg_ctlcluster "$major" main start
sql -c "ALTER SYSTEM SET shared_preload_libraries = signal_hub" -c "ALTER SYSTEM SET wal_level = logical"
restart
sql -c "ALTER SYSTEM SET signal_hub.exchange_url = 'http://127.0.0.1:9000'" \
    -c "ALTER SYSTEM SET signal_hub.interval = '1s'" -c "SELECT pg_reload_conf()" >/dev/null
sql -c "CREATE EXTENSION signal_hub" \
    -c "INSERT INTO user_subscriptions (user_id, tier) VALUES ('00000000-0000-4000-8000-000000000001', 'MAX')"
eventually "signals of $(sql -c "SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'")" \
    is_true "count(*) > 0 FROM user_signals"

if [[ -n $before ]]; then
    signals=$(sql -c "SELECT count(*) FROM user_signals")
    install_packages "$packages/postgresql-$major"-*.deb
    restart
    eventually "the new library waits for its SQL objects" is_true "state = 'version_mismatch' FROM signal_health"
    sql -c "ALTER EXTENSION signal_hub UPDATE"
    eventually "runs of $(sql -c "SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'")" \
        is_true "healthy AND last_success > started_at FROM signal_health"
    is_true "count(*) >= $signals FROM user_signals" || die "signals were lost"
fi

say "the lines of README.md"
# Here is no systemd: what would start something is started by hand, as the unit has it.
cat >"$root/usr/local/bin/systemctl" <<EOF
#!/bin/sh
unit=/lib/systemd/system/signal-hub-live.service
case "\$*" in
    'restart postgresql') pg_ctlcluster $major main restart ;;
    'enable --now signal-hub-live')
        runuser -u "\$(sed -n 's/^User=//p' \$unit)" -- \$(sed -n 's/^ExecStart=//p' \$unit) </dev/null >/tmp/live.log 2>&1 & ;;
    *) exit 2 ;;
esac
EOF
chmod +x "$root/usr/local/bin/systemctl"
cp "$packages/postgresql-$major"-*.deb "$packages"/signal-hub-live_*.deb "$root/tmp/packages/"
# shellcheck disable=SC2016 # these are sed's
lines=$(sed -n '/^apt-get install/,/^```/{/^```/d;p}' "$repo/README.md")
[[ $(wc -l <<<"$lines") == 5 ]] || die "README.md has no five lines"
lines=${lines//postgresql-15-/postgresql-$major-}
printf '%s\n' "$lines"
inside sh -ec "cd /tmp/packages; $lines" >>"$folder/log" 2>&1 || die "a line of README.md failed, see $folder/log"
rm "$root/usr/local/bin/systemctl"
[[ $(inside stat -c '%A %U:%G' /etc/signal-hub/live.toml) == '-rw-r----- root:signal-hub' ]] ||
    die "the configuration can be read by others"
eventually "the service is ready" inside curl -sf http://127.0.0.1:8080/readyz
token=$(inside runuser -u signal-hub -- signal_hub_live token --config /etc/signal-hub/live.toml --sub 00000000-0000-4000-8000-000000000001)
inside curl -sf -H "Authorization: Bearer $token" http://127.0.0.1:8080/api/signals | grep -q '"signal_id"' ||
    die "the subscriber gets no signal"
say "a subscriber reads signals"
end_service() {
    kill "$(inside pidof signal_hub_live)"
    eventually "the service has ended" inside sh -c '! pidof signal_hub_live'
}
end_service

say "the login for what subscribers do, as live.toml says"
sql -c "ALTER ROLE signal_hub_subscribers PASSWORD 'theirs'"
sed -i 's/^# \(subscriber-database-url = .*\)PASSWORD/\1theirs/' "$root/etc/signal-hub/live.toml"
inside runuser -u signal-hub -- signal_hub_live serve --config /etc/signal-hub/live.toml </dev/null >>"$folder/log" 2>&1 &
eventually "the service is ready" inside curl -sf http://127.0.0.1:8080/readyz
inside curl -sf -H "Authorization: Bearer $token" http://127.0.0.1:8080/api/signals | grep -q '"signal_id"' ||
    die "the subscriber gets no signal"
is_true "count(*) > 0 FROM pg_stat_activity WHERE usename = 'signal_hub_subscribers'" ||
    die "the subscriber is not served under the login for subscribers"
end_service

# run_lines FILE: each RUN of a Dockerfile in one line
run_lines() {
    sed -e ':a' -e '/\\$/{N; s/\\\n//; ta' -e '}' "$1" | sed -n 's/^RUN //p'
}
try_line() {
    printf '%s\n' "$1"
    inside PG_MAJOR="$major" sh -ec "$1" </dev/null >>"$folder/log" 2>&1 || die "failed: $1, see $folder/log"
}

say "the RUN lines of the Dockerfile"
# The lists of packages stay: without a network they cannot be read again.
mount -t tmpfs none "$root/var/lib/apt/lists"
while read -r line; do
    cp "$packages"/*.deb "$root/tmp/"
    find "$root/tmp" -maxdepth 1 -name 'postgresql-*' ! -name "postgresql-$major-*" -delete
    try_line "${line//apt-get update/true}"
done < <(run_lines "$repo/packaging/image/Dockerfile")
umount "$root/var/lib/apt/lists"
[[ ! -e $root/etc/signal-hub/secret ]] || die "each container would have the same key of tokens"
rm -f "$root"/tmp/*.deb

say "the RUN lines of docs/supabase.md, but for what takes a network or is built"
# shellcheck disable=SC2016 # no command
sed -n '/^```dockerfile/,/^```$/{/^```/d;p}' "$repo/docs/supabase.md" >"$folder/Dockerfile"
# Their programs are wrapped, and what they load is somewhere else.
mkdir -p "$root"/tmp/nix/{bin,lib,share/extension} "$root/tmp/extension"
printf "#!/bin/sh\nexport NIX_PGLIBDIR='/tmp/nix/lib'\n" >"$root/tmp/nix/bin/postgres"
printf '#!/bin/sh\necho /tmp/nix/share\n' >"$root/tmp/nix/bin/pg_config"
chmod +x "$root"/tmp/nix/bin/*
cp "$root/usr/lib/postgresql/$major/lib/signal_hub.so" "$root/tmp/"
cp "$root/usr/share/postgresql/$major/extension"/signal_hub* "$root/tmp/extension/"
while read -r line; do
    line=${line//17/$major}
    case $line in
        *rustup* | *pgrx-install.sh*) ;;
        *'apt-get install'*)
            # As no Debian has 16, none has its headers.
            line=${line/apt-get update/true} line=${line/ postgresql-server-dev-16/}
            try_line "${line/apt-get install -y/apt-get install --simulate}"
            ;;
        *) try_line "PATH=/tmp/nix/bin:\$PATH; $line" ;;
    esac
done < <(run_lines "$folder/Dockerfile")
cmp "$root/tmp/nix/lib/signal_hub.so" "$root/usr/lib/postgresql/$major/lib/signal_hub.so"
[[ -e $root/tmp/nix/share/extension/signal_hub.control ]] || die "the scripts are not where their server looks"
rm -r "$root/tmp/nix"

inside pg_dropcluster --stop "$major" main
inside dpkg --purge signal-hub-live "postgresql-$major-signal-hub" >>"$folder/log" 2>&1
inventory | diff "$folder/inventory" - || die "the purge left this"
say "nothing is left after the purge"
