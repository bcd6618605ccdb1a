# shellcheck shell=bash
# Checks and tests. Part of pgrx-install.sh.

# In the order in which they run: name, and what is checked. check_NAME runs it.
CHECKS=(
    "formatting   cargo fmt"
    "lints        cargo clippy, warnings are errors"
    "unit         unit tests of the extension and of the crates beside it"
    "house        length of files, rooms without circles, the walk from reply to row"
    "fuzzing      a minute of fuzzing the parser of the exchange's reply"
    "stories      what users and operators see, on real servers"
    "faults       crashes, full disks, wrong clocks, silent networks, upgrades"
    "realtime     clients that follow user_signals"
    "citus        the same on several servers, where the PostgreSQL has Citus"
    "live         the live service"
    "browser      the live page in a browser"
    "pgspot       names in the install script that could be others' objects"
    "shellcheck   the shell scripts"
    "licenses     licenses, bans and sources of dependencies"
    "site         the documents as a site"
)
# These need no server, and nothing that is installed.
QUICK=(formatting lints unit house)
# The tests of the crates that have some beside their sources.
mapfile -t CRATE_TESTS < <(printf '%s\n' crates/*/tests/* | sed -E 's|.*/|--test=|; s|\.rs$||')

check_formatting() { run_cargo fmt --all --check; }

# in_workspace COMMAND [ARGUMENT...]: whatever is built of it, cargo is always told of the whole
# workspace. By what it is told of it chooses the features of each crate; these are then the same
# every time, and nothing is built twice.
in_workspace() { run_cargo "$1" --workspace --locked "${features[@]}" "${@:2}"; }

check_lints() { in_workspace clippy --all-targets -- -D warnings; }

# The libraries of all packages, and the tests of the crates; a new crate is in here by itself.
check_unit() { test_targets unit --lib "${CRATE_TESTS[@]}" -- "$@"; }

check_house() { in_workspace test --test house -- "$@"; }

check_fuzzing() {
    as_builder sh -c 'command -v c++' >/dev/null || cannot "no C++ compiler (Debian: g++)"
    as_builder fuzz/run "${1:-60}"
}

# Most of a story is waiting for a run or a delivery, so twice as many run at a time as there are
# processors.
check_stories() {
    local -x RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
    test_on_servers stories "$@"
}

check_faults() {
    # Root alone can give one server a name server or a disk of its own.
    if [[ $builder != root ]]; then
        report_skipped "faults of name resolution and of disks: they need root"
        set -- --skip names:: --skip disk:: "$@"
    fi
    test_on_servers faults "$@"
}

check_realtime() {
    local follower
    for follower in psycopg2 wal2json node_pg_logical_replication; do
        if ! has_program "$follower"; then
            report_skipped "realtime with $follower: it is not installed"
            set -- --skip "$follower" "$@"
        fi
    done
    test_on_servers realtime "$@"
}

check_citus() {
    [[ -e $("$pg_config" --pkglibdir)/citus.so ]] || cannot "this PostgreSQL has no Citus"
    test_on_servers citus "$@"
}

# The examples are programs that the tests start; cargo builds them as tests otherwise.
test_on_servers() {
    in_workspace build --examples
    test_targets "$1" --test "$1" -- "${@:2}"
}

check_live() { test_targets live --test service --test bundle -- "$@"; }

# test_targets NAME OPTION... -- [ARGUMENT...]: what cargo builds by these options, and runs.
test_targets() {
    local output="$results/output of $1's tests" targets=() missed
    while [[ $2 != -- ]]; do targets+=("$2") && set -- "$1" "${@:3}"; done
    ! in_workspace test --no-fail-fast "${targets[@]}" -- "${@:3}" 2>&1 | tee "$output" || return 0
    # A program that did not come to its end has tests that did not run.
    (($(grep -c '^running [0-9]* tests\?$' "$output") == $(grep -c '^test result: ' "$output"))) || return 1
    mapfile -t missed < <(sed -nE 's/^test (\S+) \.\.\. FAILED$/\1/p' "$output")
    are_few "${missed[@]}" || return 1
    in_workspace test "${targets[@]}" -- --exact --test-threads=1 "${missed[@]}" || return 1
    report_again "$1" "${missed[@]}"
}

check_browser() {
    local output="$results/output of the page" missed files
    has_program firefox-esr || report_skipped "the live page in Firefox: it is not installed"
    # With the examples, for which cargo chooses features as for the tests.
    in_workspace build --bin signal_hub_live --bin market_simulator --examples
    ! test_page "$@" 2>&1 | tee "$output" || return 0
    mapfile -t missed < <(sed -nE 's/^test at (.*)$/\1/p' "$output")
    are_few "${missed[@]}" || return 1
    mapfile -t files < <(printf './%s\n' "${missed[@]%%:*}" | sort -u)
    # Those of the page's modules wait for nothing.
    [[ "${files[*]}" != */unit/* ]] || return 1
    test_page "${files[@]}" || return 1
    report_again browser "${missed[@]}"
}

test_page() { as_builder env PG_CONFIG="$pg_config" PROGRAMS="$CARGO_TARGET_DIR/debug" live/tests/browser/run "$@"; }

# Of hundreds of tests at a time on a busy machine one can miss a deadline without a mistake in what
# it tests. Up to three that failed are run once more, alone, and the report names them. Where tests
# were chosen, a failure is one.
are_few() { ((${#arguments[@]} == 0 && $# >= 1 && $# <= 3)) && say "" "== again, alone: $*"; }

check_pgspot() {
    command -v pgspot >/dev/null || cannot "pgspot is not installed (pip install pgspot)"
    local version made=$CARGO_TARGET_DIR/pgspot rewritten
    version=$(sed -nE "s/^default_version = '(.*)'/\1/p" signal_hub.control)
    run_cargo run --quiet --locked -p install_scripts -- sql "$version" "$made" || return
    # It reads neither a body that begins with BEGIN ATOMIC nor all of PL/pgSQL, for which story
    # every_name has plpgsql_check.
    # shellcheck disable=SC2016 # these are Perl's
    rewritten=$(perl -0pe 's/BEGIN ATOMIC\n(.*?)\n    END;/AS \$atomic\$\n$1\n    \$atomic\$;/sg; s/\@extschema\@/hub/g' \
        "$made/signal_hub--$version.sql")
    pgspot --no-plpgsql <<<"$rewritten"
}

check_shellcheck() {
    command -v shellcheck >/dev/null || cannot "shellcheck is not installed"
    # Those in scripts/ are parts of the first.
    shellcheck -xa pgrx-install.sh scripts/site.sh .ci/run fuzz/run live/tests/browser/run tests/*.sh \
        packaging/build.sh packaging/test.sh packaging/image/init.sh packaging/debian/*.post*
}

check_licenses() {
    as_builder cargo deny --version >/dev/null 2>&1 || cannot "cargo-deny is not installed"
    run_cargo deny --workspace --locked check licenses bans sources
}

check_site() {
    as_builder mdbook --version >/dev/null 2>&1 || cannot "mdbook is not installed: scripts/site.sh --install"
    as_builder scripts/site.sh
}

# ---- running them ----------------------------------------------------------

# Ends a check that cannot be run here.
cannot() {
    say "$1"
    exit 77
}

# Checks run in processes of their own, so this is kept in a file.
report_skipped() { printf 'skipped         %s\n' "$1" >>"$remarks"; }

report_again() { printf 'again           %s: %s failed, then passed alone\n' "$1" "${*:2}" >>"$remarks"; }

# Runs a check; its result is kept and the others still run. A check that exits with 77 cannot
# be run here.
check() {
    local name=$1 began=$SECONDS result=ok code=0
    say "" "== $name"
    ("check_$name" "${@:2}") || code=$?
    case $code in
        0) ;;
        77) result=skipped ;;
        *) result=FAILED ;;
    esac
    printf '%-7s %4d s  %s\n' "$result" $((SECONDS - began)) "$name" >"$results/$name"
    say "== $result after $((SECONDS - began)) s"
}

# Starts a check beside those that follow, as a job of its own that ends with this script. What it
# says is shown by finish_beside.
start_beside() {
    set -m
    check "$1" >"$results/output of $1" 2>&1 &
    beside=$!
    set +m
    # shellcheck disable=SC2064 # the process of now
    trap "kill -- -$beside 2>/dev/null || true" EXIT
}

finish_beside() {
    wait "$beside" || true
    trap - EXIT
    cat "$results/output of $1"
}

run_tests() {
    local results failed='' beside='' remarks chosen=() arguments=() name component
    while (($#)); do
        case $1 in
            --list)
                say "${CHECKS[@]}"
                return
                ;;
            --quick) chosen+=("${QUICK[@]}") ;;
            --)
                shift
                arguments=("$@")
                break
                ;;
            -*) bad_usage "unknown option: $1" ;;
            *) is_check "$1" || bad_usage "no such check: $1, see ./pgrx-install.sh test --list"; chosen+=("$1") ;;
        esac
        shift
    done
    ((${#arguments[@]} == 0 || ${#chosen[@]} == 1)) || bad_usage "arguments after -- need one check to go to"
    ((${#chosen[@]} > 0)) || mapfile -t chosen < <(printf '%s\n' "${CHECKS[@]%% *}")

    ensure_rust
    for component in fmt clippy; do
        as_builder cargo "$component" --version >/dev/null ||
            die "cargo $component is missing" "with rustup: rustup component add rustfmt clippy"
    done
    if needs_installation "${chosen[@]}"; then
        install_extension
        ensure_programs "${chosen[@]}"
    else
        ensure_requirements
    fi
    results=$(mktemp -d)
    remarks="$results/remarks"
    touch "$remarks"
    for name in "${chosen[@]}"; do
        # Most of a fault is waiting, too. All of them take longer than any other check.
        [[ $name != stories || " ${chosen[*]} " != *" faults "* ]] || start_beside faults
        [[ $name != faults || -z $beside ]] || continue
        check "$name" "${arguments[@]}"
    done
    [[ -z $beside ]] || finish_beside faults
    say ""
    for name in "${chosen[@]}"; do cat "$results/$name"; done
    cat "$remarks"
    ! grep -qs '^FAILED' "${chosen[@]/#/$results/}" || failed=1
    rm -rf "$results"
    [[ -z $failed ]] || die "some checks failed"
}

is_check() {
    local line
    for line in "${CHECKS[@]}"; do
        [[ ${line%% *} != "$1" ]] || return 0
    done
    return 1
}

needs_installation() { [[ " $* " =~ \ (stories|faults|realtime|citus|live|browser)\  ]]; }

# Programs of other packages: those that the realtime suite lets follow user_signals,
# and the browser of the live page.
has_program() {
    case $1 in
        psycopg2) /usr/bin/python3 -c 'import psycopg2' ;;
        wal2json) [[ -f $("$pg_config" --pkglibdir)/wal2json.so ]] ;;
        node_pg_logical_replication) [[ -d tests/realtime/consumers/node/node_modules/pg-logical-replication ]] ;;
        node) command -v node && command -v npm ;;
        chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
        firefox-esr) command -v firefox-esr || command -v firefox ;;
    esac >/dev/null 2>&1
}

# ensure_programs CHECK...: installs the programs of these checks. What cannot be had is
# skipped, and the report says so.
ensure_programs() {
    local package packages=()
    if [[ " $* " == *" realtime "* ]]; then
        has_program psycopg2 || packages+=(python3-psycopg2)
        has_program wal2json || packages+=("postgresql-$major-wal2json")
    fi
    if [[ " $* " =~ \ (realtime|browser)\  ]]; then
        has_program node || packages+=(nodejs npm)
    fi
    if [[ " $* " == *" browser "* ]]; then
        has_program chromium || packages+=(chromium)
        has_program firefox-esr || packages+=(firefox-esr)
    fi
    if ((${#packages[@]} > 0)) && command -v apt-get >/dev/null && { ((EUID == 0)) || command -v sudo >/dev/null; }; then
        (timed "reading the lists of packages" apt update) || true
        # One by one: a package that is not on offer must not keep the others away.
        for package in "${packages[@]}"; do
            (timed "installing $package" apt install -y --no-install-recommends "$package") || true
        done
    fi
    if [[ " $* " == *" realtime "* ]] && command -v npm >/dev/null; then
        as_builder npm ci --prefix tests/realtime/consumers/node --no-audit --no-fund --loglevel=error || true
    fi
}
