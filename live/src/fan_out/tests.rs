use super::*;
use std::convert::Infallible;
use std::time::Duration;

fn user(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn send(fan_out: &FanOut, number: u128, text: &'static str) -> u64 {
    let event = || Ok::<_, Infallible>(Bytes::from_static(text.as_bytes()));
    fan_out.send(&user(number), event).expect("no error")
}

fn texts(subscription: &mut Subscription) -> Vec<Bytes> {
    let events = std::iter::from_fn(|| subscription.receive_now());
    let events = events.filter_map(|message| match message {
        Message::Event(bytes) | Message::Signal(bytes, _) => Some(bytes),
        _ => None,
    });
    events.collect()
}

fn an_end() -> Ended {
    Ended {
        server: 0,
        asked: std::time::Instant::now(),
        number: 7,
        next: 7,
        position: 0,
    }
}

#[test]
fn each_client_gets_the_rows_of_its_subscriber_and_no_others() {
    let fan_out = FanOut::new(10);
    let mut phone = fan_out.subscribe(user(1)).expect("room");
    let mut desk = fan_out.subscribe(user(1)).expect("room");
    let mut other = fan_out.subscribe(user(2)).expect("room");
    assert_eq!(send(&fan_out, 1, "a"), 2);
    assert_eq!(send(&fan_out, 2, "b"), 1);
    let never = || -> Result<Bytes, Infallible> { panic!("made for nobody") };
    assert_eq!(fan_out.send(&user(3), never).expect("no error"), 0);
    assert_eq!(texts(&mut phone), ["a"]);
    assert_eq!(texts(&mut desk), ["a"]);
    assert_eq!(texts(&mut other), ["b"]);
    drop(phone);
    assert_eq!(send(&fan_out, 1, "c"), 1);
    assert_eq!(texts(&mut desk), ["c"]);
    drop((desk, other));
    assert_eq!(fan_out.clients(), 0);
    assert!(fan_out.lock().is_empty());
}

#[tokio::test]
async fn a_slow_client_gets_what_was_queued_and_then_the_end() {
    let fan_out = FanOut::new(10);
    let mut slow = fan_out.subscribe(user(1)).expect("room");
    let mut quick = fan_out.subscribe(user(1)).expect("room");
    for _ in 0..QUEUE_MESSAGES {
        assert_eq!(send(&fan_out, 1, "x"), 2);
        assert_eq!(texts(&mut quick).len(), 1);
    }
    assert_eq!(send(&fan_out, 1, "one too many"), 1);
    assert_eq!((fan_out.clients(), fan_out.dropped()), (1, 1));
    for _ in 0..QUEUE_MESSAGES {
        assert!(matches!(slow.receive().await, Some(Message::Event(_))));
    }
    assert!(slow.receive().await.is_none());
    assert_eq!(texts(&mut quick), ["one too many"]);
}

#[test]
fn a_queue_is_bounded_in_bytes_too() {
    let fan_out = FanOut::new(10);
    let mut client = fan_out.subscribe(user(1)).expect("room");
    let big = Bytes::from(vec![b'x'; QUEUE_BYTES + 1]);
    let sent = |fan_out: &FanOut| fan_out.send(&user(1), || Ok::<_, Infallible>(big.clone()));
    assert_eq!(sent(&fan_out), Ok(1), "one that is alone goes through");
    assert_eq!(texts(&mut client).len(), 1);
    assert_eq!(sent(&fan_out), Ok(1));
    assert_eq!(send(&fan_out, 1, "x"), 0);
    assert_eq!(fan_out.dropped(), 1);
}

#[test]
fn a_resume_point_comes_after_its_rows_and_only_on_request() {
    let fan_out = FanOut::new(10);
    let ended = an_end();
    let mut client = fan_out.subscribe(user(1)).expect("room");
    send(&fan_out, 1, "a");
    fan_out.ended(ended);
    fan_out.ended(ended);
    assert!(matches!(client.receive_now(), Some(Message::Event(_))));
    assert!(matches!(client.receive_now(), Some(Message::Ended(_))));
    assert!(client.receive_now().is_none());
    fan_out.announce_gap();
    assert!(matches!(client.receive_now(), Some(Message::Gap)));
    fan_out.ended(ended);
    assert!(matches!(client.receive_now(), Some(Message::Ended(_))));
}

#[test]
fn a_resume_point_that_found_no_room_comes_later() {
    let fan_out = FanOut::new(10);
    let mut client = fan_out.subscribe(user(1)).expect("room");
    for _ in 0..QUEUE_MESSAGES {
        send(&fan_out, 1, "x");
    }
    fan_out.ended(an_end());
    assert_eq!(texts(&mut client).len(), QUEUE_MESSAGES);
    fan_out.ended(an_end());
    assert!(matches!(client.receive_now(), Some(Message::Ended(_))));
}

fn of(number: i64, symbol: &str) -> Signal {
    Signal {
        number,
        symbol: Some(symbol.to_owned()),
    }
}

#[test]
fn an_outcome_goes_to_the_clients_that_await_it_until_it_is_final() {
    let fan_out = FanOut::new(10);
    let mut holder = fan_out.subscribe(user(1)).expect("room");
    let mut reader = fan_out.subscribe(user(2)).expect("room");
    let mut other = fan_out.subscribe(user(3)).expect("room");
    let signal = || Ok::<_, Infallible>((Bytes::from_static(b"signal"), of(7, "AUSDT")));
    assert_eq!(fan_out.send_signal(&user(1), 0, signal), Ok(1));
    let held = [(5, "BUSDT"), (6, "CUSDT"), (7, "AUSDT")];
    reader.await_outcomes(held.map(|(number, symbol)| of(number, symbol)), &[5]);
    assert_eq!(
        [&holder, &reader, &other].map(|client| client
            .symbols()
            .iter()
            .cloned()
            .collect::<Vec<_>>()),
        [vec!["AUSDT"], vec!["AUSDT", "CUSDT"], vec![]]
    );
    let outcome = |text: &'static str, is_final| {
        fan_out.send_outcome(7, &Bytes::from_static(text.as_bytes()), is_final)
    };
    assert_eq!(outcome("seen", false), 2);
    assert_eq!(outcome("settled", true), 2);
    assert_eq!(outcome("again", true), 0);
    assert_eq!(texts(&mut holder), ["signal", "seen", "settled"]);
    assert_eq!(texts(&mut reader), ["seen", "settled"]);
    assert!(texts(&mut other).is_empty());
    assert_eq!(
        (holder.awaited(), reader.awaited(), other.awaited()),
        (vec![], vec![6], vec![])
    );
}

#[test]
fn of_too_many_outcomes_those_of_the_newest_signals_are_awaited() {
    let fan_out = FanOut::new(10);
    let client = fan_out.subscribe(user(1)).expect("room");
    client.await_outcomes((1..=1500).map(|number| of(number, "AUSDT")), &[]);
    assert_eq!(client.awaited(), (501..=1500).collect::<Vec<_>>());
}

#[test]
fn there_is_room_for_as_many_clients_as_the_limit() {
    let fan_out = FanOut::new(2);
    let first = fan_out.subscribe(user(1)).expect("room");
    let _second = fan_out.subscribe(user(2)).expect("room");
    assert_eq!(fan_out.subscribe(user(3)).err(), Some(Full));
    drop(first);
    assert!(fan_out.subscribe(user(3)).is_ok());
}

#[tokio::test]
async fn the_newest_client_of_a_subscriber_takes_the_place_of_the_oldest() {
    let fan_out = FanOut::new(PER_USER + 1);
    let mut clients: Vec<_> = (0..PER_USER)
        .map(|_| fan_out.subscribe(user(1)).expect("room"))
        .collect();
    let _other = fan_out.subscribe(user(2)).expect("room");
    // The service is full as well, and stays full.
    let mut newest = fan_out
        .subscribe(user(1))
        .expect("a place that is given up");
    assert_eq!(fan_out.clients(), PER_USER + 1);
    assert_eq!(send(&fan_out, 1, "a"), PER_USER as u64);
    assert_eq!(texts(&mut newest), ["a"]);
    assert!(clients[0].receive().await.is_none());
    assert_eq!(clients[0].end_reason(), "replaced");
    assert_eq!(texts(&mut clients[1]), ["a"]);
    assert_eq!(fan_out.dropped(), 0, "it was not slow");
    clients.clear();
    assert_eq!(fan_out.clients(), 2);
}

#[test]
fn a_page_is_in_view_until_it_says_otherwise_or_nothing_any_more() {
    let fan_out = FanOut::new(10);
    let (page, beside) = (fan_out.subscribe(user(1)), fan_out.subscribe(user(1)));
    let (page, beside) = (page.expect("room"), beside.expect("room"));
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let says =
        |client: &Subscription, is, now| fan_out.set_in_view(&user(1), client.number(), is, now);
    let seen = |seconds| {
        let is = fan_out.is_in_view(&user(1), at(seconds));
        assert_eq!(fan_out.in_view(at(seconds)).contains(&user(1)), is);
        is
    };
    assert!(!seen(0));
    says(&page, true, at(0));
    says(&page, true, at(20));
    assert!(seen(20 + 44) && !seen(20 + 45), "it says so no more");
    says(&beside, true, at(30));
    says(&page, false, at(30));
    assert!(seen(31), "the one beside it");
    says(&beside, false, at(32));
    assert!(!seen(32));
    fan_out.set_in_view(&user(2), page.number(), true, at(33));
    assert!(
        !seen(33) && !fan_out.is_in_view(&user(2), at(33)),
        "it is not theirs"
    );
}
