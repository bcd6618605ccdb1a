-- Part: once, since 0.3.0
-- The other strategies are shipped disabled, as none is proven. The deflated Sharpe ratio (Bailey
-- and Lopez de Prado 2014, "The Deflated Sharpe Ratio") is the probability that the best of so
-- many tried strategies is better than luck; 0.95 is asked of what is called proven.
INSERT INTO @extschema@.signal_rules
       (strategy, enabled, enter_change_percent, exit_change_percent, lifetime, stop_loss_percent,
        take_profit_percents, description, shipped)
VALUES ('breakout', false, DEFAULT, DEFAULT, '7 days', 10, '{20}',
        'Unproven. Follows a price above the highest high or below the lowest low of 20 days. Brock, Lakonishok, '
        'LeBaron 1992, "Simple Technical Trading Rules and the Stochastic Properties of Stock Returns". Deflated '
        'Sharpe ratio 0.87 of 14 strategies tried on one file of pairs that survived; 0.95 would be proof.', true),
       ('reversal', false, 8, DEFAULT, '24 hours', 5, '{5}',
        'Unproven. Buys after a 24h change below -8 %. Jegadeesh 1990, "Evidence of Predictable Behavior of Security '
        'Returns"; Lehmann 1990, "Fads, Martingales, and Market Efficiency". Deflated Sharpe ratio 0.10 of 14 '
        'strategies tried on one file of pairs that survived; 0.95 would be proof.', true),
       ('tsmom', false, DEFAULT, DEFAULT, '7 days', 10, '{20}',
        'Unproven. Follows the sign of the 28-day return. Moskowitz, Ooi, Pedersen 2012, "Time Series Momentum". '
        'Deflated Sharpe ratio 0.59 of 14 strategies tried on one file of pairs that survived; 0.95 would be proof.',
        true);
