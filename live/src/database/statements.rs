//! Every statement of the service, in one list that tests walk.
//!
//! All names are qualified and all parameters have a type, so that no object that another role
//! created can take the place of the one that is meant. Operators cannot be written so without
//! becoming unreadable; for them, the `search_path` of the sessions holds (see `connections`).

use crate::database::publication::{fingerprint, outcomes_published};
use crate::database::{nodes, operators, preferences, prices, push, track_record, watchers};
use crate::signal::{Column, Columns, MARK, OutcomeColumn};
use postgres_protocol::escape::escape_identifier;

/// An enum, a list of all its members, and the text of each.
macro_rules! statements {
    (|$schema:ident| $($(#[$about:meta])* $name:ident => $text:expr,)*) => {
        /// A statement of the service.
        #[derive(Clone, Copy, Debug)]
        pub enum Statement {
            $($(#[$about])* $name,)*
        }

        impl Statement {
            /// Every statement of the service.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its text. The schema is that of the extension; statements that are needed before
            /// it is known do not use it.
            pub fn text(self, $schema: &str) -> String {
                match self {
                    $(Self::$name => String::from($text),)*
                }
            }
        }
    };
}

statements! { |schema|
    /// Makes the transaction that of a subscriber: claims, role.
    BecomeSubscriber =>
        "SELECT pg_catalog.set_config('request.jwt.claims', $1::pg_catalog.text, true),
                pg_catalog.set_config('role', $2::pg_catalog.text, true)",

    /// A page of a subscriber's rows after a resume point, at most as many as a limit.
    SignalsSince => format!(
        "SELECT p.watermark::pg_catalog.text AS watermark, p.more::boolean AS more, {columns}
           FROM {schema}.signals_since($1::pg_catalog.text, $2::integer) p
           LEFT JOIN LATERAL pg_catalog.unnest(p.signals) s ON true",
        columns = texts("s.", Column::ALL),
        schema = escape_identifier(schema),
    ),

    /// A subscriber's rows below a signal, the newest first, at most as many as a limit.
    SignalsBefore => format!(
        "SELECT {columns} FROM {schema}.user_signals s
          WHERE s.signal_id < $1::bigint ORDER BY s.signal_id DESC LIMIT $2::bigint",
        columns = texts("s.", Column::ALL),
        schema = escape_identifier(schema),
    ),

    /// The outcomes of signals, of those that the subscriber received.
    OutcomesOf => format!(
        "SELECT {columns} FROM {schema}.user_signal_outcomes WHERE received AND signal_id = ANY ($1::bigint[])",
        columns = texts("", OutcomeColumn::ALL),
        schema = escape_identifier(schema),
    ),

    /// Marks a signal of a subscriber. Writes nothing where nothing changes: each write is sent
    /// to all clients of the subscriber.
    Mark => format!(
        "WITH marked AS (
             UPDATE {schema}.user_signals
                SET viewed = coalesce($2::boolean, viewed), clicked = coalesce($3::boolean, clicked)
              WHERE signal_id = $1::bigint AND (viewed <> $2::boolean OR clicked <> $3::boolean)
          RETURNING {names})
         SELECT {marks} FROM marked",
        names = MARK.map(|column| column.name()).join(", "),
        marks = texts("", &MARK),
        schema = escape_identifier(schema),
    ),

    /// The marks of a signal of a subscriber.
    ReadMarks => format!(
        "SELECT {marks} FROM {schema}.user_signals WHERE signal_id = $1::bigint",
        marks = texts("", &MARK),
        schema = escape_identifier(schema),
    ),

    /// What the generator reports as far as subscribers may know it, and the database's clock. The
    /// message is for operators: it may name signals, subscribers and addresses.
    Health => format!(
        "SELECT state::pg_catalog.text AS state, healthy::boolean AS healthy,
                pg_catalog.jsonb_build_object(
                    'last_run', last_run, 'next_run', next_run,
                    'last_signal_at', (SELECT r.finished_at FROM {schema}.signal_runs r
                                        WHERE r.signals_generated > 0
                                        ORDER BY r.run_id DESC LIMIT 1))::pg_catalog.text AS times,
                extract(epoch FROM pg_catalog.clock_timestamp())::double precision AS clock
           FROM {schema}.signal_health",
        schema = escape_identifier(schema),
    ),

    /// What the generator reports to operators.
    Condition => format!(
        "SELECT state::pg_catalog.text AS state, healthy::boolean AS healthy,
                coalesce(message, '')::pg_catalog.text AS message
           FROM {schema}.signal_health",
        schema = escape_identifier(schema),
    ),

    /// Numbers for monitoring.
    Metrics => format!(
        "SELECT name::pg_catalog.text AS name, labels::pg_catalog.text AS labels,
                value::double precision AS value, help::pg_catalog.text AS help
           FROM {schema}.signal_metrics",
        schema = escape_identifier(schema),
    ),

    /// Whether signals reach a subscriber, and why not, as a JSON object; with their quiet hours, which begin
    /// and end before it is read again.
    SubscriberStatus => format!(
        "SELECT pg_catalog.jsonb_set_lax(pg_catalog.to_jsonb(s), '{{quiet_hours}}'::pg_catalog.text[],
                    (SELECT pg_catalog.jsonb_build_object('from', p.quiet_from, 'until', p.quiet_until,
                                                          'time_zone', p.time_zone)
                       FROM {schema}.user_preferences p WHERE p.quiet_from IS NOT NULL),
                    true, 'use_json_null')::pg_catalog.text AS status
           FROM {schema}.subscriber_status() s",
        schema = escape_identifier(schema),
    ),

    /// What a subscriber wants of the signals, as a JSON object.
    ReadPreferences => preferences::read(schema),

    /// Puts the members of a JSON object in the place of a subscriber's preferences.
    WritePreferences => preferences::write(schema),

    /// The latest price of every symbol that is watched, with its time as in ISO 8601.
    Prices => prices::latest(schema),

    /// The time of a signal of a subscriber, who has its prices.
    PricedSignal => prices::priced_signal(schema),

    /// The way of a price from half an hour before a time to another one: lists of the time in
    /// seconds since 1970, open, high, low and close.
    PricePath => prices::path(schema),

    /// What all signals came to.
    TrackRecord => track_record::statement(schema),

    /// Enters who is watching, takes out who is gone, or, when that is null, all others, and notes who
    /// looks at the page.
    KeepWatchers => watchers::keep_text(schema),

    /// Makes the transaction that of an operator: claims, time for what they ask, role.
    BecomeOperator =>
        "SELECT pg_catalog.set_config('request.jwt.claims', $1::pg_catalog.text, true),
                pg_catalog.set_config('statement_timeout', $2::pg_catalog.text, true),
                pg_catalog.set_config('role', $3::pg_catalog.text, true)",

    /// Whether the role was taken, and is one of an operator. That of a login is taken by 'none'; and
    /// nobody gets the rights of the login itself, nor those that no operator needs.
    IsOperator =>
        "SELECT current_user = $1::pg_catalog.text AND current_user <> session_user
                    AND NOT r.rolsuper AND NOT r.rolreplication
                    AND pg_catalog.pg_has_role(current_user, 'pg_monitor', 'MEMBER') AS is_operator
           FROM pg_catalog.pg_roles r WHERE r.rolname = current_user",

    /// Nothing more than that.
    OperatorNothing => "SELECT 'true'::pg_catalog.text AS answer",

    /// What operators see.
    OperatorLook => operators::look(schema),

    /// Why each symbol does not signal now: every gate.
    Preview => format!(
        "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(p)), '[]')::pg_catalog.text AS answer
           FROM {schema}.preview_signals() p",
        schema = escape_identifier(schema),
    ),

    /// Makes a run.
    Run => operators::answer(schema, "generate_signals_now()"),

    /// Pauses runs.
    Pause => operators::answer(schema, "pause_signals($1::pg_catalog.text)"),

    /// Ends a pause.
    Resume => operators::answer(schema, "resume_signals()"),

    /// Adds a browser of a subscriber, or gives it other keys.
    StorePush => push::store_text(schema),

    /// Takes a browser of a subscriber away.
    DropPush => push::drop_text(schema),

    /// Puts a browser's subscription in the place of its old one.
    MovePush => push::move_to_text(schema),

    /// Who has push subscriptions.
    PushSubscribers => format!(
        "SELECT u::pg_catalog.text AS user_id FROM {schema}.signal_hub_push_subscribers() u",
        schema = escape_identifier(schema),
    ),

    /// Which notifications are this service's to send.
    ClaimPush => push::claim_text(schema),

    /// Where subscribers are to be notified now.
    PushTargets => push::targets_text(schema),

    /// Records what became of messages.
    PushResults => push::results_text(schema),

    /// Whether a role may keep its push subscriptions, and this login may read all.
    PushRights => format!(
        "SELECT pg_catalog.has_any_column_privilege(r.oid, pg_catalog.to_regclass({table}), 'INSERT') AS may_keep,
                pg_catalog.has_function_privilege(pg_catalog.to_regprocedure({function}), 'EXECUTE')
                    AND pg_catalog.has_function_privilege(pg_catalog.to_regprocedure({claim}), 'EXECUTE') AS may_read
           FROM pg_catalog.pg_roles r WHERE r.rolname = $1::pg_catalog.text",
        claim = literal_in(
            schema,
            "signal_hub_claim_push(pg_catalog.uuid, pg_catalog.name, pg_catalog.uuid[], bigint[])"
        ),
        table = literal_in(schema, "user_push_subscriptions"),
        function = literal_in(schema, "signal_hub_push_targets(pg_catalog.uuid[])"),
    ),

    /// How far the log is, and whether the slot is read and the publication whole.
    LogReport => nodes::log_report(schema, "signal_hub_transactions()"),

    /// The same of a node.
    NodeLogReport => nodes::log_report(schema, "signal_hub_transactions_for(NULL)"),

    /// The nodes that have rows of subscribers.
    Nodes => nodes::list(schema),

    /// Takes the claims along to the nodes.
    ForwardClaims => format!("SELECT {}.forward_claims()", escape_identifier(schema)),

    /// Whether the server decodes, and this login may have it decode.
    Decoding =>
        "SELECT pg_catalog.current_setting('wal_level') AS wal_level,
                (SELECT r.rolsuper OR r.rolreplication FROM pg_catalog.pg_roles r
                  WHERE r.rolname = current_user) AS may_replicate,
                current_user::pg_catalog.text AS login",

    /// The schema of the extension, and whether it is new enough.
    Extension =>
        "SELECT n.nspname::pg_catalog.text AS schema,
                EXISTS (SELECT FROM pg_catalog.pg_proc p
                         WHERE p.pronamespace = n.oid AND p.proname = 'signal_track_record') AS is_recent
           FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
          WHERE e.extname = 'signal_hub'",

    /// Whether a publication has all of the table, or anything of it; and whether it has outcomes.
    Published => format!(
        "SELECT {fingerprint} IS NOT NULL AS is_whole, {outcomes} AS has_outcomes,
                EXISTS (SELECT FROM pg_catalog.pg_publication_tables t
                         WHERE t.pubname = $1::pg_catalog.text AND t.schemaname = $2::pg_catalog.text
                           AND t.tablename = 'user_signals') AS is_there",
        fingerprint = fingerprint(schema),
        outcomes = outcomes_published(schema),
    ),

    /// Whether a role exists, and this login may become it.
    Membership =>
        "SELECT pg_catalog.pg_has_role(r.oid,
                    CASE WHEN pg_catalog.current_setting('server_version_num')::integer < 160000
                         THEN 'MEMBER' ELSE 'SET' END) AS is_member, current_user::pg_catalog.text AS login
           FROM pg_catalog.pg_roles r WHERE r.rolname = $1::pg_catalog.text",

    /// Nothing. An error where a transaction was left half way.
    Nothing => "SELECT",

    /// Whether the settings of the session arrived.
    Settings =>
        "SELECT pg_catalog.current_setting('search_path') AS search_path",

    /// Which server and database this is.
    Identity =>
        "SELECT pg_catalog.pg_postmaster_start_time()::pg_catalog.text AS started,
                pg_catalog.current_database()::pg_catalog.text AS database",

    /// The rights of the login for subscribers beyond those of their role.
    SubscriberLogin =>
        "SELECT current_user::pg_catalog.text AS login,
                l.rolsuper OR l.rolreplication OR l.rolbypassrls OR l.rolcreaterole OR l.rolcreatedb
                    AS is_privileged,
                EXISTS (SELECT FROM pg_catalog.pg_shdepend d
                         WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                           AND d.refobjid = l.oid AND d.deptype = 'o') AS is_owner,
                (SELECT m.rolname::pg_catalog.text FROM pg_catalog.pg_roles m
                  WHERE m.oid <> l.oid AND pg_catalog.pg_has_role(l.oid, m.oid, 'MEMBER')
                    AND NOT pg_catalog.pg_has_role(s.oid, m.oid, 'MEMBER')
                  ORDER BY m.rolname LIMIT 1) AS other_role
           FROM pg_catalog.pg_roles l, pg_catalog.pg_roles s
          WHERE l.rolname = current_user AND s.rolname = $1::pg_catalog.text",

    /// Whether row-level security binds a role, and it may read.
    Bound => format!(
        "SELECT c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
                    AND (c.relforcerowsecurity
                         OR NOT pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')) AS is_bound,
                pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
                    AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT')
                    AND pg_catalog.has_table_privilege(r.oid, pg_catalog.to_regclass({outcomes}), 'SELECT')
                    AND pg_catalog.has_function_privilege(r.oid, pg_catalog.to_regprocedure({function}), 'EXECUTE')
                    AS may_read
           FROM pg_catalog.pg_roles r, pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE r.rolname = $1::pg_catalog.text AND n.nspname = $2::pg_catalog.text
            AND c.relname = 'user_signals'",
        outcomes = literal_in(schema, "user_signal_outcomes"),
        function = literal_in(schema, "signals_since(pg_catalog.text, integer)"),
    ),

    /// Whether this login may read what it asks for as itself.
    OwnRights => format!(
        "SELECT pg_catalog.has_table_privilege({health}, 'SELECT')
                    AND pg_catalog.has_table_privilege({runs}, 'SELECT')
                    AND pg_catalog.has_function_privilege(pg_catalog.to_regprocedure({record}), 'EXECUTE')
                    AS may_read_health,
                pg_catalog.has_function_privilege(pg_catalog.to_regprocedure({transactions}), 'EXECUTE')
                    AS may_read_transactions,
                current_user::pg_catalog.text AS login",
        health = literal_in(schema, "signal_health"),
        runs = literal_in(schema, "signal_runs"),
        record = literal_in(
            schema,
            "signal_track_record(timestamptz, timestamptz, pg_catalog.text[], integer, pg_catalog.text[])"
        ),
        transactions = literal_in(schema, "signal_hub_transactions()"),
    ),

    /// A slot by its name.
    FindSlot =>
        "SELECT coalesce(s.plugin::pg_catalog.text, '') AS plugin,
                coalesce(s.database = pg_catalog.current_database(), false) AS of_this_database,
                s.active_pid AS reader, s.wal_status IS NOT DISTINCT FROM 'lost' AS is_lost
           FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1::pg_catalog.text",

    /// Creating a slot waits for all transactions that run, longer than anything else may take.
    /// Without the last setting, the server would create it even after this process was killed.
    WaitWithoutLimit =>
        "SELECT pg_catalog.set_config('statement_timeout', '0', false),
                pg_catalog.set_config('lock_timeout', '0', false),
                pg_catalog.set_config('client_connection_check_interval', '1s', false)",

    /// Whether standbys can have a slot as well.
    CanFailOver =>
        "SELECT pg_catalog.current_setting('server_version_num')::integer >= 170000
                    AND NOT pg_catalog.pg_is_in_recovery() AS can_fail_over",

    /// Creates a slot.
    CreateSlot =>
        "SELECT FROM pg_catalog.pg_create_logical_replication_slot($1::pg_catalog.name, 'pgoutput')",

    /// Creates a slot that standbys with sync_replication_slots have as well: the last argument, which
    /// PostgreSQL knows since release 17.
    CreateFailoverSlot =>
        "SELECT FROM pg_catalog.pg_create_logical_replication_slot(
                         $1::pg_catalog.name, 'pgoutput', false, false, true)",

    /// Drops a slot.
    DropSlot =>
        "SELECT FROM pg_catalog.pg_drop_replication_slot($1::pg_catalog.name)",
}

/// A select list of columns as texts, each under its own name.
fn texts<C: Columns>(table: &str, columns: &[C]) -> String {
    let text = |column: &C| {
        let name = column.name();
        format!("{table}{name}::pg_catalog.text AS {name}")
    };
    columns.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The name of an object in the schema, as a literal.
fn literal_in(schema: &str, object: &str) -> String {
    let name = format!("{}.{object}", escape_identifier(schema));
    postgres_protocol::escape::escape_literal(&name)
}
