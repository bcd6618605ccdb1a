//! What a subscriber writes: marks that a signal was seen, and that it was followed.

use signal_hub_harness::shop::Shop;

#[test]
fn a_subscriber_marks_a_signal_and_the_server_says_when() {
    let mut shop = Shop::open();
    shop.signal();
    let mut client = shop.client(2);
    let marks = "SELECT format('%s %s %s %s', viewed, viewed_at IS NOT NULL, clicked, clicked_at IS NOT NULL) FROM user_signals";
    assert_eq!(client.one::<String>(marks), "f f f f");
    client.run("UPDATE user_signals SET viewed = true");
    assert_eq!(client.one::<String>(marks), "t t f f");
    assert!(client.one::<bool>(
        "SELECT viewed_at BETWEEN now() - interval '1 minute' AND clock_timestamp() FROM user_signals"
    ));
    // Marking it again, as a second tab does, does not change the time.
    let before: String = client.one("SELECT viewed_at::text FROM user_signals");
    client.run("UPDATE user_signals SET viewed = true, clicked = true");
    assert_eq!(
        client.one::<String>("SELECT viewed_at::text FROM user_signals"),
        before
    );
    assert_eq!(client.one::<String>(marks), "t t t t");
    client.run("UPDATE user_signals SET viewed = false");
    assert_eq!(client.one::<String>(marks), "f f t t");
    for column in [
        "viewed_at = now()",
        "clicked_at = NULL",
        "confidence = 100",
        "entry_price = 1",
        "user_id = gen_random_uuid()",
        "metadata = '{}'",
    ] {
        let error = client.error(&format!("UPDATE user_signals SET {column}"));
        assert_eq!(error.code().code(), "42501", "{column}");
    }
    let others: i64 = shop
        .admin
        .one("SELECT count(*) FROM user_signals WHERE clicked");
    assert_eq!(others, 1, "the rows of others were not marked");
}
