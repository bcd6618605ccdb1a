-- The signals of the last week, and those whose time has not passed, get an outcome. Older ones
-- may have lost their candles. Which distances the rule had then is not on record, so those of the
-- levels stand in: they differ by the rounding to the tick. opened_at shows that these rows were
-- opened after the fact.
INSERT INTO @extschema@.signal_outcomes
       (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, stop_loss, take_profit,
        stop_loss_percent, take_profit_percents, confidence, quality_score, price_change_percent, range_percent,
        source, high_seen, low_seen)
SELECT s.signal_id, s.strategy, s.symbol, s.signal_type, s.reason, s.close_time, s.expires_at, s.entry_price,
       s.stop_loss, s.take_profit, trim_scale(round(abs(s.stop_loss / s.entry_price - 1) * 100, 6)),
       ARRAY(SELECT trim_scale(round(abs(t.price / s.entry_price - 1) * 100, 6))
               FROM unnest(s.take_profit) WITH ORDINALITY AS t (price, number) ORDER BY t.number),
       s.confidence, s.quality_score, s.price_change_percent,
       trim_scale(round((s.high_price - s.low_price) * 100 / s.open_price, 6)),
       rtrim(r.exchange_url, '/'), s.entry_price, s.entry_price
  FROM @extschema@.signals s
  LEFT JOIN @extschema@.signal_runs r USING (run_id)
 -- All from the first of them on: verify_track_record() misses one that has none.
 WHERE s.signal_id >= (SELECT min(f.signal_id) FROM @extschema@.signals f
                        WHERE f.created_at > now() - interval '7 days' OR f.expires_at > now())
   AND s.open_price > 0 AND cardinality(s.take_profit) > 0 AND isfinite(s.close_time) AND isfinite(s.expires_at)
 ORDER BY s.signal_id;
