//! Tables of the extension that were given to somebody else, who puts others in their place or
//! changes what their columns are.

use super::*;

/// Mallory owns some tables of the extension, moves them away, and puts her own under their names.
const MOVED: &str = "
    SET ROLE mallory;
    CREATE SCHEMA mine;
    CREATE FUNCTION mine.read() RETURNS SETOF text LANGUAGE plpgsql AS
        'BEGIN PERFORM theirs.spring(); RETURN NEXT ''MAX''; END';
    CREATE VIEW mine.signal_tiers AS SELECT t AS tier, 1 AS priority FROM mine.read() t;
    CREATE TABLE mine.signal_rule_versions (strategy text, parameters jsonb);
    CREATE TRIGGER climb AFTER INSERT ON mine.signal_rule_versions FOR EACH ROW EXECUTE FUNCTION theirs.climb();
    CREATE FUNCTION mine.signal_hub_rule_parameters(public.signal_rules) RETURNS jsonb LANGUAGE sql AS
        'SELECT theirs.spring(); SELECT ''{}''::jsonb';
    ALTER TABLE public.user_subscriptions SET SCHEMA mine;
    ALTER TABLE public.signal_rules SET SCHEMA mine;
    RESET ROLE";

/// A column of the tables becomes one of a type of hers, which its cast reads as she likes.
const CAST: &str = "
    SET ROLE mallory;
    CREATE TYPE theirs.word AS ENUM ('MAX', '3');
    CREATE FUNCTION theirs.as_text(theirs.word) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
        'BEGIN PERFORM theirs.spring(); RETURN ''MAX''; END';
    CREATE FUNCTION theirs.as_number(theirs.word) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS
        'BEGIN PERFORM theirs.spring(); RETURN 3; END';
    CREATE CAST (theirs.word AS text) WITH FUNCTION theirs.as_text(theirs.word) AS IMPLICIT;
    CREATE CAST (theirs.word AS numeric) WITH FUNCTION theirs.as_number(theirs.word) AS IMPLICIT;
    ALTER TABLE public.signal_rules RENAME max_spread_percent TO was;
    ALTER TABLE public.signal_rules ADD max_spread_percent theirs.word DEFAULT '3';
    RESET ROLE";

fn given_to_mallory(version: &str) -> (Cluster, Session) {
    let cluster = Options::not_preloaded().start();
    let mut session = cluster.session(POSTGRES);
    session.run(&format!(
        "CREATE ROLE mallory; CREATE EXTENSION signal_hub {version};
         CREATE SCHEMA theirs AUTHORIZATION mallory; GRANT CREATE ON SCHEMA public TO mallory;
         GRANT CREATE ON DATABASE postgres TO mallory;
         SET ROLE mallory; {TRAP}; RESET ROLE;
         ALTER TABLE user_subscriptions OWNER TO mallory; ALTER TABLE signal_rules OWNER TO mallory"
    ));
    (cluster, session)
}

fn no_trap_was_sprung(cluster: &Cluster, after: &str) {
    let log = cluster.log();
    let sprung = log.lines().find(|line| line.contains("a trap was sprung"));
    assert_eq!(sprung, None, "{after}");
}

#[test]
fn triggers_of_the_extension_use_nothing_that_was_put_in_the_place_of_its_tables() {
    let (cluster, mut session) = given_to_mallory("");
    session.run(MOVED);
    session.run(
        "SET ROLE mallory;
         INSERT INTO mine.user_subscriptions (user_id, tier) VALUES (gen_random_uuid(), 'MAX')",
    );
    no_trap_was_sprung(&cluster, "a subscriber was added");
    let change = "UPDATE mine.signal_rules SET enter_change_percent = 4, enabled = true WHERE strategy = 'momentum'";
    let error = session.error(change);
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    assert!(error.hint().is_some());
    no_trap_was_sprung(&cluster, "a rule was changed");
    // Back where they belong, and with their owner again.
    session.run(
        "ALTER TABLE mine.signal_rules SET SCHEMA public; ALTER TABLE mine.user_subscriptions SET SCHEMA public;
         RESET ROLE; ALTER TABLE signal_rules OWNER TO postgres; ALTER TABLE user_subscriptions OWNER TO postgres",
    );
    session.run("UPDATE signal_rules SET enter_change_percent = 4 WHERE strategy = 'momentum'");
}

#[test]
fn triggers_of_the_extension_call_no_cast_of_who_owns_one_of_its_tables() {
    let (cluster, mut session) = given_to_mallory("");
    session.run(CAST);
    let error = session.error(
        "SET ROLE mallory; UPDATE signal_rules SET enter_change_percent = 4 WHERE strategy = 'momentum'",
    );
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    assert!(
        error
            .detail()
            .is_some_and(|d| d.contains("belongs to mallory")),
        "{:?}",
        error.detail()
    );
    no_trap_was_sprung(&cluster, "a rule was changed");
    session.run(
        "SET ROLE mallory; ALTER TABLE user_subscriptions DROP CONSTRAINT user_subscriptions_tier_fkey;
         ALTER TABLE user_subscriptions RENAME tier TO was_tier;
         ALTER TABLE user_subscriptions ALTER was_tier DROP NOT NULL;
         ALTER TABLE user_subscriptions ADD tier theirs.word",
    );
    session.run(
        "SELECT set_config('signal_hub_known.tier', 'MAX', false);
         INSERT INTO user_subscriptions (user_id, tier) VALUES (gen_random_uuid(), 'MAX')",
    );
    no_trap_was_sprung(&cluster, "a subscriber was added");
}

#[test]
fn an_update_touches_no_table_that_was_put_in_the_place_of_one() {
    let (cluster, mut session) = given_to_mallory("VERSION '0.2.0'");
    session.run(
        "SET ROLE mallory; CREATE SCHEMA mine; ALTER TABLE public.user_subscriptions SET SCHEMA mine;
         CREATE TABLE public.user_subscriptions (LIKE mine.user_subscriptions INCLUDING ALL);
         INSERT INTO public.user_subscriptions (user_id, tier) VALUES (gen_random_uuid(), 'MAX');
         CREATE INDEX climb ON public.user_subscriptions (theirs.same(tier));
         CREATE TRIGGER climb BEFORE UPDATE OR INSERT ON public.user_subscriptions
             FOR EACH ROW EXECUTE FUNCTION theirs.climb();
         RESET ROLE",
    );
    let error = session.error("ALTER EXTENSION signal_hub UPDATE");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    no_trap_was_sprung(&cluster, "the update");
    session.run(
        "DROP TABLE public.user_subscriptions; ALTER TABLE mine.user_subscriptions SET SCHEMA public;
         ALTER TABLE public.user_subscriptions OWNER TO postgres; ALTER TABLE signal_rules OWNER TO postgres;
         ALTER EXTENSION signal_hub UPDATE",
    );
}
