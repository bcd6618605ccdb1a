//! Follows a slot with pgwire-replication and writes the messages of pgoutput as they arrive,
//! with a line break after each, like pg_recvlogical. Usage: follow PORT SLOT

use pgwire_replication::{ReplicationClient, ReplicationConfig, ReplicationEvent, TlsConfig};
use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, slot] = &arguments[..] else {
        return Err("usage: follow PORT SLOT".into());
    };
    let config =
        ReplicationConfig::new("127.0.0.1", "postgres", "", "postgres", slot, "signal_hub")
            .with_port(port.parse()?)
            .with_tls(TlsConfig::disabled())
            .with_status_interval(Duration::from_secs(1));
    let mut client = ReplicationClient::connect(config).await?;
    while let Some(event) = client.recv().await? {
        match event {
            ReplicationEvent::XLogData { data, .. } => {
                stdout().write_all(&data)?;
                stdout().write_all(b"\n")?;
            }
            ReplicationEvent::Commit { end_lsn, .. } => {
                // The server may forget only what is safely written here.
                stdout().flush()?;
                client.update_applied_lsn(end_lsn);
            }
            _ => {}
        }
    }
    Ok(())
}
