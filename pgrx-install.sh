#!/usr/bin/env bash
# Builds and installs signal_hub, shows it at work, tests it: see usage(). What the
# commands do is in scripts/, one file each.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: ./pgrx-install.sh [COMMAND] [OPTIONS]

  install   build signal_hub and install it into PostgreSQL (the default), and
            the service signal_hub_live into /usr/local/bin, or $PREFIX/bin
              --without-live  only the extension
  demo      install, then show it at work on a private server that ends by itself
              --keep       leave the server up and say how to stop it
              --seconds N  watch for N seconds after the first signal (default 20)
  test      install, then run every check and test
              --list       say which checks there are
              --quick      only those that need no server: two minutes
              CHECK...     only these; what follows a -- goes to the test program
  help      print this text

One test of each kind:
  ./pgrx-install.sh test unit -- episode::
  ./pgrx-install.sh test stories -- updates::
  ./pgrx-install.sh test faults -- clock::
  ./pgrx-install.sh test realtime -- slots::
  ./pgrx-install.sh test live -- killed::
  ./pgrx-install.sh test browser -- --unit
  ./pgrx-install.sh test fuzzing -- 600

PG_CONFIG names the pg_config of the PostgreSQL to install into (15 to 18).
Without it: the one in PATH, else the newest in /usr/lib/postgresql. What is
missing is installed with apt-get on Debian and its relatives; that and copying
into system folders needs root or sudo.
USAGE
}

bad_usage() {
    printf 'pgrx-install.sh: %s\n' "$1" >&2
    usage >&2
    exit 2
}

[[ -z ${PG_CONFIG:-} || $PG_CONFIG != */* ]] || PG_CONFIG=$(realpath -s "$PG_CONFIG")
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-$repo/target}")
export CARGO_TARGET_DIR
cd "$repo"

# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=scripts/requirements.sh
source scripts/requirements.sh
# shellcheck source=scripts/install.sh
source scripts/install.sh
# shellcheck source=scripts/demo.sh
source scripts/demo.sh
# shellcheck source=scripts/test.sh
source scripts/test.sh
choose_users

command=${1:-install}
(($# == 0)) || shift
case $command in
    install)
        with_live=yes
        if [[ ${1:-} == --without-live ]]; then with_live='' && shift; fi
        (($# == 0)) || bad_usage "unknown option: $1"
        install_extension
        next_steps
        ;;
    demo) demo "$@" ;;
    test) run_tests "$@" ;;
    help | -h | --help) usage ;;
    *) bad_usage "unknown command: $command" ;;
esac
