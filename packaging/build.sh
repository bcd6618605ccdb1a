#!/usr/bin/env bash
# Makes what users install: see usage().
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: packaging/build.sh [OPTION...] MAJOR...

Builds signal_hub for each PostgreSQL MAJOR (15 to 18) and the service, and leaves in
target/packages:
  postgresql-MAJOR-signal-hub_VERSION_ARCH.deb     the extension, one for each MAJOR
  signal-hub-live_VERSION_ARCH.deb                 the service, with its systemd unit
  signal_hub-VERSION-pgMAJOR-MACHINE.tar.gz        the extension for systems without dpkg
  signal_hub_live-VERSION-MACHINE.tar.gz           the service for them
  SHA256SUMS                                       of all of these
The extension's files are where the servers of Debian and of apt.postgresql.org look for them.

  --sources FOLDER   another state of the sources, such as a release before
  --output FOLDER    instead of target/packages
  --no-service       only the extension
  --try              the service as cargo builds it for tests: to try the packages, not to use them

It needs debhelper, and for each MAJOR the server's headers, as pgrx-install.sh does:
/usr/lib/postgresql/MAJOR, or what PG_CONFIG names.
USAGE
}

die() {
    printf 'packaging/build.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

packaging=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=packaging/stage.sh
source "$packaging/stage.sh"
# shellcheck source=packaging/deb.sh
source "$packaging/deb.sh"

sources=$(dirname "$packaging") output='' service=yes profile=release built=release majors=()
while (($# > 0)); do
    case $1 in
        -h | --help) usage && exit ;;
        --sources) sources=$(realpath "$2") && shift ;;
        --output) output=$(realpath -m "$2") && shift ;;
        --no-service) service='' ;;
        --try) profile=dev built=debug ;;
        15 | 16 | 17 | 18) majors+=("$1") ;;
        *) usage >&2 && die "unknown: $1" 2 ;;
    esac
    shift
done
((${#majors[@]} > 0)) || { usage >&2 && die "which PostgreSQL?" 2; }
command -v dh >/dev/null || die "debhelper is missing: apt-get install debhelper"

output=${output:-$sources/target/packages}
build=$(realpath -m "${CARGO_TARGET_DIR:-$sources/target}")
version=$(sed -nE "s/^default_version = '(.*)'/\1/p" "$sources/signal_hub.control")
machine=$(uname -m)
stage=$output/stage
rm -rf "$stage"
mkdir -p "$stage"

for major in "${majors[@]}"; do
    stage_extension "$sources" "$major" "$stage/$major"
    tar -C "$stage/$major" --owner=0 --group=0 -czf "$output/signal_hub-$version-pg$major-$machine.tar.gz" usr
done
if [[ -n $service ]]; then
    stage_service "$sources" "$stage/live"
    tar -C "$stage/live" --owner=0 --group=0 -czf "$output/signal_hub_live-$version-$machine.tar.gz" usr etc
fi
make_debs
rm -rf "$stage"
(cd "$output" && sha256sum -- *.deb *.tar.gz >SHA256SUMS)
ls -l "$output"
