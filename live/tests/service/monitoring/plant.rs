//! What is monitored, and the means to break it.

use super::promtool::{Scrape, scrape};
use crate::cluster::{Cluster, POSTGRES};
use crate::push_service::PushService;
use crate::scene::{
    FLIPS_AT_ONCE, Turns, beside, by_itself_at, flat_market, subscribe, wait_for_good_run,
};
use crate::service::Service;
use signal_hub_harness::session::Session;
use signal_hub_simulator::{Dialect, Simulator};
use std::fs;

/// A server with a worker that asks two exchanges, subscribers, and a service whose webhook is dead and
/// whose push service is well.
pub struct Plant {
    pub first: Simulator,
    pub second: Simulator,
    pub cluster: Cluster,
    pub admin: Session,
    pub service: Service,
    pub push: PushService,
    turns: Turns,
}

impl Plant {
    pub fn new() -> Self {
        let first = flat_market();
        let second = beside(&first, Dialect::Okx);
        let cluster = by_itself_at(&[&first, &second])
            .set("wal_level", "logical")
            .start();
        let mut admin = cluster.session(POSTGRES);
        admin.run(
            "CREATE EXTENSION signal_hub; CREATE ROLE authenticated;
             SELECT grant_realtime_access('authenticated', NULL, NULL); SELECT enable_realtime();
             UPDATE signal_tiers SET daily_quota = NULL",
        );
        admin.run(FLIPS_AT_ONCE);
        subscribe(&mut admin, "MAX", 1, 3);
        wait_for_good_run(&mut admin);
        let mut service = Service::of(&cluster, &mut admin);
        let push = PushService::start();
        let key = cluster.folder().join("vapid.pem");
        fs::write(&key, service.run("vapid-key", &[]).stdout).expect("the folder is ours");
        service.start(&[
            "--create-slot",
            "--alert-url=http://127.0.0.1:1/",
            "--alert-after=1s",
            "--vapid-contact=mailto:operator@example.org",
            &format!("--vapid-key-file={}", key.display()),
            &format!("--push-service={}", push.url),
        ]);
        Self {
            first,
            second,
            cluster,
            admin,
            service,
            push,
            turns: Turns::default(),
        }
    }

    pub fn turn(&mut self) {
        self.turns.turn(&self.first);
    }

    /// Fails while it runs, and is repaired after that: what is scraped before and in it.
    pub fn fault(
        &mut self,
        begin: impl FnOnce(&mut Self),
        shows: impl Fn(&Scrape, &Scrape) -> bool,
        end: impl FnOnce(&mut Self),
    ) -> (Scrape, Scrape) {
        let before = self.well();
        begin(self);
        let during = scrape(&self.service, |now| shows(&before, now));
        end(self);
        (before, during)
    }

    /// What is scraped when all is well.
    pub fn well(&self) -> Scrape {
        scrape(&self.service, |now| {
            let is_up = [
                "signal_hub_healthy",
                "signal_hub_live_replication_connected",
                "signal_hub_slot_active{slot=\"signal_hub_live\"}",
            ]
            .iter()
            .all(|name| now.get(name) == 1.0);
            is_up && now.get("signal_hub_undelivered_signals") == 0.0
        })
    }
}
