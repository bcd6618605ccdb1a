# shellcheck shell=bash
# Messages, and as whom things run. Part of pgrx-install.sh.

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

# Sets builder and server_user. Under sudo the caller's toolchain builds, so that no
# file of theirs ends up owned by root. A server never runs as root: then it runs as
# postgres.
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

run_cargo() { as_builder env PGRX_PG_CONFIG_PATH="$pg_config" PG_CONFIG="$pg_config" cargo "$@"; }
