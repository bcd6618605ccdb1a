#!/usr/bin/env bash
# Installs, upgrades and purges what packaging/build.sh made, on a Debian of its own: see usage().
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: packaging/test.sh PACKAGES [BEFORE]

In a folder with Debian 12 and its PostgreSQL 15: installs the packages in folder BEFORE,
which packaging/build.sh made of an older release (--sources), creates the extension and
waits for signals; upgrades to those in PACKAGES, without losing any; sets up the service
as README.md says, and asks it for a signal; runs the RUN lines of the Dockerfile; purges
everything, and checks that nothing is left.

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

case ${1:-help} in help | -h | --help) usage && exit ;; esac
packages=$(realpath "$1") before=''
[[ -z ${2:-} ]] || before=$(realpath "$2")
((EUID == 0)) || die "this needs root"
# Whatever happens, no mount and no process outlives this one; its network is a loopback.
if [[ -z ${SIGNAL_HUB_UNSHARED:-} && -e ${SIGNAL_HUB_FOLDER:=/var/tmp/signal_hub-packages}/complete ]]; then
    export SIGNAL_HUB_UNSHARED=1 SIGNAL_HUB_FOLDER
    exec unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc -- "$0" "$@"
fi
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
folder=$SIGNAL_HUB_FOLDER
root=$folder/bookworm
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
    command -v debootstrap >/dev/null || die "debootstrap is missing"
    say "making $root, see $folder/log"
    rm -rf --one-file-system "$root"
    mkdir -p "$folder"
    debootstrap --variant=minbase --include=ca-certificates,adduser,curl bookworm "$root" >"$folder/log"
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    # No server starts by itself.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    inside sh -c 'apt-get -q update && apt-get -qy install --no-install-recommends postgresql-15' >>"$folder/log" 2>&1
    touch "$folder/complete"
}

if [[ ! -e $folder/complete ]]; then
    make_root
    export SIGNAL_HUB_FOLDER
    exec "$0" "$@"
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

restart() { inside pg_ctlcluster 15 main restart; }

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
ip link set lo up
: >"$folder/log"
inside sh -c 'dpkg --purge signal-hub-live postgresql-15-signal-hub; pg_dropcluster --stop 15 main' >>"$folder/log" 2>&1 || true
rm -rf "$root"/usr/local/bin/* "$root"/tmp/*
inventory >"$folder/inventory"
inside pg_createcluster 15 main >>"$folder/log"

install -m 755 "$simulator" "$root/tmp/market_simulator"
inside /tmp/market_simulator --port 9000 >>"$folder/log" 2>&1 &

if [[ -n $before ]]; then install_packages "$before"/postgresql-15-*.deb; else install_packages "$packages"/postgresql-15-*.deb; fi
inside pg_ctlcluster 15 main start
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
    install_packages "$packages"/postgresql-15-*.deb
    restart
    eventually "the new library waits for its SQL objects" is_true "state = 'version_mismatch' FROM signal_health"
    sql -c "ALTER EXTENSION signal_hub UPDATE"
    eventually "runs of $(sql -c "SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'")" \
        is_true "healthy AND last_success > started_at FROM signal_health"
    is_true "count(*) >= $signals FROM user_signals" || die "signals were lost"
fi

say "the lines of README.md"
# Here is no systemd: what would start something is started by hand, as the unit has it.
cat >"$root/usr/local/bin/systemctl" <<'EOF'
#!/bin/sh
unit=/lib/systemd/system/signal-hub-live.service
case "$*" in
    'restart postgresql') pg_ctlcluster 15 main restart ;;
    'enable --now signal-hub-live')
        runuser -u "$(sed -n 's/^User=//p' $unit)" -- $(sed -n 's/^ExecStart=//p' $unit) </dev/null >/tmp/live.log 2>&1 & ;;
    *) exit 2 ;;
esac
EOF
chmod +x "$root/usr/local/bin/systemctl"
cp "$packages"/postgresql-15-*.deb "$packages"/signal-hub-live_*.deb "$root/tmp/packages/"
# shellcheck disable=SC2016 # these are sed's
lines=$(sed -n '/^apt-get install/,/^```/{/^```/d;p}' "$repo/README.md")
[[ $(wc -l <<<"$lines") == 5 ]] || die "README.md has no five lines"
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

say "the RUN lines of the Dockerfile"
mkdir -p "$root/docker-entrypoint-initdb.d"
sed -n '/^RUN /,/[^\\]$/p' "$repo/packaging/image/Dockerfile" | sed -e ':a' -e '/\\$/N; s/\\\n//; ta' -e 's/^RUN //' |
    while read -r line; do
        # The lists of packages are there; without a network they cannot be read again.
        cp "$packages"/*.deb "$root/tmp/"
        rm -f "$root"/tmp/*pg1[678]* "$root"/tmp/postgresql-1[678]-*
        line=${line//apt-get update/true}
        printf '%s\n' "$line"
        inside PG_MAJOR=15 sh -ec "$line" >>"$folder/log" 2>&1 || die "failed: $line, see $folder/log"
    done
rmdir "$root/docker-entrypoint-initdb.d"
[[ ! -e $root/etc/signal-hub/secret ]] || die "each container would have the same key of tokens"
rm -f "$root"/tmp/*.deb

inside pg_dropcluster --stop 15 main
inside dpkg --purge signal-hub-live postgresql-15-signal-hub >>"$folder/log" 2>&1
inventory | diff "$folder/inventory" - || die "the purge left this"
say "nothing is left after the purge"
