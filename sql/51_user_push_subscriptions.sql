-- Part: once, since 0.3.0
-- Where subscribers can be reached while no page is open: a row per browser that asked for Web Push.
-- What is sent there is encrypted for the keys in the row (RFC 8291). The names of constraints are what
-- whoever is refused reads.
CREATE TABLE @extschema@.user_push_subscriptions (
    user_id       uuid        NOT NULL,
    endpoint      text        NOT NULL CONSTRAINT "endpoint must be the https address of a push service"
                              CHECK (length(endpoint) <= 2000
                                     AND endpoint ~ '^(https://|http://(localhost|127[.]0[.]0[.]1)[:/])[!-~]+$'),
    p256dh        text        NOT NULL CONSTRAINT "p256dh must be a point of the curve P-256 in base64url"
                              CHECK (p256dh ~ '^B[A-Za-z0-9_-]{86}$'),
    auth          text        NOT NULL CONSTRAINT "auth must be 16 bytes in base64url"
                              CHECK (auth ~ '^[A-Za-z0-9_-]{22}$'),
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_sent_at  timestamptz,
    failing_since timestamptz,
    last_failure  text,
    PRIMARY KEY (user_id, endpoint)
);
COMMENT ON TABLE @extschema@.user_push_subscriptions IS
    'browsers that subscribers want notifications in while no page is open, by Web Push; theirs to add and delete, '
    'about 20 each: of more, the oldest are deleted. The live service sends, and deletes what a push service no '
    'longer knows';
COMMENT ON COLUMN @extschema@.user_push_subscriptions.user_id IS
    'the subscriber; the row stays when their subscription is deleted';
COMMENT ON COLUMN @extschema@.user_push_subscriptions.endpoint IS
    'address of the browser at its push service; whoever knows it can ask for messages to be sent there';
COMMENT ON COLUMN @extschema@.user_push_subscriptions.p256dh IS
    'public key of the browser, a point of P-256, uncompressed, in base64url';
COMMENT ON COLUMN @extschema@.user_push_subscriptions.auth IS 'secret that the browser shares, 16 bytes in base64url';
COMMENT ON COLUMN @extschema@.user_push_subscriptions.created_at IS 'when the browser was added';
COMMENT ON COLUMN @extschema@.user_push_subscriptions.last_sent_at IS
    'when a message was last accepted for it, to the hour; null: never';
COMMENT ON COLUMN @extschema@.user_push_subscriptions.failing_since IS
    'since when no message is accepted; null: the last one was. After 7 days the row is deleted';
COMMENT ON COLUMN @extschema@.user_push_subscriptions.last_failure IS 'why, in words for operators';
ALTER TABLE @extschema@.user_push_subscriptions ENABLE ROW LEVEL SECURITY;
SELECT pg_catalog.pg_extension_config_dump('@extschema@.user_push_subscriptions', '');

-- Which notifications are somebody's already, so that of several services one sends each, and a service
-- that reads rows again after a crash does not send them again. It survives a crash for that.
CREATE TABLE @extschema@.signal_push_claims (
    user_id    uuid        NOT NULL,
    signal_id  bigint      NOT NULL,
    claim      uuid        NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, signal_id)
) WITH (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 1000);
CREATE INDEX signal_push_claims_claimed_at_idx ON @extschema@.signal_push_claims (claimed_at);
COMMENT ON TABLE @extschema@.signal_push_claims IS
    'notifications that a live service has taken upon itself to send, so that no other does; for an hour';
COMMENT ON COLUMN @extschema@.signal_push_claims.user_id IS 'the subscriber';
COMMENT ON COLUMN @extschema@.signal_push_claims.signal_id IS 'the signal';
COMMENT ON COLUMN @extschema@.signal_push_claims.claim IS
    'made up by the service for each piece of work, which it may so claim again when it got no answer';
COMMENT ON COLUMN @extschema@.signal_push_claims.claimed_at IS 'when';
COMMENT ON INDEX @extschema@.signal_push_claims_claimed_at_idx IS 'old claims are deleted';
