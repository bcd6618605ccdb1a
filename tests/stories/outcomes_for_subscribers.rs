//! Who sees which outcomes: while a signal is open, who received it; then every subscriber, with
//! prices where their tier shows prices.

use signal_hub_harness::scene::{subscribe, user};
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::{Shop, claim};

/// Settles the outcome of a signal as its time had passed.
fn settle(session: &mut Session, number: i64) {
    session.run(&format!(
        "UPDATE signal_outcomes
            SET state = 'settled', best_target = 0, first_touch = 'stop', ended = 'stop', target_at = '{{}}', stop_at = signal_at,
                ended_at = signal_at, returns_percent = '{{-1.7,-1.7,-1.7}}', ladder_percent = -1.7, hold_percent = -2,
                mfe_percent = 0, mae_percent = 1.5, fee_percent = 0.1, resolution = '1s', ambiguous = false, gap = false
          WHERE signal_id = {number}"
    ));
}

/// "signal state received whether prices are shown" of each row of the view.
fn view(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT format('%s %s %s %s', signal_id, state, received,
                       CASE num_nulls(entry_price, stop_loss, take_profit, high_seen, low_seen) WHEN 0 THEN 'prices' WHEN 5 THEN '-' END)
           FROM user_signal_outcomes ORDER BY signal_id",
    )
}

/// A shop with MAX subscribers 1 to 3, FREE subscriber 10 and a second signal that only newcomer
/// 20 of MAX did not receive; the first is settled.
fn shop() -> Shop {
    let mut shop = Shop::open();
    shop.admin
        .run("UPDATE signal_tiers SET enabled = true, daily_quota = NULL");
    subscribe(&mut shop.admin, "FREE", 10, 10);
    shop.signal();
    shop.signal();
    subscribe(&mut shop.admin, "MAX", 20, 20);
    settle(&mut shop.admin, 1);
    shop
}

#[test]
fn subscribers_see_their_open_ones_and_all_that_are_settled() {
    let shop = shop();
    let mut client = shop.client(1);
    assert_eq!(
        view(&mut client),
        ["1 settled t prices", "2 open t prices"],
        "a tier that shows prices"
    );
    let mut free = shop.client(10);
    assert_eq!(
        view(&mut free),
        ["1 settled t -", "2 open t -"],
        "a tier that withholds them"
    );
    let mut newcomer = shop.client(20);
    assert_eq!(
        view(&mut newcomer),
        ["1 settled f prices"],
        "who did not receive the open one"
    );
    for session in [&mut client, &mut free] {
        assert_eq!(
            session.list::<i64>("SELECT signal_id FROM signal_outcomes ORDER BY 1"),
            [1, 2]
        );
    }
    assert_eq!(
        newcomer.list::<i64>("SELECT signal_id FROM signal_outcomes ORDER BY 1"),
        [1]
    );

    let mut nobody = shop.client(99);
    assert_eq!(view(&mut nobody), Vec::<String>::new());
    assert_eq!(
        nobody.one::<i64>("SELECT count(signal_id) FROM signal_outcomes"),
        0
    );
    nobody.run("SET request.jwt.claims = ''");
    assert_eq!(view(&mut nobody), Vec::<String>::new());
}

#[test]
fn a_subscription_that_ended_shows_no_prices_of_what_others_received() {
    let mut shop = shop();
    shop.admin.run(&format!(
        "UPDATE user_subscriptions SET status = 'canceled' WHERE user_id IN ('{}', '{}')",
        user(1),
        user(20)
    ));
    assert_eq!(
        view(&mut shop.client(1)),
        ["1 settled t prices", "2 open t prices"],
        "what was received is theirs"
    );
    assert_eq!(view(&mut shop.client(20)), ["1 settled f -"]);
}

#[test]
fn no_client_reads_a_price_or_changes_an_outcome() {
    let shop = shop();
    for number in [1, 10, 20] {
        let mut client = shop.client(number);
        for column in [
            "entry_price",
            "stop_loss",
            "take_profit",
            "high_seen",
            "low_seen",
            "source",
            "stop_loss_percent",
            "take_profit_percents",
            "range_percent",
            "forecast_target",
            "forecast_stop",
            "nonce",
            "*",
        ] {
            let error = client.error(&format!("SELECT {column} FROM signal_outcomes"));
            assert_eq!(error.code().code(), "42501", "{column}");
        }
        for statement in [
            "UPDATE signal_outcomes SET superseded_at = now()",
            "DELETE FROM signal_outcomes",
            "TRUNCATE signal_outcomes",
            "INSERT INTO signal_outcomes (signal_id) VALUES (7)",
            "SELECT verify_track_record()",
            "SELECT track_record_digest(current_date)",
        ] {
            assert_eq!(
                client.error(statement).code().code(),
                "42501",
                "{statement}"
            );
        }
        // A predicate of the client runs only on rows that are theirs to see.
        client.run(
            "CREATE FUNCTION pg_temp.leak(bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
                 AS 'BEGIN RAISE LOG ''leaked signal % of outcomes'', $1; RETURN true; END'",
        );
        client.rows("SELECT * FROM user_signal_outcomes WHERE pg_temp.leak(signal_id)");
    }
    let leaked = shop.cluster.log();
    assert_eq!(leaked.matches("leaked signal 1 of").count(), 3);
    assert_eq!(leaked.matches("leaked signal 2 of").count(), 2);
}

/// All that a client reads of outcomes, of the view and of the table, as JSON by signal.
fn all_that_is_read(admin: &mut Session, client: &mut Session) -> String {
    let granted: String = admin.one(
        "SELECT string_agg(attname, ', ') FROM pg_attribute
          WHERE attrelid = 'signal_outcomes'::regclass AND attnum > 0
            AND has_column_privilege('authenticated', attrelid, attnum, 'SELECT')",
    );
    client.one(&format!(
        "SELECT json_agg(to_jsonb(v) || to_jsonb(t))::text
           FROM user_signal_outcomes v JOIN (SELECT {granted} FROM signal_outcomes) t USING (signal_id)"
    ))
}

/// The entries that digests show to be those of open outcomes, to who reads this of outcomes and
/// of `head` and guesses the rest: that the entry is one of 20,001 prices about the market's, and
/// all else as it is. What is random cannot be guessed.
fn entries_found(admin: &mut Session, read: &str, head: &str) -> Vec<String> {
    admin.list(&format!(
        "WITH read AS (
             SELECT r FROM json_array_elements('{read}'::json) AS r
         ), digest AS (
             SELECT (r ->> 'opened_digest')::bytea AS digest FROM read
              UNION SELECT (r ->> 'digest')::bytea FROM read
              UNION SELECT '{head}'::bytea UNION SELECT ''::bytea
         ), guess AS MATERIALIZED (
             -- The stop moves along with the entry, so that both are right at once.
             SELECT (o).entry_price + n * 0.01 AS entry, sha256(d.digest || convert_to(signal_outcome_opened(
                        jsonb_populate_record(o, jsonb_build_object(
                            'nonce', r -> 'nonce', 'entry_price', (o).entry_price + n * 0.01,
                            'stop_loss', (o).stop_loss + n * 0.01))), 'UTF8')) AS digest
               FROM read JOIN signal_outcomes AS o ON o.signal_id = (r ->> 'signal_id')::bigint AND o.state = 'open'
              CROSS JOIN digest d CROSS JOIN generate_series(-10000, 10000) AS n
         )
         SELECT DISTINCT entry::text FROM guess JOIN digest USING (digest)"
    ))
}

#[test]
fn digests_of_an_open_outcome_do_not_tell_whether_a_guess_of_its_prices_is_right() {
    let mut shop = shop();
    let head = "SELECT track_record_digest(current_date)::text";
    let head: String = shop.admin.one(head);
    let mut free = shop.client(10);
    let read = all_that_is_read(&mut shop.admin, &mut free);
    assert_eq!(
        entries_found(&mut shop.admin, &read, &head),
        Vec::<String>::new()
    );
    // The search is a good one: with the missing part it finds the entry, and no other.
    let whole: String = shop
        .admin
        .one("SELECT json_agg(to_jsonb(o))::text FROM signal_outcomes o");
    let entry: Vec<String> = shop
        .admin
        .list("SELECT entry_price::text FROM signal_outcomes WHERE state = 'open'");
    assert_eq!(entries_found(&mut shop.admin, &whole, &head), entry);
}

#[test]
fn what_leads_to_the_levels_is_withheld_with_the_prices_until_it_is_settled() {
    let mut shop = shop();
    let shown = "SELECT format('%s %s', signal_id, concat_ws(' ',
                            CASE num_nulls(stop_loss_percent, take_profit_percents, range_percent)
                                WHEN 0 THEN 'distances' WHEN 3 THEN '-' END, 'nonce ' || nonce))
                   FROM user_signal_outcomes ORDER BY signal_id";
    let nonce: String = shop
        .admin
        .one("SELECT nonce::text FROM signal_outcomes WHERE signal_id = 1");
    let with_nonce = format!("1 distances nonce {nonce}");
    assert_eq!(
        shop.client(1).list::<String>(shown),
        [&with_nonce, "2 distances"]
    );
    assert_eq!(
        shop.client(10).list::<String>(shown),
        ["1 distances", "2 -"]
    );
    assert_eq!(shop.client(20).list::<String>(shown), [with_nonce]);
    assert_eq!(
        shop.admin
            .one::<i64>("SELECT count(DISTINCT nonce) FROM signal_outcomes"),
        2
    );
}

#[test]
fn monitors_and_the_service_read_all() {
    let mut shop = shop();
    shop.admin
        .run("CREATE ROLE watchman IN ROLE pg_monitor; SET ROLE watchman");
    assert_eq!(
        shop.admin
            .list::<i64>("SELECT signal_id FROM signal_outcomes WHERE entry_price > 0 ORDER BY 1"),
        [1, 2]
    );
    assert!(shop.admin.one::<bool>(
        "SELECT ok AND head = track_record_digest(current_date) FROM verify_track_record()"
    ));
    shop.admin.run("RESET ROLE; SET ROLE service_role");
    assert_eq!(
        shop.admin.list::<i64>(
            "SELECT signal_id FROM signal_outcomes ORDER BY entry_price > 0, signal_id"
        ),
        [1, 2]
    );
    assert!(
        shop.admin
            .one::<bool>("SELECT ok FROM verify_track_record()")
    );
    let error = shop.admin.error("SELECT source FROM signal_outcomes");
    assert_eq!(error.code().code(), "42501");
}

#[test]
fn outcomes_are_published_without_prices() {
    let mut shop = Shop::open();
    let said: String = shop.admin.one("SELECT enable_realtime()");
    assert!(
        said.contains("signal_outcomes added to publication \"signal_hub\" without prices"),
        "{said}"
    );
    let said: String = shop.admin.one("SELECT enable_realtime()");
    assert!(said.contains("signal_outcomes was in"), "{said}");
    let hidden: Vec<String> = shop.admin.list(
        "SELECT a.attname::text FROM pg_attribute a
          WHERE a.attrelid = 'signal_outcomes'::regclass AND a.attnum > 0
            AND a.attname <> ALL ((SELECT attnames FROM pg_publication_tables WHERE tablename = 'signal_outcomes')::name[])
          ORDER BY 1",
    );
    assert_eq!(
        hidden,
        [
            "entry_price",
            "forecast_stop",
            "forecast_target",
            "high_seen",
            "low_seen",
            "nonce",
            "range_percent",
            "source",
            "stop_loss",
            "stop_loss_percent",
            "take_profit",
            "take_profit_percents"
        ]
    );
    shop.admin
        .run("SELECT pg_create_logical_replication_slot('reader', 'pgoutput')");
    shop.signal();
    settle(&mut shop.admin, 1);
    let price: String = shop
        .admin
        .one("SELECT encode(entry_price::text::bytea, 'hex') FROM signal_outcomes");
    let changes: Vec<String> = shop.admin.list(
        "SELECT encode(data, 'hex') FROM pg_logical_slot_get_binary_changes('reader', NULL, NULL, 'proto_version', '1', 'publication_names', 'signal_hub')
          WHERE get_byte(data, 0) IN (ascii('I'), ascii('U')) AND strpos(encode(data, 'escape'), '-1.7') > 0",
    );
    assert_eq!(changes.len(), 1, "the outcome arrives once");
    assert!(!changes[0].contains(&price), "without its price");
    let mut client = shop.client(1);
    claim(&mut client, 1);
    assert_eq!(view(&mut client), ["1 settled t prices"]);
}
