//! The exchange is asked over https only when its certificate is good.

mod front;

use crate::ground::{cluster_for, each_signal_once_each};
use front::{Authority, Front, Identity};
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, by_itself, contents, rising_market, wait_for_deliveries};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::Simulator;
use std::path::PathBuf;

/// A name of this machine that is known without a name server.
const HOST: &str = "localhost";

fn write_ca_file(cluster: &Cluster, authority: &Authority) -> PathBuf {
    let file = cluster.folder().join("authority.pem");
    std::fs::write(&file, authority.pem()).expect("the folder is ours");
    file
}

/// Changes a setting and waits until a new session has it.
fn set(cluster: &Cluster, session: &mut Session, name: &str, value: &str) {
    cluster.configure(name, value);
    eventually(SOON, "the setting is in force", || {
        session.one::<String>(&format!("SHOW {name}")) == value
    });
}

/// Checks that a call fails for this reason, and that it neither asks the exchange nor writes
/// anything.
#[track_caller]
fn is_refused(session: &mut Session, market: &Simulator, who: &str, reason: &str) {
    // The worker records the failed call.
    let nothing_else = |session: &mut Session| -> Vec<String> {
        let all = contents(session).into_iter();
        all.filter(|line| !line.starts_with("signal_runs"))
            .collect()
    };
    let before = (nothing_else(session), market.request_count());
    let error = session.error("SELECT generate_signals_now()");
    let detail = error.detail().unwrap_or_default();
    assert_eq!(
        error.code().code(),
        "08001",
        "{who}: {} {detail}",
        error.message()
    );
    assert!(detail.contains(reason), "{who}: {detail}");
    assert!(error.hint().is_some(), "{who}");
    assert_eq!(
        (nothing_else(session), market.request_count()),
        before,
        "{who}"
    );
}

#[test]
fn a_certificate_is_good_when_a_trusted_authority_vouches_for_the_name_today() {
    let market = rising_market();
    let authority = Authority::new("the test's own");
    let front = |identity| Front::start(identity, market.port());
    let good = front(authority.vouch_for(HOST));
    let expired = front(authority.vouched_long_ago_for(HOST));
    let misnamed = front(authority.vouch_for("exchange.test"));
    let self_signed = front(Identity::self_signed(HOST));
    let other = front(Authority::new("a stranger").vouch_for(HOST));

    let options = by_itself(&market).set("signal_hub.enabled", "off");
    let (cluster, mut session) = cluster_for(options, 3);
    let url = "signal_hub.exchange_url";
    set(&cluster, &mut session, url, &good.url(HOST));
    is_refused(&mut session, &market, "no ca_file", "UnknownIssuer");

    let ca_file = write_ca_file(&cluster, &authority);
    let ca_file = ca_file.to_str().expect("a plain path");
    set(&cluster, &mut session, "signal_hub.ca_file", ca_file);
    for (who, front, reason) in [
        ("expired", &expired, "xpired"),
        ("another name", &misnamed, "not valid for name"),
        ("self-signed", &self_signed, "UnknownIssuer"),
        ("another authority", &other, "UnknownIssuer"),
    ] {
        set(&cluster, &mut session, url, &front.url(HOST));
        is_refused(&mut session, &market, who, reason);
    }

    set(&cluster, &mut session, url, &good.url(HOST));
    let generated: i32 =
        session.one("SELECT (generate_signals_now() ->> 'signals_generated')::int");
    assert_eq!(generated, 1);
    assert_eq!(market.request_count(), 1, "nobody else came through");
    each_signal_once_each(&mut session, 3);
}

#[test]
fn the_worker_takes_up_an_authority_without_a_restart() {
    let market = rising_market();
    let authority = Authority::new("the test's own");
    let front = Front::start(authority.vouch_for(HOST), market.port());
    let options = by_itself(&market).set("signal_hub.exchange_url", &front.url(HOST));
    let (cluster, mut session) = cluster_for(options, 3);
    eventually(SOON, "the refusal is on record", || {
        session.one::<bool>(
            "SELECT EXISTS (SELECT FROM signal_runs WHERE sqlstate = '08001' AND error LIKE '%UnknownIssuer%')",
        )
    });
    let health = "SELECT state = 'failing' AND message LIKE '%UnknownIssuer%' FROM signal_health";
    eventually(SOON, "health says so", || session.one::<bool>(health));
    assert_eq!(market.request_count(), 0);

    let ca_file = write_ca_file(&cluster, &authority);
    cluster.configure(
        "signal_hub.ca_file",
        ca_file.to_str().expect("a plain path"),
    );
    wait_for_deliveries(&mut cluster.session(POSTGRES), 3);
    each_signal_once_each(&mut session, 3);
    assert_eq!(
        session.one::<i64>("SELECT restarts FROM signal_health"),
        0,
        "the same worker"
    );
}
