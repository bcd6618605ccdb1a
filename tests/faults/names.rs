//! The name of the exchange cannot be resolved: the name server does not answer, or does not know
//! it.

use crate::ground::cluster_for;
use crate::mounts::with_mounts_of_its_own;
use crate::stopped::stops_at_once;
use rustix::mount::mount_bind;
use signal_hub_harness::scene::{SOON, by_itself, flat_market, worker_pid};
use signal_hub_harness::wait::eventually;
use std::net::UdpSocket;
use std::path::Path;

/// A loopback address that nothing else listens on.
const NAME_SERVER: &str = "127.53.53.53";

/// A name server that receives every question and answers none.
struct SilentNameServer(UdpSocket);

impl SilentNameServer {
    /// From now on, this thread and the servers that it starts send their questions here. For the
    /// rest of the machine nothing changes.
    fn for_this_thread(folder: &Path) -> Self {
        let configuration = folder.join("resolv.conf");
        // The C library gives up after 150 s, long after the server has to have stopped.
        let content = format!("nameserver {NAME_SERVER}\noptions timeout:30 attempts:5\n");
        std::fs::write(&configuration, content).expect("the folder is ours");
        mount_bind(&configuration, "/etc/resolv.conf").expect("root may");
        let socket = UdpSocket::bind((NAME_SERVER, 53)).expect("root may");
        socket.set_nonblocking(true).expect("any socket can");
        Self(socket)
    }

    /// Whether it has received a question about `host`.
    fn was_asked_for(&self, host: &str) -> bool {
        let mut packet = [0; 512];
        while let Ok(length) = self.0.recv(&mut packet) {
            if String::from_utf8_lossy(&packet[..length]).contains(host) {
                return true;
            }
        }
        false
    }
}

#[test]
fn the_server_stops_at_once_while_the_name_server_is_silent() {
    with_mounts_of_its_own(|| {
        let folder = std::env::temp_dir().join(format!("signal_hub-names-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder is ours");
        let names = SilentNameServer::for_this_thread(&folder);
        let market = flat_market();
        let options = by_itself(&market)
            .set("signal_hub.exchange_url", "https://exchange.test")
            .set("signal_hub.http_timeout", "60s");
        let (mut cluster, mut session) = cluster_for(options, 1);
        eventually(SOON, "the name is asked for", || {
            names.was_asked_for("exchange")
        });
        assert!(worker_pid(&mut session).is_some());
        session.run("SET statement_timeout = '500ms'");
        let error = session.error("SELECT generate_signals_now()");
        assert_eq!(error.code().code(), "57014", "{}", error.message());
        stops_at_once(&mut cluster);
        std::fs::remove_dir_all(&folder).expect("the folder is ours");
    });
}
