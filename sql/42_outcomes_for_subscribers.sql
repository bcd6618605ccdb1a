-- Part: replaceable
-- Which outcomes clients see, and what of them: while a signal is open, who received it; once
-- it is settled, every subscriber, with the prices where their tier shows prices.
--
-- While a signal is open, what leads from the price of the moment to its levels is withheld with
-- the prices: the distances, the range that may have made them, and forecasts, which are made of
-- both. So these are no columns that are granted or published, see queries/outcome_columns.sql.

-- As the owner: who may read outcomes need not be able to read the tables of subscribers.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_open_signals() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT o.signal_id
          FROM @extschema@.signal_outcomes o
          JOIN @extschema@.user_signals e USING (signal_id)
         WHERE o.state = 'open' AND e.user_id = (SELECT @extschema@.current_subscriber());
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_open_signals() IS
    'signals that the subscriber of the session received and that are not settled; for the policy of '
    'signal_outcomes';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_shows_prices() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT s.status = 'active' AND coalesce(s.current_period_end > now(), true) AND t.enabled AND t.full_details
          FROM @extschema@.user_subscriptions s JOIN @extschema@.signal_tiers t USING (tier)
         WHERE s.user_id = (SELECT @extschema@.current_subscriber());
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_shows_prices() IS
    'whether the subscription of the session''s subscriber is in force and its tier shows prices; null without a '
    'subscription';

CREATE OR REPLACE VIEW @extschema@.user_signal_outcomes WITH (security_barrier = true) AS
SELECT o.signal_id, o.strategy, o.symbol, o.signal_type, o.reason, o.signal_at, o.expires_at,
       CASE WHEN coalesce(e.full_details, false)
                 OR o.state <> 'open' AND (SELECT @extschema@.signal_hub_shows_prices())
            THEN o.entry_price END AS entry_price,
       CASE WHEN coalesce(e.full_details, false)
                 OR o.state <> 'open' AND (SELECT @extschema@.signal_hub_shows_prices())
            THEN o.stop_loss END AS stop_loss,
       CASE WHEN coalesce(e.full_details, false)
                 OR o.state <> 'open' AND (SELECT @extschema@.signal_hub_shows_prices())
            THEN o.take_profit END AS take_profit,
       CASE WHEN coalesce(e.full_details, false) OR o.state <> 'open'
            THEN o.stop_loss_percent END AS stop_loss_percent,
       CASE WHEN coalesce(e.full_details, false) OR o.state <> 'open'
            THEN o.take_profit_percents END AS take_profit_percents,
       o.confidence, o.quality_score, o.price_change_percent,
       CASE WHEN coalesce(e.full_details, false) OR o.state <> 'open'
            THEN o.range_percent END AS range_percent,
       o.state, o.void_why, o.best_target, o.first_touch, o.ended, o.target_at, o.stop_at,
       o.ended_at, o.returns_percent, o.ladder_percent, o.hold_percent, o.mirror_percent, o.mirror_returns_percent,
       o.mfe_percent, o.mae_percent, o.fee_percent, o.resolution, o.ambiguous, o.gap,
       CASE WHEN coalesce(e.full_details, false)
                 OR o.state <> 'open' AND (SELECT @extschema@.signal_hub_shows_prices())
            THEN o.high_seen END AS high_seen,
       CASE WHEN coalesce(e.full_details, false)
                 OR o.state <> 'open' AND (SELECT @extschema@.signal_hub_shows_prices())
            THEN o.low_seen END AS low_seen,
       o.superseded_at, o.withheld_by, o.opened_at, o.settled_at, o.digest,
       e.signal_id IS NOT NULL AS received,
       CASE WHEN o.state <> 'open' THEN o.forecast_target END AS forecast_target,
       CASE WHEN o.state <> 'open' THEN o.forecast_stop END AS forecast_stop,
       CASE WHEN o.state <> 'open'
                 AND (coalesce(e.full_details, false) OR (SELECT @extschema@.signal_hub_shows_prices()))
            THEN o.nonce END AS nonce
  FROM @extschema@.signal_outcomes o
  LEFT JOIN @extschema@.user_signals e
    ON e.user_id = (SELECT @extschema@.current_subscriber()) AND e.signal_id = o.signal_id
 WHERE e.signal_id IS NOT NULL
    OR o.state <> 'open' AND (SELECT @extschema@.signal_hub_shows_prices()) IS NOT NULL;
COMMENT ON VIEW @extschema@.user_signal_outcomes IS
'what became of signals, for the subscriber of the session: those received, and all that are settled. Prices are '
'null where the tier withholds details, and so are the percentages that levels follow from while state is open.
While state is open, best_target, first_touch, ended, target_at, stop_at, ended_at, high_seen and low_seen are '
'provisional: between two looks at the price there may have been more';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.signal_id IS 'the signal';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.strategy IS 'strategy that decided';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.signal_type IS 'LONG or SHORT';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.reason IS 'entered, flipped or renewed';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.signal_at IS 'the entry, by the exchange''s clock';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.expires_at IS 'end of the signal''s time';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.entry_price IS
    'price of the entry, quote asset; null where details are withheld';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.stop_loss IS 'the stop, likewise';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.take_profit IS 'targets, nearest first, likewise';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.stop_loss_percent IS
    'distance of the stop from the entry, percent; null while open where details are withheld';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.take_profit_percents IS
    'distances of the targets from the entry, percent, likewise';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.confidence IS
    'strength of the move, 0 to 100; not a chance of profit';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.quality_score IS 'how tradable the pair was, 0 to 100';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.price_change_percent IS '24h change at the signal, percent';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.range_percent IS '24h range at the signal, percent, likewise';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.state IS 'open, settled or void';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.void_why IS 'why it cannot be settled; null unless void';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.best_target IS 'how many targets were touched before the stop';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.first_touch IS 'what was touched first: target, stop or none';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.ended IS 'what ended the signal: target, stop or expired';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.target_at IS 'when each target was touched, nearest first';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.stop_at IS 'when the stop was touched';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.ended_at IS 'when the signal ended';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.returns_percent IS
    'returns in percent, fees taken off, of who leaves wholly at target 1, 2 and so on';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.ladder_percent IS 'mean of these: who leaves in equal parts';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.hold_percent IS
    'return in percent of who keeps it to the expiry without a stop';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.mirror_percent IS
    'return at target 1 of the opposite signal at the same moment';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.mirror_returns_percent IS 'the same at target 1, 2 and so on';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.mfe_percent IS
    'furthest that the price went in the signal''s favour before its end, percent';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.mae_percent IS 'furthest that it went against it, percent';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.fee_percent IS
    'fee taken off, percent, once for the entry and once for the exit';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.resolution IS 'finest candles that settled it, or sampled';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.ambiguous IS
    'whether one of the finest candles had both the stop and the next target; the stop then counts';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.gap IS 'whether candles were missing';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.high_seen IS
    'highest last price seen since the signal; null where details are withheld';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.low_seen IS 'lowest last price seen, likewise';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.superseded_at IS
    'when an opposite signal came while this one was open';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.withheld_by IS
    'protection that withheld the signal from all subscribers; null for one that was sent';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.opened_at IS 'when the outcome went on record';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.settled_at IS 'when it was settled or found void';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.digest IS 'its digest in the chain of outcomes; null while open';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.received IS 'whether the subscriber received the signal';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.forecast_target IS
    'chance from 0 to 1 that target 1 is touched first, as it was forecast before the outcome; null while open, and '
    'without a forecast';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.forecast_stop IS 'the same of the stop';
COMMENT ON COLUMN @extschema@.user_signal_outcomes.nonce IS
    'random part of the row as opened, by which who has the prices can check opened_digest; null while open and where '
    'details are withheld';
