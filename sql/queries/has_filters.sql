-- Whether a row of user_preferences leaves out signals by what they are. An index has those rows,
-- and the fan-out reads no others.
num_nonnulls(only_symbols, not_symbols, sides, strategies, min_confidence, min_quality) > 0
