//! What is followed, and whether it can be: the slot, the publication, the rights.

use crate::config::{Serve, Source};
use crate::database::{quoted, session_config};
use crate::error::{Failure, database_error, say};
use tokio_postgres::{Client, NoTls};

/// Connects for a few questions.
pub async fn connect(source: &Source) -> Result<Client, Failure> {
    let config = session_config(&source.database);
    let (client, connection) = config.connect(NoTls).await.map_err(|error| {
        let words = database_error(&error);
        Failure::Other(format!("cannot connect to the database: {words}"))
    })?;
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

/// Looks whether all is there that serving takes, and returns the extension's schema.
///
/// # Errors
/// The first thing that is missing, and how to get it.
pub async fn preflight(client: &Client, options: &Serve) -> Result<String, Failure> {
    must_decode(client).await?;
    let schema = schema(client).await?;
    publication_must_publish(client, &schema, &options.publication).await?;
    role_must_be_bound(client, &schema, &options.role).await?;
    service_must_see_health(client, &schema).await?;
    slot_must_be_free(client, options).await?;
    Ok(schema)
}

async fn must_decode(client: &Client) -> Result<(), Failure> {
    let row = client
        .query_one("SELECT current_setting('wal_level'), (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user), current_user::text", &[])
        .await?;
    let (level, may, user): (String, bool, String) = (row.get(0), row.get(1), row.get(2));
    if level != "logical" {
        return Err(Failure::refused(
            format!("wal_level is {level}, following takes logical"),
            "Set wal_level = logical in the configuration file and restart the server.",
        ));
    }
    if !may {
        return Err(Failure::refused(
            format!("role {user} may not follow a slot"),
            format!("ALTER ROLE {} REPLICATION", quoted(&user)),
        ));
    }
    Ok(())
}

async fn schema(client: &Client) -> Result<String, Failure> {
    let row = client
        .query_opt(
            "SELECT n.nspname::text, to_regprocedure(format('%I.signals_since(text, integer)', n.nspname)) IS NOT NULL
               FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'signal_hub'",
            &[],
        )
        .await?;
    match row {
        None => Err(Failure::refused(
            "the database does not have the extension signal_hub",
            "CREATE EXTENSION signal_hub",
        )),
        Some(row) if !row.get::<_, bool>(1) => Err(Failure::refused(
            "the extension in the database is older than this service",
            "ALTER EXTENSION signal_hub UPDATE",
        )),
        Some(row) => Ok(row.get(0)),
    }
}

async fn publication_must_publish(
    client: &Client,
    schema: &str,
    publication: &str,
) -> Result<(), Failure> {
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_publication p JOIN pg_publication_tables t USING (pubname)
                             WHERE p.pubname = $1 AND p.pubinsert AND t.schemaname = $2 AND t.tablename = 'user_signals')",
            &[&publication, &schema],
        )
        .await?;
    if row.get(0) {
        return Ok(());
    }
    Err(Failure::refused(
        format!("publication \"{publication}\" does not publish user_signals"),
        format!("SELECT {}.enable_realtime('{publication}')", quoted(schema)),
    ))
}

/// Everything a subscriber does is done as this role, so row-level security must bind it.
async fn role_must_be_bound(client: &Client, schema: &str, role: &str) -> Result<(), Failure> {
    let grant = || {
        format!(
            "CREATE ROLE {role} unless it is there, then SELECT {schema}.grant_realtime_access('{name}')",
            role = quoted(role),
            schema = quoted(schema),
            name = role.replace('\'', "''"),
        )
    };
    let row = client
        .query_opt(
            "SELECT pg_has_role(r.oid, 'MEMBER'), current_user::text FROM pg_roles r WHERE r.rolname = $1",
            &[&role],
        )
        .await?;
    let Some(row) = row else {
        return Err(Failure::refused(
            format!("there is no role \"{role}\", which subscribers should have"),
            grant(),
        ));
    };
    if !row.get::<_, bool>(0) {
        let me: String = row.get(1);
        return Err(Failure::refused(
            format!("role {me} may not become \"{role}\""),
            format!("GRANT {} TO {}", quoted(role), quoted(&me)),
        ));
    }
    let row = client
        .query_one(
            "SELECT c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
                        AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE')),
                    has_table_privilege(r.oid, c.oid, 'SELECT')
                        AND has_function_privilege(r.oid, to_regprocedure(format('%I.signals_since(text, integer)', $2::text)), 'EXECUTE')
               FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE r.rolname = $1 AND n.nspname = $2 AND c.relname = 'user_signals'",
            &[&role, &schema],
        )
        .await?;
    if !row.get::<_, bool>(0) {
        return Err(Failure::refused(
            format!(
                "row-level security does not bind role \"{role}\": subscribers would see each other's signals"
            ),
            "Name a role by --role that is no superuser, has no BYPASSRLS and does not own the table.",
        ));
    }
    if !row.get::<_, bool>(1) {
        return Err(Failure::refused(
            format!("role \"{role}\" may not read signals"),
            grant(),
        ));
    }
    Ok(())
}

/// What the service asks as itself.
async fn service_must_see_health(client: &Client, schema: &str) -> Result<(), Failure> {
    let row = client
        .query_one(
            "SELECT has_table_privilege(format('%I.signal_health', $1::text), 'SELECT')
                        AND has_table_privilege(format('%I.signal_runs', $1::text), 'SELECT'),
                    has_function_privilege(to_regprocedure(format('%I.signal_hub_transactions()', $1::text)), 'EXECUTE'),
                    current_user::text",
            &[&schema],
        )
        .await?;
    let me: String = row.get(2);
    if !row.get::<_, bool>(1) {
        return Err(Failure::refused(
            format!("role {me} does not inherit the rights of the role of subscribers"),
            format!("ALTER ROLE {} INHERIT", quoted(&me)),
        ));
    }
    if !row.get::<_, bool>(0) {
        return Err(Failure::refused(
            format!("role {me} may not read signal_health"),
            format!("GRANT pg_monitor TO {}", quoted(&me)),
        ));
    }
    Ok(())
}

async fn slot_must_be_free(client: &Client, options: &Serve) -> Result<(), Failure> {
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
