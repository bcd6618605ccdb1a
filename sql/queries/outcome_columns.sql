signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, confidence, quality_score,
price_change_percent, state, void_why, best_target, first_touch, ended, target_at, stop_at, ended_at,
returns_percent, ladder_percent, hold_percent, mirror_percent, mirror_returns_percent, mfe_percent, mae_percent,
fee_percent, resolution, ambiguous, gap, superseded_at, withheld_by, settled_at, opened_position, opened_at,
opened_digest, settled_position, digest
