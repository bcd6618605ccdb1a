//! An application that has subscriptions and signals of its own in public moves in, and moves out
//! again.

mod by_the_worker;
mod document;
mod shapes;
mod signals;
mod subscriptions;
mod trust;

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::by_hand;
use signal_hub_harness::session::Session;
use signal_hub_simulator::Simulator;

/// The tables of such an application, as they are found: two subscriptions of one user, tiers in
/// lower case, a status that is only the payment service's, a row that the old function wrote.
const OLD_STACK: &str = r#"
    CREATE ROLE app_owner; CREATE ROLE authenticated; CREATE ROLE anon; CREATE ROLE service_role BYPASSRLS;
    GRANT CREATE ON SCHEMA public TO app_owner;
    SET ROLE app_owner;
    CREATE TABLE public.user_subscriptions (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL, tier text NOT NULL DEFAULT 'FREE',
        status text NOT NULL DEFAULT 'active', stripe_customer_id text, current_period_start timestamptz,
        current_period_end timestamptz, cancel_at_period_end boolean DEFAULT false,
        created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
    CREATE INDEX ON public.user_subscriptions (user_id);
    CREATE TABLE public.user_signals (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL, signal_id text NOT NULL,
        tier text NOT NULL, symbol text NOT NULL, signal_type text NOT NULL, confidence numeric,
        quality_score numeric, entry_price numeric, take_profit numeric[], stop_loss numeric,
        expires_at timestamptz, metadata jsonb DEFAULT '{}', full_details boolean DEFAULT true,
        viewed boolean DEFAULT false, clicked boolean DEFAULT false, created_at timestamptz DEFAULT now(),
        UNIQUE (user_id, signal_id));
    ALTER TABLE public.user_signals ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON public.user_signals
        USING (user_id = (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid);
    GRANT ALL ON public.user_signals TO authenticated, service_role;
    GRANT ALL ON public.user_subscriptions TO service_role;
    INSERT INTO public.user_subscriptions (user_id, tier, status) VALUES
        ('00000000-0000-0000-0000-000000000001', 'MAX', 'active'),
        ('00000000-0000-0000-0000-000000000001', 'FREE', 'canceled'),
        ('00000000-0000-0000-0000-000000000002', 'pro', 'active'),
        ('00000000-0000-0000-0000-000000000003', 'FREE', 'incomplete');
    INSERT INTO public.user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, metadata) VALUES
        ('00000000-0000-0000-0000-000000000001', 'BTCUSDT-1700000000000-MAX', 'MAX', 'BTCUSDT', 'LONG', 42,
         '{"generatedBy": "edge-function"}');
    RESET ROLE;
    CREATE PUBLICATION supabase_realtime FOR TABLE public.user_signals;"#;

/// Beside the tables of the application.
const INSTALL: &str = "CREATE SCHEMA signal_hub; CREATE EXTENSION signal_hub SCHEMA signal_hub";

/// A server with such an application, and the extension in a schema of its own.
fn beside_the_application(market: &Simulator) -> (Cluster, Session) {
    let cluster = by_hand(market).set("wal_level", "logical").start();
    let mut session = cluster.session(POSTGRES);
    session.run(OLD_STACK);
    session.run(INSTALL);
    (cluster, session)
}

/// What user_subscriptions of the extension says, a line for each subscriber.
fn subscribers(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT format('%s %s %s', ltrim(right(user_id::text, 12), '0'), tier, status)
           FROM signal_hub.user_subscriptions ORDER BY user_id",
    )
}
