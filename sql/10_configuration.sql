-- Part: once
-- Glossary
--   ticker      an exchange's rolling 24-hour statistics of one symbol
--   signal      one decision, LONG or SHORT, with entry, targets and stop
--   episode     the time a symbol spends on one side; it produces one signal
--   run         one cycle: fetch, judge, record, deliver
--   delivery    one row of user_signals: a signal that a subscriber received
--   shipped     a row that came with the extension

CREATE TABLE @extschema@.signal_tiers (
    tier         text    PRIMARY KEY CHECK (tier <> ''),
    enabled      boolean NOT NULL DEFAULT false,
    daily_quota  integer CHECK (daily_quota >= 0),
    full_details boolean NOT NULL DEFAULT false,
    priority     integer NOT NULL DEFAULT 0,
    shipped      boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE @extschema@.signal_tiers IS
    'subscription tiers: who receives signals, how many a day, and with which details';
COMMENT ON COLUMN @extschema@.signal_tiers.tier IS 'name of the tier';
COMMENT ON COLUMN @extschema@.signal_tiers.enabled IS
    'whether active subscribers of the tier receive signals; a shipped row that is deleted or renamed instead comes '
    'back with a restored dump, MAX enabled';
COMMENT ON COLUMN @extschema@.signal_tiers.daily_quota IS
    'most signals a subscriber receives in one UTC day; 0 means no signals, null no limit';
COMMENT ON COLUMN @extschema@.signal_tiers.full_details IS
    'false withholds entry price, targets and stop: they are null in user_signals';
COMMENT ON COLUMN @extschema@.signal_tiers.priority IS 'tiers are served from the highest priority down';
COMMENT ON COLUMN @extschema@.signal_tiers.shipped IS
    'true on rows that came with the extension, so that a restored dump replaces them; leave it alone';

CREATE TABLE @extschema@.signal_symbols (
    symbol       text    PRIMARY KEY
                         CHECK (symbol = upper(symbol) AND symbol !~ E'[][:space:]"\\\\,[]'
                                AND length(symbol) BETWEEN 1 AND 50),
    enabled      boolean NOT NULL DEFAULT true,
    base_asset   text,
    quote_asset  text,
    tick_size    numeric CHECK (tick_size > 0),
    status       text    CHECK (status IN ('TRADING', 'HALTED', 'STALE', 'INVALID', 'UNKNOWN', 'MISSING')),
    status_why   text,
    last_seen_at timestamptz,
    checked_at   timestamptz,
    shipped      boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE @extschema@.signal_symbols IS 'watchlist: the symbols each run asks the exchange for';
COMMENT ON COLUMN @extschema@.signal_symbols.symbol IS
    'the pair, upper case: base and quote asset without a separator, such as BTCUSDT, whatever the exchange calls it; '
    'up to 50 characters';
COMMENT ON COLUMN @extschema@.signal_symbols.enabled IS
    'false takes the symbol off the watch; a shipped row that is deleted instead comes back with a restored dump';
COMMENT ON COLUMN @extschema@.signal_symbols.base_asset IS
    'the asset that is bought or sold; for people, not used by the rule';
COMMENT ON COLUMN @extschema@.signal_symbols.quote_asset IS
    'the asset prices and quote volume are in; for people, not used by the rule';
COMMENT ON COLUMN @extschema@.signal_symbols.tick_size IS
    'smallest price step that the prices of its tickers have shown; for people: the prices of a signal are rounded by '
    'the tick of signal_instruments or, where that is not known, by the one that its own ticker shows; null before '
    'the first look';
COMMENT ON COLUMN @extschema@.signal_symbols.status IS
    'what the last look found: TRADING, HALTED (no bid or ask, or no trade), STALE (statistics that are old, or ahead '
    'of this server''s clock), INVALID (fields missing, or numbers that contradict each other), UNKNOWN (the exchange '
    'says that it does not list it; asked for again at the next run, every ten seconds where runs are closer), '
    'MISSING (the last reply had no row of it; what is known of it stays); null before the first look';
COMMENT ON COLUMN @extschema@.signal_symbols.status_why IS 'the finding behind a status other than TRADING';
COMMENT ON COLUMN @extschema@.signal_symbols.last_seen_at IS 'when the symbol was last found TRADING, to the hour';
COMMENT ON COLUMN @extschema@.signal_symbols.checked_at IS
    'when status was last written; of an UNKNOWN symbol, when it was last asked for';
COMMENT ON COLUMN @extschema@.signal_symbols.shipped IS
    'true on rows that came with the extension, so that a restored dump replaces them; leave it alone';

CREATE TABLE @extschema@.signal_rules (
    strategy              text     PRIMARY KEY CONSTRAINT "strategy must not be empty" CHECK (strategy <> ''),
    enabled               boolean  NOT NULL DEFAULT true,
    enter_change_percent  numeric  NOT NULL DEFAULT 2 CHECK (enter_change_percent > 0),
    exit_change_percent   numeric  NOT NULL DEFAULT 1 CHECK (exit_change_percent >= 0),
    min_quote_volume      numeric  NOT NULL DEFAULT 1000000 CHECK (min_quote_volume > 0),
    confidence_per_percent numeric NOT NULL DEFAULT 10 CHECK (confidence_per_percent > 0),
    max_confidence        numeric  NOT NULL DEFAULT 95 CHECK (max_confidence BETWEEN 0 AND 100),
    min_confidence        numeric  NOT NULL DEFAULT 0 CHECK (min_confidence BETWEEN 0 AND 100),
    min_quality           numeric  NOT NULL DEFAULT 25 CHECK (min_quality BETWEEN 0 AND 100),
    stop_loss_percent     numeric  NOT NULL DEFAULT 1.5 CHECK (stop_loss_percent > 0 AND stop_loss_percent < 100),
    take_profit_percents  numeric[] NOT NULL DEFAULT '{1.5,3,5}'
                          CHECK (cardinality(take_profit_percents) BETWEEN 1 AND 10
                                 AND 0 < ALL (take_profit_percents)),
    stop_loss_range_share numeric
                          CONSTRAINT "stop_loss_range_share must be above 0" CHECK (stop_loss_range_share > 0),
    lifetime              interval NOT NULL DEFAULT '4 hours' CHECK (lifetime > '0'),
    lifetime_per_range    numeric
                          CONSTRAINT "lifetime_per_range must be above 0" CHECK (lifetime_per_range > 0),
    lifetime_floor        interval NOT NULL DEFAULT '1 hour'
                          CONSTRAINT "lifetime_floor must be above 0" CHECK (lifetime_floor > '0'),
    lifetime_cap          interval NOT NULL DEFAULT '24 hours',
    renew                 boolean  NOT NULL DEFAULT false,
    cooldown              interval CHECK (cooldown >= '0'),
    cooldown_flips        boolean  NOT NULL DEFAULT true,
    max_ticker_age        interval NOT NULL DEFAULT '5 minutes' CHECK (max_ticker_age > '0'),
    max_signals_per_run   integer  NOT NULL DEFAULT 10 CHECK (max_signals_per_run > 0),
    description           text,
    max_spread_percent    numeric  DEFAULT 0.5
                          CONSTRAINT "max_spread_percent must be above 0" CHECK (max_spread_percent > 0),
    max_disagreement_percent numeric
                          CONSTRAINT "max_disagreement_percent must be above 0" CHECK (max_disagreement_percent > 0),
    shipped               boolean  NOT NULL DEFAULT false,
    CHECK (exit_change_percent < enter_change_percent),
    CONSTRAINT "lifetime_cap must not be below lifetime_floor" CHECK (lifetime_cap >= lifetime_floor)
);
COMMENT ON TABLE @extschema@.signal_rules IS 'parameters of the strategies, one row each; every run reads them again';
COMMENT ON COLUMN @extschema@.signal_rules.strategy IS
    'name of the strategy: breakout, momentum, reversal or tsmom, each a file of crates/strategy/src/strategies; of '
    'any other there are no signals, and signal_health says so';
COMMENT ON COLUMN @extschema@.signal_rules.enabled IS
    'whether runs judge by it; a shipped row that is deleted or renamed instead comes back with a restored dump, '
    'momentum enabled';
COMMENT ON COLUMN @extschema@.signal_rules.enter_change_percent IS
    'momentum: a 24h change strictly above this is LONG, strictly below its negative SHORT; reversal: strictly below '
    'its negative is LONG; breakout and tsmom do not use it; percent';
COMMENT ON COLUMN @extschema@.signal_rules.exit_change_percent IS
    'momentum: an episode ends when the change falls back inside this; the others do not use it: theirs ends when the '
    'condition does; percent';
COMMENT ON COLUMN @extschema@.signal_rules.min_quote_volume IS
    '24h volume must be above this, in US dollars: USD and its pegs (USDT, USDC and others) count 1, other quote '
    'assets by the rate of the same reply of the exchange; a pair whose quote asset has none is refused';
COMMENT ON COLUMN @extschema@.signal_rules.confidence_per_percent IS
    'confidence is what the strategy measures, without sign, times this, capped; a strength of the move, not a chance '
    'of profit';
COMMENT ON COLUMN @extschema@.signal_rules.max_confidence IS 'cap of confidence, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_rules.min_confidence IS 'signals below are not sent, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_rules.min_quality IS 'signals with a quality score below are not sent, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_rules.stop_loss_percent IS
    'distance of the stop from the entry; percent of the entry price';
COMMENT ON COLUMN @extschema@.signal_rules.take_profit_percents IS
    'distances of the targets from the entry, in any order; percent of the entry price';
COMMENT ON COLUMN @extschema@.signal_rules.stop_loss_range_share IS
    'distance of the stop from the entry as a share of the 24h range, such as 0.15, instead of stop_loss_percent; the '
    'range is (high - low) / open x 100; the targets stay as many stops away as the two percentages make them; null '
    'turns it off';
COMMENT ON COLUMN @extschema@.signal_rules.lifetime IS
    'how long a signal is valid';
COMMENT ON COLUMN @extschema@.signal_rules.lifetime_per_range IS
    'makes a signal valid for longer the smaller the 24h range is, instead of lifetime: for the time in which the '
    'price is expected to range over so many times the distance of the stop, which is 24 h x (lifetime_per_range x '
    'stop / range)^2, no shorter than lifetime_floor and no longer than lifetime_cap; stop and range in percent; null '
    'turns it off';
COMMENT ON COLUMN @extschema@.signal_rules.lifetime_floor IS 'shortest lifetime by lifetime_per_range';
COMMENT ON COLUMN @extschema@.signal_rules.lifetime_cap IS
    'longest lifetime by lifetime_per_range, also of a symbol that has no range';
COMMENT ON COLUMN @extschema@.signal_rules.renew IS
    'whether a symbol is signalled again when the lifetime of its signal has passed and the condition still holds';
COMMENT ON COLUMN @extschema@.signal_rules.cooldown IS
    'least time from a signal of a symbol to the next one that is no renewal; null is the lifetime of the signal, so '
    'that no other comes while it lives';
COMMENT ON COLUMN @extschema@.signal_rules.cooldown_flips IS
    'whether a flip to the other side waits for the end of the cooldown, too; a flip that is held back ends the side '
    'that the symbol was in';
COMMENT ON COLUMN @extschema@.signal_rules.max_ticker_age IS 'statistics older than this are not judged';
COMMENT ON COLUMN @extschema@.signal_rules.max_signals_per_run IS
    'most signals one run sends: those with the best quality; the others wait for a later run';
COMMENT ON COLUMN @extschema@.signal_rules.max_spread_percent IS
    'widest spread, ask - bid, in percent of the price in their middle, and furthest that the last price may be '
    'outside of the two; an exchange that gives no bid or ask passes; null turns both off';
COMMENT ON COLUMN @extschema@.signal_rules.max_disagreement_percent IS
    'furthest that the last prices of two exchanges may be apart, in percent, for a signal to be sent; each run then '
    'asks a second exchange of signal_hub.exchanges, too, and a symbol that this does not have passes; null turns it '
    'off';
COMMENT ON COLUMN @extschema@.signal_rules.description IS
    'what the strategy looks for, where the idea is from, and what is known of its worth; for people';
COMMENT ON COLUMN @extschema@.signal_rules.shipped IS
    'true on rows that came with the extension, so that a restored dump replaces them; leave it alone';

CREATE TABLE @extschema@.signal_pause (
    only_row  boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    reason    text,
    paused_at timestamptz NOT NULL DEFAULT now(),
    paused_by text        NOT NULL DEFAULT session_user
);
COMMENT ON TABLE @extschema@.signal_pause IS
    'has one row while signals are paused and no row otherwise; see pause_signals()';
COMMENT ON COLUMN @extschema@.signal_pause.only_row IS 'always true: there is at most one row';
COMMENT ON COLUMN @extschema@.signal_pause.reason IS 'as given to pause_signals()';
COMMENT ON COLUMN @extschema@.signal_pause.paused_at IS 'when';
COMMENT ON COLUMN @extschema@.signal_pause.paused_by IS 'role that paused';
