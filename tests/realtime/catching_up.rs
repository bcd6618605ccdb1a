//! A client that was away gets every row it has not seen, however late its transaction committed.

use signal_hub_harness::scene::user;
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::{Page, Shop, begin, import, page, since};
use std::collections::BTreeMap;

#[test]
fn a_client_begins_with_the_newest_and_goes_on_from_there() {
    let mut shop = Shop::open();
    for _ in 0..4 {
        shop.signal();
    }
    let mut client = shop.client(2);
    let Page {
        watermark,
        more,
        signals,
    } = page(&mut client, "NULL", "3");
    assert_eq!(signals, [2, 3, 4]);
    assert!(!more, "older ones are there to be read by signal_id");
    assert_eq!(begin(&mut client).signals, [1, 2, 3, 4]);
    assert_eq!(since(&mut client, &watermark).signals, Vec::<i64>::new());

    shop.signal();
    let Page {
        watermark, signals, ..
    } = since(&mut client, &watermark);
    assert_eq!(signals, [5]);
    // Another device of the same subscriber has marked it as seen.
    shop.client(2)
        .run("UPDATE user_signals SET viewed = true WHERE signal_id = 3");
    let viewed: Vec<i64> = client.list(&format!(
        "SELECT s.signal_id FROM signals_since('{watermark}') p, unnest(p.signals) s WHERE s.viewed"
    ));
    assert_eq!(viewed, [3]);
    let Page {
        watermark, signals, ..
    } = since(&mut client, &watermark);
    assert_eq!(signals, [3]);
    // What others get or mark does not come to this client.
    shop.client(1).run("UPDATE user_signals SET viewed = true");
    assert_eq!(since(&mut client, &watermark).signals, Vec::<i64>::new());
}

#[test]
fn a_long_absence_is_caught_up_in_pages() {
    let mut shop = Shop::open();
    let mut client = shop.client(2);
    let mut watermark = begin(&mut client).watermark;
    for signal in 1..=23 {
        shop.admin.run(&import(2, signal));
        shop.admin.run(&import(1, signal));
    }
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let next = page(&mut client, &format!("'{watermark}'"), "5");
        assert!(next.signals.len() <= 5);
        seen.extend(next.signals);
        watermark = next.watermark;
        pages += 1;
        if !next.more {
            break;
        }
    }
    assert_eq!(
        seen,
        (1..=23).collect::<Vec<_>>(),
        "each once, oldest first"
    );
    assert_eq!(pages, 5);
    assert_eq!(since(&mut client, &watermark).signals, Vec::<i64>::new());
    // Rows of several subscribers, written by one transaction, read by a role that may read all.
    let all = "SELECT count(*) FROM user_signals";
    assert_eq!(shop.admin.one::<i64>(all), 46);
    shop.admin.run("UPDATE user_signals SET clicked = false");
    let mut office = begin_office(&mut shop);
    let mut rows = 0;
    loop {
        let next = page(&mut shop.admin, &format!("'{office}'"), "4");
        rows += next.signals.len();
        office = next.watermark;
        if !next.more {
            break;
        }
    }
    assert_eq!(
        rows, 46,
        "no row is lost between pages inside a transaction"
    );
}

/// A watermark of the administrator that is older than everything.
fn begin_office(shop: &mut Shop) -> String {
    let now = begin(&mut shop.admin).watermark;
    let (history, _) = now.split_once('-').expect("history and number");
    format!("{history}-0")
}

#[test]
fn a_run_that_commits_late_is_not_missed() {
    let mut shop = Shop::open();
    let mut client = shop.client(2);
    let mut watermark = begin(&mut client).watermark;
    for (signal, (before, after, end)) in [
        ("BEGIN", "", "COMMIT"),
        ("BEGIN; SAVEPOINT a; SAVEPOINT b", "RELEASE a", "COMMIT"),
        (
            "BEGIN",
            "PREPARE TRANSACTION 'late'",
            "COMMIT PREPARED 'late'",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let signal = i64::try_from(signal).expect("few") + 1;
        let mut late = shop.cluster.session(signal_hub_harness::cluster::POSTGRES);
        shop.market.turn();
        late.run(before);
        late.run("SELECT generate_signals_now()");
        late.run(after);
        // This row is written later and committed earlier.
        shop.admin.run(&import(2, 1000 + signal));
        let seen = since(&mut client, &watermark);
        assert_eq!(seen.signals.last(), Some(&(1000 + signal)));
        late.run(end);
        let last_id_and_time = format!(
            "SELECT count(*) FROM user_signals s, user_signals early
              WHERE early.signal_id = {} AND s.signal_id = {signal}
                AND (s.signal_id > early.signal_id OR s.created_at >= early.created_at)",
            1000 + signal
        );
        assert_eq!(
            client.one::<i64>(&last_id_and_time),
            0,
            "the last number and the last time both would lose it"
        );
        let caught_up = since(&mut client, &seen.watermark);
        assert!(
            caught_up.signals.contains(&signal),
            "{:?}",
            caught_up.signals
        );
        let settled = since(&mut client, &caught_up.watermark);
        assert_eq!(settled.signals, Vec::<i64>::new());
        watermark = settled.watermark;
    }
}

#[test]
fn what_is_no_watermark_is_refused() {
    let shop = Shop::open();
    let mut client = shop.client(2);
    let good = begin(&mut client).watermark;
    for bad in [
        "",
        " ",
        "0",
        "junk",
        &good[1..],
        &format!("{good} "),
        &format!("{good}-"),
        &format!("{good}-1-2"),
        &format!("{good}9999999999999999999"),
        &format!("{good}-1-2-3"),
        "''; DROP TABLE user_signals; --",
    ] {
        let error = client.error(&format!("SELECT signals_since('{bad}')"));
        assert_eq!(error.code().code(), "22P02", "{bad}: {}", error.message());
        assert!(error.hint().is_some());
    }
    for rows in ["0", "-1"] {
        let error = client.error(&format!("SELECT signals_since(NULL, {rows})"));
        assert_eq!(error.code().code(), "22023");
    }
}

/// Writers begin, nest, prepare, commit and roll back in any order, and a client reads pages of
/// any size in between.
#[test]
fn whatever_the_order_of_commits_a_client_ends_with_every_row_as_it_is() {
    let mut shop = Shop::open();
    shop.admin
        .run("UPDATE user_subscriptions SET status = 'paused'");
    let seeds = 1..=6;
    let mut last_signal = 0;
    for seed in seeds {
        let random = fastrand::Rng::with_seed(seed);
        let mut writers: Vec<Writer> = (0..4)
            .map(|n| Writer::new(&shop, n, random.clone()))
            .collect();
        for (n, writer) in writers.iter_mut().enumerate() {
            writer.random.seed(seed * 100 + n as u64);
        }
        let mut reader = Reader::new(shop.client(2), random);
        for _ in 0..500 {
            let who = reader.random.usize(..6);
            match writers.get_mut(who) {
                Some(writer) => writer.step(&mut last_signal),
                None => reader.step(),
            }
        }
        for writer in &mut writers {
            writer.end();
        }
        reader.catch_up();
        let truth = reader.truth();
        assert_eq!(reader.seen, truth, "seed {seed}");
        assert!(!reader.seen.is_empty());
    }
}

/// A session that writes rows of the second subscriber.
struct Writer {
    session: Session,
    name: usize,
    /// How many savepoints the open transaction has; `None` when no transaction is open.
    depth: Option<u32>,
    prepared: bool,
    random: fastrand::Rng,
}

impl Writer {
    fn new(shop: &Shop, name: usize, random: fastrand::Rng) -> Self {
        Self {
            session: shop.cluster.session(signal_hub_harness::cluster::POSTGRES),
            name,
            depth: None,
            prepared: false,
            random,
        }
    }

    fn step(&mut self, last_signal: &mut i64) {
        if self.prepared {
            if self.random.u8(..4) == 0 {
                self.end();
            }
            return;
        }
        match self.random.u8(..12) {
            0 if self.depth.is_none() => {
                self.session.run("BEGIN");
                self.depth = Some(0);
            }
            1 => self.end(),
            2 if self.depth == Some(0) => {
                self.session.run(&format!("PREPARE TRANSACTION 'writer {}'", self.name));
                self.depth = None;
                self.prepared = true;
            }
            3 | 4 => {
                if let Some(depth) = &mut self.depth {
                    *depth += 1;
                    self.session.run(&format!("SAVEPOINT s{depth}"));
                }
            }
            5 | 6 => {
                if let Some(depth @ 1..) = self.depth {
                    let how = self.random.choice(["RELEASE", "ROLLBACK TO"]).unwrap_or_default();
                    self.session.run(&format!("{how} s{depth}"));
                    if how == "RELEASE" {
                        self.depth = Some(depth - 1);
                    }
                }
            }
            7..=9 => {
                *last_signal += 1;
                self.session.run(&import(2, *last_signal));
            }
            _ => self.session.run(&format!(
                "UPDATE user_signals SET quality_score = quality_score + 1
                  WHERE (user_id, signal_id) IN (SELECT user_id, signal_id FROM user_signals WHERE user_id = '{}'
                                                  ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED)",
                user(2)
            )),
        }
    }

    /// Commits or rolls back what is open, at random.
    fn end(&mut self) {
        let how = self
            .random
            .choice(["COMMIT", "COMMIT", "ROLLBACK"])
            .unwrap_or_default();
        if self.prepared {
            self.session
                .run(&format!("{how} PREPARED 'writer {}'", self.name));
            self.prepared = false;
        } else if self.depth.take().is_some() {
            self.session.run(how);
        }
    }
}

/// A client that keeps what it has received.
struct Reader {
    session: Session,
    watermark: String,
    seen: BTreeMap<i64, String>,
    random: fastrand::Rng,
}

impl Reader {
    fn new(mut session: Session, random: fastrand::Rng) -> Self {
        let watermark = begin(&mut session).watermark;
        let mut reader = Self {
            session,
            watermark,
            seen: BTreeMap::new(),
            random,
        };
        reader.seen = reader.truth();
        reader
    }

    fn step(&mut self) {
        match self.random.u8(..5) {
            0 => {
                // Everything after its watermark in one page: nothing that is visible may be
                // missing.
                self.catch_up();
                let truth = self.truth();
                assert_eq!(self.seen, truth);
            }
            rows => {
                self.read(&rows.to_string());
            }
        }
    }

    fn catch_up(&mut self) {
        for _ in 0..2 {
            assert!(!self.read("NULL"));
        }
    }

    fn read(&mut self, max_rows: &str) -> bool {
        let rows = self.session.rows(&format!(
            "SELECT p.watermark, p.more, s.signal_id, s.quality_score::text
               FROM signals_since('{}', {max_rows}) p LEFT JOIN LATERAL unnest(p.signals) s ON true",
            self.watermark
        ));
        for row in &rows {
            if let Some(signal) = row.get::<_, Option<i64>>(2) {
                self.seen.insert(signal, row.get(3));
            }
        }
        self.watermark = rows[0].get(0);
        rows[0].get(1)
    }

    fn truth(&mut self) -> BTreeMap<i64, String> {
        let rows = self
            .session
            .rows("SELECT signal_id, quality_score::text FROM user_signals");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}
