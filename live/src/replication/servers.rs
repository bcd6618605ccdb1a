//! Follows the server that the service asks, and each node that has rows beside it.

use super::{Server, follow_one};
use crate::app::App;
use crate::database::{Node, NodeLog};
use crate::preflight;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// Between two questions about the log of a node.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Before a node that cannot be followed is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// Follows until the service ends. Nodes may come and go meanwhile.
pub async fn follow(app: Arc<App>) {
    let mut nodes = app.nodes.subscribe();
    let mut followed: BTreeMap<Node, JoinHandle<()>> = BTreeMap::new();
    let own = follow_one(Arc::clone(&app), Server::own(&app));
    tokio::pin!(own);
    loop {
        let wanted = nodes.borrow_and_update().clone();
        followed.retain(|node, task| {
            let stays = wanted.contains(node);
            if !stays {
                info!(
                    "node {} at {}:{} is gone",
                    node.number, node.host, node.port
                );
                task.abort();
                app.note_stream(node.number, None);
                // What it had is elsewhere.
                app.fan_out.announce_gap();
            }
            stays
        });
        for node in wanted {
            let app = Arc::clone(&app);
            followed.entry(node.clone()).or_insert_with(|| {
                app.note_stream(node.number, Some("reconnecting"));
                tokio::spawn(follow_node(app, node))
            });
        }
        tokio::select! {
            () = &mut own => break,
            changed = nodes.changed() => {
                if changed.is_err() {
                    break;
                }
            }
        }
    }
    for task in followed.into_values() {
        let _ = task.await;
    }
}

async fn follow_node(app: Arc<App>, node: Node) {
    while let Err(why) = preflight::check_node(&app.options, &node).await {
        warn!("node {} at {}:{}: {why}", node.number, node.host, node.port);
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = app.ending() => return,
        }
    }
    let reports = Arc::new(watch::Sender::new(None));
    let ask_now = Arc::new(Notify::new());
    let server = Server {
        number: node.number,
        address: Some(node.address(&app.options.source.database)),
        reports: Arc::clone(&reports),
        ask_now: Arc::clone(&ask_now),
    };
    let log = match NodeLog::new(&app.options, &app.schema, &node) {
        Ok(log) => log,
        Err(why) => return warn!("node {}: {why}", node.number),
    };
    let asking = async {
        loop {
            // What goes wrong shows in the stream.
            if let Ok(report) = log.report().await {
                reports.send_replace(Some(report));
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = ask_now.notified() => {}
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = follow_one(Arc::clone(&app), server) => {}
    }
}
