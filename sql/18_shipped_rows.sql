-- Part: once
-- What the extension ships. MAX is on; the other tiers wait for one UPDATE.
INSERT INTO @extschema@.signal_tiers (tier, enabled, daily_quota, full_details, priority, shipped) VALUES
    ('MAX',  true,  30, true,  30, true),
    ('PRO',  false, 15, true,  20, true),
    ('FREE', false,  2, false, 10, true);

INSERT INTO @extschema@.signal_symbols (symbol, base_asset, quote_asset, shipped) VALUES
    ('BTCUSDT',  'BTC',  'USDT', true),
    ('ETHUSDT',  'ETH',  'USDT', true),
    ('BNBUSDT',  'BNB',  'USDT', true),
    ('SOLUSDT',  'SOL',  'USDT', true),
    ('XRPUSDT',  'XRP',  'USDT', true),
    ('ADAUSDT',  'ADA',  'USDT', true),
    ('DOGEUSDT', 'DOGE', 'USDT', true),
    ('AVAXUSDT', 'AVAX', 'USDT', true),
    ('LINKUSDT', 'LINK', 'USDT', true),
    ('LTCUSDT',  'LTC',  'USDT', true);

INSERT INTO @extschema@.signal_rules (strategy, shipped, description) VALUES ('momentum', true,
    'Follows a 24h change beyond a threshold. No edge was shown: on recorded candles of twelve pairs (2020-12 to '
    '2021-07) its signals return what a coin flip at the same moments does.');
