-- Part: once
CREATE TABLE @extschema@.user_subscriptions (
    user_id            uuid        PRIMARY KEY,
    tier               text        NOT NULL REFERENCES @extschema@.signal_tiers (tier) ON UPDATE CASCADE,
    status             text        NOT NULL DEFAULT 'active'
                                   CHECK (status IN ('active', 'trialing', 'past_due', 'canceled', 'paused')),
    current_period_end timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @extschema@.user_subscriptions IS
    'one row per subscriber; status active, a period that has not ended and an enabled tier entitle to signals';
COMMENT ON COLUMN @extschema@.user_subscriptions.user_id IS
    'the subscriber, the same as sub in the claims of their JWT';
COMMENT ON COLUMN @extschema@.user_subscriptions.tier IS 'tier of the subscription, see signal_tiers';
COMMENT ON COLUMN @extschema@.user_subscriptions.status IS
    'active, trialing, past_due, canceled or paused; only active receives';
COMMENT ON COLUMN @extschema@.user_subscriptions.current_period_end IS 'end of the paid period; null never ends';
COMMENT ON COLUMN @extschema@.user_subscriptions.created_at IS 'when the subscription began';
COMMENT ON COLUMN @extschema@.user_subscriptions.updated_at IS 'when the row last changed; set by a trigger';
CREATE INDEX user_subscriptions_tier_user_id_idx ON @extschema@.user_subscriptions (tier, user_id)
    INCLUDE (current_period_end, created_at, updated_at) WHERE status = 'active';
COMMENT ON INDEX @extschema@.user_subscriptions_tier_user_id_idx IS
    'the fan-out walks one tier in the order of user_id, and finds all that it needs in here';
CREATE INDEX user_subscriptions_updated_at_idx ON @extschema@.user_subscriptions (updated_at)
    WHERE updated_at <> created_at;
COMMENT ON INDEX @extschema@.user_subscriptions_updated_at_idx IS
    'the second round of a fan-out looks for subscribers who changed during the first';

-- No foreign keys: a check per row would cost the fan-out more than the row.
-- Rows are written by the fan-out alone, whose statement joins the parents.
CREATE TABLE @extschema@.user_signals (
    user_id       uuid        NOT NULL,
    signal_id     bigint      NOT NULL,
    tier          text        NOT NULL,
    symbol        text        NOT NULL,
    signal_type   text        NOT NULL CHECK (signal_type IN ('LONG', 'SHORT')),
    confidence    numeric     NOT NULL,
    quality_score numeric     NOT NULL,
    entry_price   numeric,
    take_profit   numeric[],
    stop_loss     numeric,
    expires_at    timestamptz NOT NULL,
    full_details  boolean     NOT NULL,
    metadata      jsonb       NOT NULL,
    viewed        boolean     NOT NULL DEFAULT false,
    viewed_at     timestamptz,
    clicked       boolean     NOT NULL DEFAULT false,
    clicked_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, signal_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);
COMMENT ON TABLE @extschema@.user_signals IS 'one row per signal and subscriber; the table realtime clients follow';
COMMENT ON COLUMN @extschema@.user_signals.user_id IS 'the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.signal_id IS 'the signal, see signals';
COMMENT ON COLUMN @extschema@.user_signals.tier IS 'tier of the subscriber at delivery';
COMMENT ON COLUMN @extschema@.user_signals.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.user_signals.signal_type IS 'LONG or SHORT';
COMMENT ON COLUMN @extschema@.user_signals.confidence IS 'strength of the move, 0 to 100; not a chance of profit';
COMMENT ON COLUMN @extschema@.user_signals.quality_score IS 'how tradable the pair was, 0 to 100';
COMMENT ON COLUMN @extschema@.user_signals.entry_price IS
    'price to enter at, quote asset; null where the tier withholds details';
COMMENT ON COLUMN @extschema@.user_signals.take_profit IS
    'targets, nearest first, quote asset; null where the tier withholds details';
COMMENT ON COLUMN @extschema@.user_signals.stop_loss IS
    'price to give up at, quote asset; null where the tier withholds details';
COMMENT ON COLUMN @extschema@.user_signals.expires_at IS 'the signal is not to be acted on after this';
COMMENT ON COLUMN @extschema@.user_signals.full_details IS 'whether prices are included';
COMMENT ON COLUMN @extschema@.user_signals.metadata IS
    'object: generatedBy (signal_hub), timestamp (ISO 8601), strategy, reason, why, changePercent; forecast (target, '
    'stop, neither, within) only while forecasts have proved to be right, see signal_forecasts; late (true) and '
    'openSince (as timestamp) only for who became entitled later, see signal_tiers.late_joiners';
COMMENT ON COLUMN @extschema@.user_signals.viewed IS 'set by the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.viewed_at IS 'when viewed was set; kept by a trigger';
COMMENT ON COLUMN @extschema@.user_signals.clicked IS 'set by the subscriber';
COMMENT ON COLUMN @extschema@.user_signals.clicked_at IS 'when clicked was set; kept by a trigger';
COMMENT ON COLUMN @extschema@.user_signals.created_at IS 'when the row was written';

-- Subscribers see and touch their own rows only, see 45_policies.sql.
ALTER TABLE @extschema@.user_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE @extschema@.user_signals ENABLE ROW LEVEL SECURITY;
