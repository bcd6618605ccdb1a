-- Part: replaceable
-- Functions. Those in C are in src/functions.rs under the same names; a test
-- holds these declarations against the types the library was compiled with.

CREATE OR REPLACE FUNCTION @extschema@.generate_signals_now() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'generate_signals_now_wrapper';
COMMENT ON FUNCTION @extschema@.generate_signals_now() IS
'runs one cycle now, in the caller''s transaction: fetches the watched symbols in one request, judges, records and '
'delivers.
Returns {run_id, success, signals_generated, deliveries, symbols_evaluated, timestamp, message}; message says why '
'when nothing was generated.
success is false and run_id null when nothing was run, as signals are paused or another cycle is running; '
'delivery_error is there when a subscriber''s row was refused, settling_error when candles could not be had.
Where no worker runs it settles the outcomes that are due.
Raises 08xxx when the exchange cannot be reached or refuses, and changes nothing then.
Unless lock_timeout is set, no lock is waited for longer than 5 seconds; the error says who is in the way.
Constraints that the caller has deferred are checked by the call once the exchange has answered, and for the rest '
'of the transaction at once, as by SET CONSTRAINTS ALL IMMEDIATE.
A call that fails or is canceled is put on record by the worker, as a failed run by hand; where no worker runs it '
'leaves no record';

CREATE OR REPLACE FUNCTION @extschema@.preview_signals(
    OUT symbol text, OUT signal_type text, OUT gate text, OUT value text,
    OUT threshold text, OUT passed boolean, OUT verdict text
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 140
    AS 'MODULE_PATHNAME', 'preview_signals_wrapper';
COMMENT ON FUNCTION @extschema@.preview_signals() IS
'dry run: fetches the watched symbols and shows every gate of each with its value, threshold and whether it passed.
passed is null for a gate that could not be measured, as one before it refused; the first that is false says why.
signal_type is the side the change points to, null for none; verdict says for the symbol as a whole why a signal '
'would be sent or not, after the name of the strategy where several are enabled. Writes nothing';

CREATE OR REPLACE FUNCTION @extschema@.signal_worker_status(
    OUT preloaded boolean, OUT library_version text, OUT enabled boolean,
    OUT worker_pid integer, OUT started_at timestamptz, OUT last_heartbeat timestamptz,
    OUT next_run timestamptz, OUT restarts bigint, OUT stage text, OUT retry_at timestamptz,
    OUT trouble text
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
    AS 'MODULE_PATHNAME', 'signal_worker_status_wrapper';
COMMENT ON FUNCTION @extschema@.signal_worker_status() IS
    'what shared memory knows of this database''s worker; worker_pid is null when none runs, retry_at says when a '
    'dead one is started again, trouble is the last error since the last good run. signal_health is the view for '
    'people';

CREATE OR REPLACE FUNCTION @extschema@.signal_worker_history(
    OUT died_at timestamptz, OUT died_of text, OUT waits_for text
) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
    AS 'MODULE_PATHNAME', 'signal_worker_history_wrapper';
COMMENT ON FUNCTION @extschema@.signal_worker_history() IS
    'when and of what this database''s worker died last, since the server started or reset itself; waits_for says '
    'what keeps one from being started: slot (64 databases have one) or process (max_worker_processes)';

CREATE OR REPLACE FUNCTION @extschema@.start_signal_worker() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'start_signal_worker_wrapper';
COMMENT ON FUNCTION @extschema@.start_signal_worker() IS
    'asks the launcher to start this database''s worker when the transaction commits, as CREATE EXTENSION does. '
    'Returns false, with a warning, when the library is not preloaded';

CREATE OR REPLACE FUNCTION @extschema@.pause_signals(reason text DEFAULT NULL) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'pause_signals_wrapper';
COMMENT ON FUNCTION @extschema@.pause_signals(text) IS
    'stops generating signals in this database until resume_signals(); survives restarts and shows in '
    'signal_health. A fan-out under way is finished. The first 1000 characters of the reason are kept. Returns true';

CREATE OR REPLACE FUNCTION @extschema@.resume_signals() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'resume_signals_wrapper';
COMMENT ON FUNCTION @extschema@.resume_signals() IS
'ends a pause. Returns whether there was one';

CREATE OR REPLACE FUNCTION @extschema@.retry_refused_deliveries() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'retry_refused_deliveries_wrapper';
COMMENT ON FUNCTION @extschema@.retry_refused_deliveries() IS
    'delivers the signals that are still valid, and of which rows were given up, once more: to the subscribers who '
    'are entitled now and have no row. The next run does it. Returns how many signals these are';

CREATE OR REPLACE FUNCTION @extschema@.current_subscriber() RETURNS uuid
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'current_subscriber_wrapper';
COMMENT ON FUNCTION @extschema@.current_subscriber() IS
    'the user_id in the JWT claims of the session (setting request.jwt.claims, key sub), as PostgREST and Supabase '
    'set it; null when absent or malformed';

-- By this the library tells whether the objects of this database are of the build it
-- belongs to. It reads the text in the catalogs, as nobody has to trust the function
-- then. The scripts get the number when they are put together.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_build() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$SELECT '@signal_hub_build@'$$;
COMMENT ON FUNCTION @extschema@.signal_hub_build() IS
    'which state of the sources the SQL objects are of; differs between builds of a development version';
