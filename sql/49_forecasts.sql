-- Part: once, since 0.3.0
CREATE TABLE @extschema@.signal_forecasts (
    strategy          text        NOT NULL,
    day               date        NOT NULL,
    outcomes          integer     NOT NULL,
    touched           integer,
    targets           integer,
    intercept         double precision,
    slope             double precision,
    base_target       double precision,
    base_stop         double precision,
    forecasts         integer     NOT NULL,
    forecast_days     integer     NOT NULL,
    skill_percent     double precision,
    skill_low_percent double precision,
    target_error      double precision,
    stop_error        double precision,
    shown             boolean     NOT NULL,
    why               text        NOT NULL,
    made_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (strategy, day)
);
COMMENT ON TABLE @extschema@.signal_forecasts IS
    'per strategy and UTC day on which it gave signals: by what their outcomes are forecast, how good earlier '
    'forecasts were, and whether subscribers are shown those of the day. P(touch) = 1 / (1 + exp(-(intercept + slope '
    'x))) with x = ln(24h range / stop) + 0.5 ln(lifetime / 24 hours); P(target first) = P(touch) q and P(stop first) '
    '= P(touch) (1 - q) with q = (targets + 100) / (touched + 200)';
COMMENT ON COLUMN @extschema@.signal_forecasts.strategy IS 'the strategy, see signal_rules';
COMMENT ON COLUMN @extschema@.signal_forecasts.day IS 'the UTC day whose signals are forecast';
COMMENT ON COLUMN @extschema@.signal_forecasts.outcomes IS
    'outcomes known when the day began, of the 120 days before it; a model needs 300 of 14 days';
COMMENT ON COLUMN @extschema@.signal_forecasts.touched IS 'how many of them touched a target or the stop';
COMMENT ON COLUMN @extschema@.signal_forecasts.targets IS 'how many of these touched a target first';
COMMENT ON COLUMN @extschema@.signal_forecasts.intercept IS 'of the log-odds of a touch; null without a model';
COMMENT ON COLUMN @extschema@.signal_forecasts.slope IS 'of the log-odds of a touch, per x; null without a model';
COMMENT ON COLUMN @extschema@.signal_forecasts.base_target IS
    'share of outcomes that touched a target first: what is forecast without looking at the signal';
COMMENT ON COLUMN @extschema@.signal_forecasts.base_stop IS 'share of outcomes that touched the stop first';
COMMENT ON COLUMN @extschema@.signal_forecasts.forecasts IS
    'forecasts of the last 90 days that were stored before their outcome and have one';
COMMENT ON COLUMN @extschema@.signal_forecasts.forecast_days IS 'UTC days that these are of';
COMMENT ON COLUMN @extschema@.signal_forecasts.skill_percent IS
    'by how much their three-way Brier score is better than that of the base; percent of the latter';
COMMENT ON COLUMN @extschema@.signal_forecasts.skill_low_percent IS
    'the least that the skill is with a confidence of 95 %, signals of one day taken together';
COMMENT ON COLUMN @extschema@.signal_forecasts.target_error IS
    'mean distance of forecast and frequency of the target over ten bins of equal counts, 0 to 1';
COMMENT ON COLUMN @extschema@.signal_forecasts.stop_error IS 'likewise of the stop';
COMMENT ON COLUMN @extschema@.signal_forecasts.shown IS
    'whether subscribers are shown the forecasts of the day: at least 500 of at least 28 days were looked at, '
    'skill_low_percent is above 0, and neither error above 0.05';
COMMENT ON COLUMN @extschema@.signal_forecasts.why IS 'why they are shown, or not';
COMMENT ON COLUMN @extschema@.signal_forecasts.made_at IS 'when the day''s first signal came';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_forecasts', '');
