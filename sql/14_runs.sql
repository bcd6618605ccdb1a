-- Part: once
CREATE TABLE @extschema@.signal_episodes (
    strategy       text NOT NULL,
    symbol         text NOT NULL,
    side           text CHECK (side IN ('LONG', 'SHORT')),
    since          timestamptz,
    last_signal_at timestamptz,
    expires_at     timestamptz,
    PRIMARY KEY (strategy, symbol)
);
COMMENT ON TABLE @extschema@.signal_episodes IS
    'the side each symbol is in; the memory that keeps a signal from repeating';
COMMENT ON COLUMN @extschema@.signal_episodes.strategy IS 'strategy the episode belongs to';
COMMENT ON COLUMN @extschema@.signal_episodes.symbol IS 'symbol the episode belongs to';
COMMENT ON COLUMN @extschema@.signal_episodes.side IS 'LONG or SHORT; null when armed, ready for the next signal';
COMMENT ON COLUMN @extschema@.signal_episodes.since IS 'when the side was entered';
COMMENT ON COLUMN @extschema@.signal_episodes.last_signal_at IS 'when the last signal was generated';
COMMENT ON COLUMN @extschema@.signal_episodes.expires_at IS
    'until when the last signal is valid; null where it is of a release before 0.3.0';

CREATE TABLE @extschema@.signal_runs (
    run_id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trigger           text        NOT NULL CHECK (trigger IN ('worker', 'manual')),
    status            text        NOT NULL CHECK (status IN ('ok', 'failed', 'skipped')),
    started_at        timestamptz NOT NULL,
    finished_at       timestamptz,
    symbols_evaluated integer     NOT NULL DEFAULT 0,
    signals_generated integer     NOT NULL DEFAULT 0,
    deliveries        bigint      NOT NULL DEFAULT 0,
    delivery_failures bigint      NOT NULL DEFAULT 0,
    fetch_ms          double precision,
    judge_ms          double precision,
    record_ms         double precision,
    deliver_ms        double precision,
    message           text,
    error             text,
    sqlstate          text,
    retry_at          timestamptz,
    exchange_url      text,
    symbols_watched   integer,
    symbols_judged    integer,
    exchange          text
);
COMMENT ON TABLE @extschema@.signal_runs IS 'history of runs, kept for signal_hub.run_retention';
COMMENT ON COLUMN @extschema@.signal_runs.run_id IS 'number of the run; not gapless';
COMMENT ON COLUMN @extschema@.signal_runs.trigger IS
    'worker or manual (generate_signals_now); one that failed is entered by the worker, soon after';
COMMENT ON COLUMN @extschema@.signal_runs.status IS 'ok, failed (see error) or skipped (see message)';
COMMENT ON COLUMN @extschema@.signal_runs.started_at IS 'when the run began';
COMMENT ON COLUMN @extschema@.signal_runs.finished_at IS
    'when the last row was delivered; null while delivery goes on or waits to resume';
COMMENT ON COLUMN @extschema@.signal_runs.symbols_evaluated IS 'watched symbols that had a ticker to judge';
COMMENT ON COLUMN @extschema@.signal_runs.signals_generated IS 'signals recorded by the run';
COMMENT ON COLUMN @extschema@.signal_runs.deliveries IS 'rows written to user_signals for the signals of the run';
COMMENT ON COLUMN @extschema@.signal_runs.delivery_failures IS
    'subscribers who could not be given their row, see error';
COMMENT ON COLUMN @extschema@.signal_runs.fetch_ms IS 'milliseconds spent waiting for the exchange';
COMMENT ON COLUMN @extschema@.signal_runs.judge_ms IS 'milliseconds spent deciding';
COMMENT ON COLUMN @extschema@.signal_runs.record_ms IS 'milliseconds spent writing the signals';
COMMENT ON COLUMN @extschema@.signal_runs.deliver_ms IS 'milliseconds spent on the fan-out';
COMMENT ON COLUMN @extschema@.signal_runs.message IS 'result of the run, in words';
COMMENT ON COLUMN @extschema@.signal_runs.error IS 'the error, when one occurred';
COMMENT ON COLUMN @extschema@.signal_runs.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN @extschema@.signal_runs.retry_at IS 'the exchange is left alone until then';
COMMENT ON COLUMN @extschema@.signal_runs.exchange_url IS
    'base URL of the exchange that the tickers came from; of a run that got none, of the preferred one';
COMMENT ON COLUMN @extschema@.signal_runs.symbols_watched IS
    'symbols that the run had to judge; null where it had none, and on runs of releases before 0.3.0';
COMMENT ON COLUMN @extschema@.signal_runs.symbols_judged IS
    'those of them that could be judged: listed, with consistent numbers, trading and fresh';
COMMENT ON COLUMN @extschema@.signal_runs.exchange IS
    'exchange that most of the tickers came from, as signal_hub.exchanges names it; of a run that got none, the '
    'preferred one; null on runs of releases before 0.3.0';
COMMENT ON SEQUENCE @extschema@.signal_runs_run_id_seq IS 'numbers of runs';
CREATE INDEX signal_runs_started_at_idx ON @extschema@.signal_runs (started_at);
COMMENT ON INDEX @extschema@.signal_runs_started_at_idx IS 'runs are purged by age';
CREATE INDEX signal_runs_error_idx ON @extschema@.signal_runs (run_id) WHERE error IS NOT NULL;
COMMENT ON INDEX @extschema@.signal_runs_error_idx IS 'signal_health shows the last error, which may be far back';
CREATE INDEX signal_runs_signals_idx ON @extschema@.signal_runs (run_id) WHERE signals_generated > 0;
COMMENT ON INDEX @extschema@.signal_runs_signals_idx IS
    'the live page shows when the last signal was, which may be far back';
