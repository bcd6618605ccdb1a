//! What a subscriber wants, and why signals come or do not.

use crate::service::open;
use serde_json::{Value, json};

#[test]
fn a_subscriber_learns_why_nothing_comes_and_changes_what_they_want() {
    let (mut shop, service) = open();
    let token = service.token(2);
    let status = |token: &str| service.json("/api/status", token);
    assert_eq!(status(&token)["entitled"], true, "{}", status(&token));
    // 20 has no subscription.
    let stranger = status(&service.token(20));
    assert_eq!(stranger["reason"], "no_subscription");
    assert!(
        stranger["message"]
            .as_str()
            .expect("text")
            .starts_with("You have no subscription")
    );
    assert_eq!(service.get("/api/status", None).status(), 401);

    let nothing = service.json("/api/preferences", &token);
    let members = nothing.as_object().expect("an object");
    assert!(
        members.len() == 10 && members.values().all(Value::is_null),
        "{nothing}"
    );
    let wanted = json!({"not_symbols": ["BTCUSDT"], "min_quality": 50.5, "quiet_from": "22:00:00",
        "quiet_until": "07:00:00", "time_zone": "Europe/Berlin"});
    let (status_of_put, kept) = service.put("/api/preferences", &token, &wanted.to_string());
    assert_eq!(status_of_put, 200, "{kept}");
    for (name, value) in wanted.as_object().expect("an object") {
        assert_eq!(&kept[name], value, "{name}");
    }
    assert_eq!(service.json("/api/preferences", &token), kept);
    let hours = json!({"from": "22:00:00", "until": "07:00:00", "time_zone": "Europe/Berlin"});
    assert_eq!(status(&token)["quiet_hours"], hours);
    assert!(status(&service.token(3))["quiet_hours"].is_null());
    let others = service.json("/api/preferences", &service.token(3));
    assert!(others["not_symbols"].is_null(), "theirs alone: {others}");

    shop.signal();
    assert_eq!(status(&token)["reason"], "filtered", "{}", status(&token));
    // What is not said is not wanted any more.
    assert_eq!(service.put("/api/preferences", &token, "{}").0, 200);
    assert!(service.json("/api/preferences", &token)["not_symbols"].is_null());
}

#[test]
fn preferences_that_are_refused_are_refused_in_words_and_change_nothing() {
    let (_shop, service) = open();
    let token = service.token(2);
    assert_eq!(
        service
            .put("/api/preferences", &token, r#"{"max_per_day": 3}"#)
            .0,
        200
    );
    for (body, words) in [
        (
            r#"{"sides": ["UP"]}"#,
            "sides must be LONG, SHORT or both, or null",
        ),
        (
            r#"{"min_quality": 101}"#,
            "min_quality must be from 0 to 100",
        ),
        (
            r#"{"only_symbols": ["btcusdt"]}"#,
            "symbols must be in upper case",
        ),
        (
            r#"{"quiet_from": "22:00", "quiet_until": "07:00", "time_zone": "Mars"}"#,
            "the time zone is not known",
        ),
        (
            r#"{"quiet_from": "25:99"}"#,
            "a value is not of the kind that it must be",
        ),
        (
            r#"{"max_per_day": "many"}"#,
            "a value is not of the kind that it must be",
        ),
        ("[]", "the body must be an object"),
    ] {
        let (status, said) = service.put("/api/preferences", &token, body);
        assert_eq!(
            (status, said["error"].as_str()),
            (400, Some(words)),
            "{body}"
        );
    }
    // Whose row it is, is the token's to say.
    let foreign = format!(r#"{{"user_id": "{}", "max_per_day": 5}}"#, uuid(3));
    assert_eq!(service.put("/api/preferences", &token, &foreign).0, 200);
    assert_eq!(service.json("/api/preferences", &token)["max_per_day"], 5);
    assert!(service.json("/api/preferences", &service.token(3))["max_per_day"].is_null());
    assert_eq!(
        service
            .put(
                "/api/preferences",
                &token,
                &format!("{{\"x\": \"{}\"}}", "y".repeat(40_000))
            )
            .0,
        413
    );
}

fn uuid(user: u64) -> String {
    format!("00000000-0000-0000-0000-{user:012}")
}
