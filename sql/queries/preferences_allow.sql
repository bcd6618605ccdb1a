-- Whether what a subscriber wants (a row p of user_preferences) has nothing against a signal (a row
-- g of signals, or its columns). The fan-out asks this, and subscriber_status().
(p.only_symbols IS NULL OR g.symbol = ANY (p.only_symbols))
AND (p.not_symbols IS NULL OR g.symbol <> ALL (p.not_symbols))
AND (p.sides IS NULL OR g.signal_type = ANY (p.sides))
AND (p.strategies IS NULL OR g.strategy = ANY (p.strategies))
AND (p.min_confidence IS NULL OR g.confidence >= p.min_confidence)
AND (p.min_quality IS NULL OR g.quality_score >= p.min_quality)
