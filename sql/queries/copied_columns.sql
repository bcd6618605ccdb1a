-- What is copied of a row n of user_signals into an adopted table, but for whose it is and when it was written.
n.signal_id, n.tier, n.symbol, n.signal_type, n.confidence, n.quality_score, n.entry_price, n.take_profit,
                   n.stop_loss, n.expires_at, n.full_details, n.metadata, n.viewed, n.viewed_at, n.clicked,
                   n.clicked_at
