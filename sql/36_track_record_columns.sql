-- Part: replaceable
-- What the columns of the two views say.
COMMENT ON COLUMN @extschema@.signal_track_record.symbol IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record.signal_type IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record.strategy IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record.reason IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record.bucket IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record.day IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record.hour IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record.signals IS 'signals recorded, withheld ones included';
COMMENT ON COLUMN @extschema@.signal_track_record.open IS 'of these, not settled yet';
COMMENT ON COLUMN @extschema@.signal_track_record.void IS 'of these, never to be settled';
COMMENT ON COLUMN @extschema@.signal_track_record.settled IS 'of these, settled by candles; what follows is of them';
COMMENT ON COLUMN @extschema@.signal_track_record.target1 IS 'signals that touched target 1 before the stop';
COMMENT ON COLUMN @extschema@.signal_track_record.target1_rate IS 'the same in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record.target1_low IS 'lower bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.target1_high IS 'upper bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.target2 IS 'signals that touched target 2 before the stop';
COMMENT ON COLUMN @extschema@.signal_track_record.target2_rate IS 'the same in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record.target2_low IS 'lower bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.target2_high IS 'upper bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.target3 IS 'signals that touched target 3 before the stop';
COMMENT ON COLUMN @extschema@.signal_track_record.target3_rate IS 'the same in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record.target3_low IS 'lower bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.target3_high IS 'upper bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.stop_first IS 'signals that touched the stop before any target';
COMMENT ON COLUMN @extschema@.signal_track_record.stop_first_rate IS 'the same in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record.stop_first_low IS 'lower bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.stop_first_high IS 'upper bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.untouched IS 'signals that touched neither stop nor target';
COMMENT ON COLUMN @extschema@.signal_track_record.win_rate IS
    'signals with a return above 0, in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record.mean_percent IS
    'mean return after fees of who leaves at target 1, percent of the entry';
COMMENT ON COLUMN @extschema@.signal_track_record.mean_low IS 'lower bound of the mean, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.mean_high IS 'upper bound of the mean, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.gross_percent IS 'mean return before fees';
COMMENT ON COLUMN @extschema@.signal_track_record.mirror_percent IS
    'mean return after fees of the opposite signals at the same moments';
COMMENT ON COLUMN @extschema@.signal_track_record.edge_percent IS
    'edge over a coin flip at the same moments: half of mean_percent less mirror_percent';
COMMENT ON COLUMN @extschema@.signal_track_record.edge_low IS 'lower bound of the edge, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.edge_high IS 'upper bound of the edge, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record.profit_factor IS
    'sum of the gains over the sum of the losses; null without a loss';
COMMENT ON COLUMN @extschema@.signal_track_record.max_drawdown_percent IS
    'furthest fall of the sum of returns from its highest point before, percent of a stake';
COMMENT ON COLUMN @extschema@.signal_track_record.exposure_percent IS
    'share of the time from the first signal to the last exit in which a signal was held';
COMMENT ON COLUMN @extschema@.signal_track_record.days IS 'UTC days with settled signals';
COMMENT ON COLUMN @extschema@.signal_track_record.deff IS
    'how much more the rate of target 1 varies than if signals were independent';
COMMENT ON COLUMN @extschema@.signal_track_record.n_effective IS
    'as how many independent signals the settled ones count';
COMMENT ON COLUMN @extschema@.signal_track_record.ambiguous IS
    'settled signals of which a candle reached both the stop and the next target; counted as stopped';
COMMENT ON COLUMN @extschema@.signal_track_record.sampled IS
    'signals settled by samples of prices; not among those settled by candles';
COMMENT ON COLUMN @extschema@.signal_track_record.deflated_sharpe IS
    'probability that the edge per day is above what the best of all rules ever enabled shows by luck';
COMMENT ON COLUMN @extschema@.signal_track_record.verdict IS
    'too few, edge shown, worse than a coin flip, or no edge shown';
COMMENT ON COLUMN @extschema@.signal_track_record.further_targets IS
    'targets beyond the third: target, count, rate, low and high of each; null where there are none';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.symbol IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.signal_type IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.strategy IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.reason IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.bucket IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.day IS
    'UTC day on which the signals were made; null where all are together';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.hour IS 'null: all are together';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.signals IS 'signals recorded, withheld ones included';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.open IS 'of these, not settled yet';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.void IS 'of these, never to be settled';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.settled IS
    'of these, settled by candles; what follows is of them';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target1 IS 'signals that touched target 1 before the stop';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target1_rate IS 'the same in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target1_low IS 'lower bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target1_high IS 'upper bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target2 IS 'signals that touched target 2 before the stop';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target2_rate IS 'the same in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target2_low IS 'lower bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target2_high IS 'upper bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target3 IS 'signals that touched target 3 before the stop';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target3_rate IS 'the same in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target3_low IS 'lower bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.target3_high IS 'upper bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.stop_first IS
    'signals that touched the stop before any target';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.stop_first_rate IS 'the same in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.stop_first_low IS 'lower bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.stop_first_high IS 'upper bound of the rate, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.untouched IS 'signals that touched neither stop nor target';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.win_rate IS
    'signals with a return above 0, in percent of those settled';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.mean_percent IS
    'mean return after fees of who leaves at target 1, percent of the entry';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.mean_low IS 'lower bound of the mean, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.mean_high IS 'upper bound of the mean, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.gross_percent IS 'mean return before fees';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.mirror_percent IS
    'mean return after fees of the opposite signals at the same moments';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.edge_percent IS
    'edge over a coin flip at the same moments: half of mean_percent less mirror_percent';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.edge_low IS 'lower bound of the edge, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.edge_high IS 'upper bound of the edge, 95 %';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.profit_factor IS
    'sum of the gains over the sum of the losses; null without a loss';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.max_drawdown_percent IS
    'furthest fall of the sum of returns from its highest point before, percent of a stake';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.exposure_percent IS
    'share of the time from the first signal to the last exit in which a signal was held';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.days IS 'UTC days with settled signals';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.deff IS
    'how much more the rate of target 1 varies than if signals were independent';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.n_effective IS
    'as how many independent signals the settled ones count';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.ambiguous IS
    'settled signals of which a candle reached both the stop and the next target; counted as stopped';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.sampled IS
    'signals settled by samples of prices; not among those settled by candles';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.deflated_sharpe IS
    'probability that the edge per day is above what the best of all rules ever enabled shows by luck';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.verdict IS
    'too few, edge shown, worse than a coin flip, or no edge shown';
COMMENT ON COLUMN @extschema@.signal_track_record_daily.further_targets IS
    'targets beyond the third: target, count, rate, low and high of each; null where there are none';
