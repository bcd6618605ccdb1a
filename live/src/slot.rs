//! The slot: created, dropped, and whether it is free.

use crate::config::{Serve, Source};
use crate::connections::{PATIENCE, session_config};
use crate::error::{Failure, database_error, say};
use crate::preflight::must_decode;
use tokio_postgres::{Client, NoTls};

/// Connects for a few questions.
pub async fn connect(source: &Source) -> Result<Client, Failure> {
    let failed = |words: String| Failure::Other(format!("cannot connect to the database: {words}"));
    let config = session_config(&source.database);
    // The limit of the library is for the network's part only.
    let connected = tokio::time::timeout(PATIENCE, config.connect(NoTls)).await;
    let (client, connection) = connected
        .map_err(|_| failed("it does not answer".to_owned()))?
        .map_err(|error| failed(database_error(&error)))?;
    // Its errors come to the client as well.
    tokio::spawn(connection);
    Ok(client)
}

/// Creates the slot, unless it is there.
///
/// # Errors
/// When one of that name is for something else, or the server refuses.
pub async fn create_by_command(source: &Source) -> Result<(), Failure> {
    let client = connect(source).await?;
    must_decode(&client).await?;
    match find(&client, &source.slot).await? {
        Some(slot) => {
            slot.must_be_ours()?;
            say(format!("slot \"{}\" is there already", source.slot));
        }
        None => create(&client, &source.slot).await?,
    }
    Ok(())
}

async fn create(client: &Client, name: &str) -> Result<(), Failure> {
    say(format!(
        "creating slot \"{name}\": waits for transactions that are running"
    ));
    // A server that does not look would make the slot for one who has long gone.
    client
        .batch_execute(
            "SET statement_timeout = 0; SET lock_timeout = 0; SET client_connection_check_interval = '1s'",
        )
        .await?;
    client
        .query(
            "SELECT pg_create_logical_replication_slot($1, 'pgoutput')",
            &[&name],
        )
        .await?;
    say(format!(
        "slot \"{name}\" created: from now on the server keeps WAL for it until it is read or dropped"
    ));
    Ok(())
}

/// Drops the slot, if it is there.
///
/// # Errors
/// When it is read, or for something else, or the server refuses.
pub async fn drop_by_command(source: &Source) -> Result<(), Failure> {
    let client = connect(source).await?;
    let name = &source.slot;
    match find(&client, name).await? {
        None => say(format!("there is no slot \"{name}\"")),
        Some(Slot {
            reader: Some(pid), ..
        }) => return Err(in_use(name, pid)),
        Some(slot) => {
            slot.must_be_ours()?;
            client
                .query("SELECT pg_drop_replication_slot($1)", &[name])
                .await?;
            say(format!("slot \"{name}\" dropped"));
        }
    }
    Ok(())
}

/// What a shutdown leaves behind, and how to remove it.
pub fn farewell(source: &Source) -> String {
    let slot = &source.slot;
    format!(
        "slot \"{slot}\" stays and keeps WAL until the service runs again; if it will not: signal_hub_live drop-slot --slot {slot}"
    )
}

/// A slot that is there.
struct Slot {
    name: String,
    plugin: String,
    here: bool,
    reader: Option<i32>,
    lost: bool,
}

async fn find(client: &Client, name: &str) -> Result<Option<Slot>, Failure> {
    let row = client
        .query_opt(
            "SELECT coalesce(plugin, ''), coalesce(database = current_database(), false), active_pid,
                    wal_status IS NOT DISTINCT FROM 'lost'
               FROM pg_replication_slots WHERE slot_name = $1",
            &[&name],
        )
        .await?;
    Ok(row.map(|row| Slot {
        name: name.to_owned(),
        plugin: row.get(0),
        here: row.get(1),
        reader: row.get(2),
        lost: row.get(3),
    }))
}

impl Slot {
    fn must_be_ours(&self) -> Result<(), Failure> {
        let name = &self.name;
        if self.plugin != "pgoutput" || !self.here {
            return Err(Failure::refused(
                format!("slot \"{name}\" is not a pgoutput slot of this database"),
                "Name another by --slot.",
            ));
        }
        Ok(())
    }
}

fn in_use(name: &str, pid: i32) -> Failure {
    Failure::refused(
        format!("slot \"{name}\" is in use by process {pid}"),
        "Another service follows it: stop that one, or give each its own by --slot.",
    )
}

/// Waits until the slot can be read; creates it where the options say so.
///
/// # Errors
/// When another reads it, or it is for something else, lost or missing.
pub async fn must_be_free(client: &Client, options: &Serve) -> Result<(), Failure> {
    let name = &options.source.slot;
    let mut slot = find(client, name).await?;
    // The server may not have noticed yet that a service was killed.
    for _ in 0..50 {
        if slot.as_ref().is_none_or(|slot| slot.reader.is_none()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        slot = find(client, name).await?;
    }
    match slot {
        None if options.create_slot => create(client, name).await,
        None => Err(Failure::refused(
            format!("there is no slot \"{name}\""),
            format!("signal_hub_live create-slot --slot {name}, or serve --create-slot"),
        )),
        Some(Slot {
            reader: Some(pid), ..
        }) => Err(in_use(name, pid)),
        Some(Slot { lost: true, .. }) => Err(Failure::refused(
            format!("slot \"{name}\" is lost: it fell further behind than max_slot_wal_keep_size"),
            "signal_hub_live drop-slot, then create-slot. Clients catch up by themselves.",
        )),
        Some(slot) => slot.must_be_ours(),
    }
}
