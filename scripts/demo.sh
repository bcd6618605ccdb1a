# shellcheck shell=bash
# Shows signal_hub at work on a private server. Part of pgrx-install.sh, which
# gives it bindir, builder, server_user and the functions that run things as them.

query() { "$bindir/psql" "$url" -XAtq -v ON_ERROR_STOP=1 -c "$1"; }
show() { "$bindir/psql" "$url" -Xq -P pager=off -P footer=off -v ON_ERROR_STOP=1 "$@"; }
change_setting() { show -t -c "ALTER SYSTEM SET signal_hub.$1 = '$2'" -c 'SELECT pg_reload_conf()' >/dev/null; }

# The commands that end a demo, for a person to type.
stop_line() {
    local as=''
    [[ $server_user == "$builder" ]] || as="runuser -u $server_user -- "
    printf '%s' "$as$bindir/pg_ctl stop -D $folder/data"
    [[ ! -e $folder/simulator.pid ]] || printf '%s' "; kill $(<"$folder/simulator.pid")"
    [[ ! -e $folder/live.pid ]] || printf '%s' "; kill $(<"$folder/live.pid")"
    printf '%s\n' "; rm -rf $folder"
}

end_demo() {
    [[ ! -e $folder/live.pid ]] || kill "$(<"$folder/live.pid")" 2>/dev/null || true
    [[ ! -e $folder/simulator.pid ]] || kill "$(<"$folder/simulator.pid")" 2>/dev/null || true
    as_server_user "$bindir/pg_ctl" stop -D "$folder/data" -m fast -s 2>/dev/null || true
    rm -rf "$folder"
}

# A folder that the server's user owns and can reach, under target/ if possible.
make_demo_folder() {
    folder=$CARGO_TARGET_DIR/demo
    ! as_server_user "$bindir/pg_ctl" status -D "$folder/data" >/dev/null 2>&1 ||
        die "a demo is up already; stop it first:" "$(stop_line)"
    rm -rf "$folder"
    as_builder mkdir "$folder"
    [[ $server_user == "$builder" ]] || chown "$server_user" "$folder"
    if ! as_server_user test -w "$folder"; then
        rmdir "$folder"
        folder=$(as_server_user mktemp -d "${TMPDIR:-/tmp}/signal_hub_demo.XXXXXX")
        say "user $server_user cannot enter $CARGO_TARGET_DIR; the demo lives in $folder"
    fi
    as_server_user chmod 700 "$folder"
}

# Sets url. Over TCP with a password: a socket in a deep folder has too long a
# name, and without a password any user of this machine could come in.
start_server() {
    local password port
    password=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
    until port=$((20000 + RANDOM % 12000)) && ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    as_server_user tee "$folder/password" <<<"$password" >/dev/null
    as_server_user "$bindir/initdb" -D "$folder/data" -U postgres -A scram-sha-256 --pwfile="$folder/password" \
        -E UTF8 --locale=C --no-sync >/dev/null
    # Off until the exchange is chosen: the worker must not record anything yet.
    as_server_user tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
wal_level = logical
shared_preload_libraries = 'signal_hub'
signal_hub.interval = '2s'
signal_hub.http_timeout = '5s'
signal_hub.enabled = off
CONF
    as_server_user "$bindir/pg_ctl" start -D "$folder/data" -w -s -l "$folder/log"
    url=postgresql://postgres:$password@127.0.0.1:$port/postgres
}

choose_exchange() {
    local answer
    if answer=$(query "SELECT count(*) FROM (SELECT FROM preview_signals() GROUP BY symbol HAVING bool_and(passed)) AS ready" 2>&1); then
        say "Exchange: the real one, $(query 'SHOW signal_hub.exchange_url')"
        if [[ $answer == 0 ]]; then
            say "The market is calm: in this demo a change of 0.1 % in 24 hours is enough for a signal."
            query 'UPDATE signal_rules SET enter_change_percent = 0.1, exit_change_percent = 0.05, min_quality = 0'
        fi
    else
        say "The real exchange does not answer:" "  ${answer//$'\n'/$'\n'  }"
        timed "building the market simulator (half a minute the first time)" \
            run_cargo build --locked -p signal_hub_simulator
        start_simulator
        say "Exchange: the project's market simulator, $address"
        say "It is livelier than a market: in this demo a symbol that changes side is signalled at once."
        query 'UPDATE signal_rules SET cooldown_flips = false'
    fi
}

# Sets address. The simulator has its own session, so that --keep outlives this terminal.
start_simulator() {
    local deadline=$((SECONDS + 10))
    # shellcheck disable=SC2016 # expands in that shell
    as_builder setsid --fork sh -c 'echo $$ >"$1/simulator.pid"; exec "$2" >"$1/simulator.log" 2>&1' - \
        "$folder" "$CARGO_TARGET_DIR/debug/market_simulator" </dev/null
    until address=$(sed -n 's/^market simulator listening on //p' "$folder/simulator.log" 2>/dev/null) && [[ -n $address ]]; do
        ((SECONDS < deadline)) || die "the market simulator did not start:" "$(cat "$folder/simulator.log")"
        sleep 0.1
    done
    change_setting exchange_url "$address"
}

# Starts the live page for subscriber $1, sets live_address and prints it. The token is in
# the fragment, which browsers keep to themselves.
start_live() {
    local deadline port=8080 live=$CARGO_TARGET_DIR/debug/signal_hub_live page token password server=${url#*@}
    timed "building the live page (a minute the first time)" run_cargo build --locked -p signal_hub_live
    query 'CREATE ROLE authenticated'
    query "SELECT grant_realtime_access('authenticated', NULL, NULL), enable_realtime()" >/dev/null
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    # The service's login, and one for what it does for subscribers, with fewer rights.
    query "CREATE ROLE signal_hub_live LOGIN REPLICATION PASSWORD '$password'; GRANT authenticated, pg_monitor TO signal_hub_live;
           CREATE ROLE signal_hub_subscribers LOGIN NOINHERIT PASSWORD '$password'; GRANT authenticated TO signal_hub_subscribers"
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' | as_builder tee "$folder/secret" >/dev/null
    ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || port=0
    # shellcheck disable=SC2016 # expands in that shell
    DATABASE_URL=postgresql://signal_hub_live:$password@$server \
        SIGNAL_HUB_LIVE_SUBSCRIBER_DATABASE_URL=postgresql://signal_hub_subscribers:$password@$server as_builder setsid --fork sh -c \
        'echo $$ >"$1/live.pid"; exec "$2" serve --listen "127.0.0.1:$3" --jwt-secret-file "$1/secret" --create-slot >"$1/live.log" 2>&1' - \
        "$folder" "$live" "$port" </dev/null
    deadline=$((SECONDS + 10))
    until page=$(sed -n 's/^signal_hub_live: listening on //p' "$folder/live.log" 2>/dev/null) && [[ -n $page ]]; do
        ((SECONDS < deadline)) || die "the live page did not start:" "$(cat "$folder/live.log")"
        sleep 0.1
    done
    token=$(as_builder "$live" token --sub "$1" --jwt-secret-file "$folder/secret")
    live_address=$page/#token=$token
    say "" "The live page of subscriber $1, signed in by the token for 12 hours:" "  $live_address" ""
}

# Prints each run that ended, with the rows it delivered, until $1 seconds
# after the first row; false when none came within a minute.
watch_signals() {
    local seconds=$1 seen=0 end=$((SECONDS + 60)) first='' run row line
    while ((SECONDS < end)); do
        while IFS='|' read -r run row line; do
            seen=$run
            say "$line"
            [[ $row == 0 || -n $first ]] || { first=1; end=$((SECONDS + seconds)); }
        done < <(query "
            WITH ended AS (SELECT * FROM signal_runs WHERE run_id > $seen AND finished_at IS NOT NULL)
            SELECT run_id, 0, format('%s  run %s %s: symbols %s, signals %s, deliveries %s, %s ms%s',
                       to_char(started_at, 'HH24:MI:SS'), run_id, status, symbols_evaluated, signals_generated, deliveries,
                       round(extract(epoch FROM finished_at - started_at) * 1000), '  ' || error)
              FROM ended
            UNION ALL
            SELECT run_id, signal_id, format('            %s %s  %s %s  entry %s  stop %s  targets %s  confidence %s', u.tier, u.status,
                       d.symbol, d.signal_type, d.entry_price, d.stop_loss, array_to_string(d.take_profit, ' '), round(d.confidence, 1))
              FROM ended JOIN signals USING (run_id) JOIN user_signals d USING (signal_id) JOIN user_subscriptions u USING (user_id)
             ORDER BY 1, 2")
        sleep 0.5
    done
    [[ -n $first ]]
}

demo() {
    local keep='' seconds=20 wrong
    while (($#)); do
        case $1 in
            --keep) keep=1 ;;
            --seconds) [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || bad_usage "--seconds wants a number of seconds"; seconds=$2; shift ;;
            *) bad_usage "unknown option: $1" ;;
        esac
        shift
    done
    install_extension
    [[ $server_user == "$builder" ]] || id "$server_user" >/dev/null 2>&1 || die "a server cannot run as root and there is no user $server_user" "useradd --system $server_user"
    # Settings of the caller's own sessions are not the demo's.
    unset "${!PG@}"
    make_demo_folder
    trap end_demo EXIT
    trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
    timed "starting a private server in $folder" start_server

    say "" "CREATE EXTENSION signal_hub, and four subscribers:"
    query 'CREATE EXTENSION signal_hub'
    show -c "INSERT INTO user_subscriptions (user_id, tier, status) VALUES
                 ('00000000-0000-4000-8000-000000000001', 'MAX',  'active'),
                 ('00000000-0000-4000-8000-000000000002', 'MAX',  'canceled'),
                 ('00000000-0000-4000-8000-000000000003', 'PRO',  'active'),
                 ('00000000-0000-4000-8000-000000000004', 'FREE', 'active')
             RETURNING user_id, tier, status"
    choose_exchange
    start_live 00000000-0000-4000-8000-000000000001
    say "Look around meanwhile: $bindir/psql $url" "" "Runs, and the rows they deliver:"
    change_setting enabled on
    if ! watch_signals "$seconds"; then
        show -x -c 'TABLE signal_health' || true
        tail -n 30 "$folder/log" >&2
        die "no signal was delivered within a minute; above are signal_health and the end of the server's log"
    fi
    say "" "signal_health:"
    show -x -c 'TABLE signal_health'
    say "Received, by subscriber:"
    show -c "SELECT u.user_id, u.tier, u.status, t.enabled AS tier_enabled, count(d.signal_id) AS received
               FROM user_subscriptions u JOIN signal_tiers t USING (tier) LEFT JOIN user_signals d USING (user_id)
              GROUP BY u.user_id, t.enabled ORDER BY u.user_id"
    wrong=$(query "SELECT count(*) FROM user_signals JOIN user_subscriptions u USING (user_id) WHERE (u.tier, u.status) <> ('MAX', 'active')")
    [[ $wrong == 0 ]] || die "$wrong rows went to subscribers who are not entitled"
    say "Only the active MAX subscriber received: the tiers PRO and FREE are off until an UPDATE of signal_tiers."
    if [[ -n $keep ]]; then
        trap - EXIT
        say "" "The server stays up: $bindir/psql $url" "The live page, too:  $live_address" "Stop both:  $(stop_line)"
    fi
}
