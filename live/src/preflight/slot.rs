//! The replication slot: created, dropped, and whether it is free.

use super::{check_decoding, connect, connect_to, nodes};
use crate::database::Statement;
use crate::error::Failure;
use crate::options::{Serve, Source};
use std::time::Duration;
use tokio_postgres::Client;
use tracing::info;

/// Creates the slot unless it exists.
///
/// # Errors
/// When the name is that of a slot of another kind, or the server refuses.
pub async fn create_by_command(source: &Source) -> Result<(), Failure> {
    for client in servers(source).await? {
        check_decoding(&client).await?;
        match find(&client, &source.slot).await? {
            Some(slot) => {
                slot.check_kind()?;
                info!("slot \"{}\" is there already", source.slot);
            }
            None => create(&client, &source.slot).await?,
        }
    }
    Ok(())
}

/// The database, and its nodes where rows of subscribers are on several servers.
async fn servers(source: &Source) -> Result<Vec<Client>, Failure> {
    let client = connect(source).await?;
    let nodes = nodes::of(&client).await?;
    let mut servers = vec![client];
    for node in nodes {
        servers.push(connect_to(&node.address(&source.database)).await?);
    }
    Ok(servers)
}

async fn create(client: &Client, name: &str) -> Result<(), Failure> {
    info!("creating slot \"{name}\": waits for transactions that are running");
    client
        .query(&Statement::WaitWithoutLimit.text(""), &[])
        .await?;
    let row = client
        .query_one(&Statement::CanFailOver.text(""), &[])
        .await?;
    let (statement, kind) = match row.try_get("can_fail_over")? {
        true => (Statement::CreateFailoverSlot, "failover slot"),
        false => (Statement::CreateSlot, "slot"),
    };
    let text = statement.text("");
    client.query(&text, &[&name]).await?;
    info!(
        "{kind} \"{name}\" created: from now on the server keeps WAL for it until it is read or dropped"
    );
    Ok(())
}

/// Drops the slot if it exists.
///
/// # Errors
/// When a process reads it, it is of another kind, or the server refuses.
pub async fn drop_by_command(source: &Source) -> Result<(), Failure> {
    let name = &source.slot;
    for client in servers(source).await? {
        let Some(slot) = find_unread(&client, name).await? else {
            info!("there is no slot \"{name}\"");
            continue;
        };
        slot.check_unread()?;
        slot.check_kind()?;
        client.query(&Statement::DropSlot.text(""), &[name]).await?;
        info!("slot \"{name}\" dropped");
    }
    Ok(())
}

/// What a shutdown leaves behind, and how to remove it.
pub fn farewell(source: &Source) -> String {
    let slot = &source.slot;
    format!(
        "slot \"{slot}\" stays and keeps WAL until the service runs again; if it will not run again: signal_hub_live drop-slot --slot {slot}, with the options of this service"
    )
}

/// Waits until the slot can be read; creates it if the options ask for that.
///
/// # Errors
/// When another process reads it, or it is of another kind, lost or missing.
pub async fn wait_until_free(client: &Client, options: &Serve) -> Result<(), Failure> {
    let name = &options.source.slot;
    let Some(slot) = find_unread(client, name).await? else {
        if options.create_slot {
            return create(client, name).await;
        }
        return Err(Failure::refused(
            format!("there is no slot \"{name}\""),
            format!("signal_hub_live create-slot --slot {name}, or serve --create-slot"),
        ));
    };
    slot.check_unread()?;
    if slot.is_lost {
        return Err(Failure::refused(
            format!("slot \"{name}\" is lost: it fell further behind than max_slot_wal_keep_size"),
            format!(
                "signal_hub_live drop-slot --slot {name}, then create-slot --slot {name}, with the \
                 options of this service. Clients catch up by themselves."
            ),
        ));
    }
    slot.check_kind()
}

/// A slot that exists.
struct Slot {
    name: String,
    plugin: String,
    of_this_database: bool,
    /// The process that reads it.
    reader: Option<i32>,
    is_lost: bool,
}

async fn find(client: &Client, name: &str) -> Result<Option<Slot>, Failure> {
    let row = client
        .query_opt(&Statement::FindSlot.text(""), &[&name])
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Slot {
        name: name.to_owned(),
        plugin: row.try_get("plugin")?,
        of_this_database: row.try_get("of_this_database")?,
        reader: row.try_get("reader")?,
        is_lost: row.try_get("is_lost")?,
    }))
}

/// The same, after a while if a process reads it: the server may not have noticed yet that a
/// service was stopped or killed.
async fn find_unread(client: &Client, name: &str) -> Result<Option<Slot>, Failure> {
    let mut found = find(client, name).await?;
    for _ in 0..50 {
        if found.as_ref().is_none_or(|slot| slot.reader.is_none()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        found = find(client, name).await?;
    }
    Ok(found)
}

impl Slot {
    fn check_kind(&self) -> Result<(), Failure> {
        let name = &self.name;
        if self.plugin != "pgoutput" || !self.of_this_database {
            return Err(Failure::refused(
                format!("slot \"{name}\" is not a pgoutput slot of this database"),
                "Name another by --slot.",
            ));
        }
        Ok(())
    }

    fn check_unread(&self) -> Result<(), Failure> {
        let name = &self.name;
        match self.reader {
            None => Ok(()),
            Some(pid) => Err(Failure::refused(
                format!("slot \"{name}\" is in use by process {pid}"),
                "Another service follows it: stop that one, or give each its own by --slot.",
            )),
        }
    }
}
