//! What must be in place before serving: the extension, the publication, the rights, the slot.
//! Each thing that is missing is reported with the statement that provides it.

mod nodes;
pub mod slot;

pub use nodes::check as check_node;

use crate::database::{
    Node, PATIENCE, SEARCH_PATH, Statement, place, publication, session_config, tls,
};
use crate::error::{Failure, database_error};
use crate::options::{DatabaseAddress, Serve, Source};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::{Client, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::warn;

/// Checks everything that serving needs, and returns the extension's schema, and the nodes that have
/// rows of subscribers.
///
/// # Errors
/// The first thing that is missing, and how to provide it.
pub async fn check(options: &Serve) -> Result<(String, Vec<Node>), Failure> {
    let client = connect(&options.source).await?;
    let asked = tokio::time::timeout(2 * PATIENCE, check_rights(&client, options)).await;
    let schema = asked.map_err(|_| Failure::Other("the database does not answer".to_owned()))??;
    slot::wait_until_free(&client, options).await?;
    let nodes = nodes::list(&client, &schema).await?;
    for node in &nodes {
        check_node(options, node).await?;
    }
    Ok((schema, nodes))
}

async fn check_rights(client: &Client, options: &Serve) -> Result<String, Failure> {
    check_decoding(client).await?;
    let schema = find_schema(client).await?;
    check_publication(client, &schema, &options.publication, true).await?;
    let role = &options.claims.role;
    match &options.source.subscriber_database {
        Some(database) => {
            let subscribers = connect_to(database).await?;
            check_same_database(client, &subscribers).await?;
            check_role(client, &subscribers, &schema, role).await?;
            check_subscriber_login(&subscribers, role).await?;
        }
        None => {
            check_role(client, client, &schema, role).await?;
            warn!(
                "transactions of subscribers run under the login of the service, which has more rights than they need; HINT: give them a login of their own by --subscriber-database-url"
            );
        }
    }
    check_own_rights(client, &schema).await?;
    if options.push.vapid_key_file.is_some() {
        check_push(client, &schema, role).await?;
    }
    Ok(schema)
}

/// Connects for a few questions.
async fn connect(source: &Source) -> Result<Client, Failure> {
    connect_to(&source.database).await
}

async fn connect_to(database: &DatabaseAddress) -> Result<Client, Failure> {
    let failed = |words: String| {
        let (place, user) = (place(&database.config), database.config.get_user());
        let user = user.unwrap_or_default();
        Failure::Other(format!(
            "cannot connect to the database at {place} as {user}: {words}"
        ))
    };
    let config = session_config(&database.config);
    let connector = MakeRustlsConnect::new(tls::client_config(&database.encryption)?);
    // The limit in the configuration covers the network's part only.
    let connected = tokio::time::timeout(PATIENCE, config.connect(connector)).await;
    let (client, connection) = connected
        .map_err(|_| failed("it does not answer".to_owned()))?
        .map_err(|error| failed(database_error(&error)))?;
    // The client reports the errors of its connection.
    tokio::spawn(connection);
    check_settings(&client).await?;
    Ok(client)
}

/// Poolers may drop the settings of a session, on which the service relies.
async fn check_settings(client: &Client) -> Result<(), Failure> {
    let row = client.query_one(&Statement::Settings.text(""), &[]).await;
    let path: String = row?.try_get("search_path")?;
    if path != SEARCH_PATH {
        return Err(Failure::refused(
            format!(
                "the session has search_path {path}, not {SEARCH_PATH} as the service asked for"
            ),
            "Connect to the server itself, not through a pooler that ignores startup options.",
        ));
    }
    Ok(())
}

/// Logical decoding must be on, and allowed to this login.
async fn check_decoding(client: &Client) -> Result<(), Failure> {
    let row = client.query_one(&Statement::Decoding.text(""), &[]).await?;
    let level: String = row.try_get("wal_level")?;
    if level != "logical" {
        return Err(Failure::refused(
            format!("wal_level is {level}, but replication needs logical"),
            "Set wal_level = logical in the configuration file and restart the server.",
        ));
    }
    if !row.try_get::<_, bool>("may_replicate")? {
        let login = login(&row)?;
        return Err(Failure::refused(
            format!("role {login} may not follow a slot"),
            format!("ALTER ROLE {} REPLICATION", escape_identifier(&login)),
        ));
    }
    Ok(())
}

fn login(row: &Row) -> Result<String, Failure> {
    Ok(row.try_get("login")?)
}

async fn find_schema(client: &Client) -> Result<String, Failure> {
    let row = client
        .query_opt(&Statement::Extension.text(""), &[])
        .await?;
    let Some(row) = row else {
        return Err(Failure::refused(
            "the database does not have the extension signal_hub",
            "CREATE EXTENSION signal_hub",
        ));
    };
    if !row.try_get::<_, bool>("is_recent")? {
        return Err(Failure::refused(
            "the extension in the database is older than this service",
            "ALTER EXTENSION signal_hub UPDATE",
        ));
    }
    Ok(row.try_get("schema")?)
}

/// Nodes have rows of subscribers, and no outcomes.
async fn check_publication(
    client: &Client,
    schema: &str,
    name: &str,
    with_outcomes: bool,
) -> Result<(), Failure> {
    let row = client
        .query_one(&Statement::Published.text(schema), &[&name, &schema])
        .await?;
    let enable = publication::remedy(schema, name);
    if row.try_get("is_whole")? {
        if with_outcomes && !row.try_get::<_, bool>("has_outcomes")? {
            warn!(
                "publication \"{name}\" does not publish signal_outcomes: clients learn outcomes only when they connect; HINT: {enable}"
            );
        }
        return Ok(());
    }
    if !row.try_get::<_, bool>("is_there")? {
        return Err(Failure::refused(
            format!("publication \"{name}\" does not publish user_signals"),
            enable,
        ));
    }
    Err(Failure::refused(
        format!(
            "publication \"{name}\" publishes a part of user_signals: the service needs inserts and updates, all rows, and the columns of the extension"
        ),
        format!(
            "ALTER PUBLICATION {name} SET (publish = 'insert, update'); ALTER PUBLICATION {name} DROP TABLE {schema}.user_signals; {enable}",
            name = escape_identifier(name),
            schema = escape_identifier(schema),
        ),
    ))
}

/// Everything a subscriber does is done as this role, so row-level security must bind it.
async fn check_role(
    client: &Client,
    subscribers: &Client,
    schema: &str,
    role: &str,
) -> Result<(), Failure> {
    let grant = || {
        format!(
            "CREATE ROLE {role} unless it exists, then SELECT {schema}.grant_realtime_access({name})",
            role = escape_identifier(role),
            schema = escape_identifier(schema),
            name = escape_literal(role),
        )
    };
    let row = subscribers
        .query_opt(&Statement::Membership.text(""), &[&role])
        .await?;
    let Some(row) = row else {
        return Err(Failure::refused(
            format!("there is no role \"{role}\", which subscribers should have"),
            grant(),
        ));
    };
    if !row.try_get::<_, bool>("is_member")? {
        let login = login(&row)?;
        return Err(Failure::refused(
            format!("role {login} may not become \"{role}\""),
            format!(
                "GRANT {} TO {}",
                escape_identifier(role),
                escape_identifier(&login)
            ),
        ));
    }
    let row = client
        .query_one(&Statement::Bound.text(schema), &[&role, &schema])
        .await?;
    if !row.try_get::<_, bool>("is_bound")? {
        return Err(Failure::refused(
            format!(
                "row-level security does not bind role \"{role}\": subscribers would see each other's signals"
            ),
            "Name a role by --role that is not a superuser, has no BYPASSRLS and does not own the table.",
        ));
    }
    if !row.try_get::<_, bool>("may_read")? {
        return Err(Failure::refused(
            format!("role \"{role}\" may not read signals"),
            grant(),
        ));
    }
    Ok(())
}

/// Two logins, but one database: resume points and rows must be of the same history.
async fn check_same_database(client: &Client, subscribers: &Client) -> Result<(), Failure> {
    let text = Statement::Identity.text("");
    let (own, theirs) = (
        client.query_one(&text, &[]).await?,
        subscribers.query_one(&text, &[]).await?,
    );
    for name in ["started", "database"] {
        if own.try_get::<_, String>(name)? != theirs.try_get::<_, String>(name)? {
            return Err(Failure::refused(
                "--subscriber-database-url is another database than DATABASE_URL",
                "Give both the same host, port and database, and only different logins.",
            ));
        }
    }
    Ok(())
}

/// A role that is set can be left again, so the login for subscribers must have no other rights.
async fn check_subscriber_login(client: &Client, role: &str) -> Result<(), Failure> {
    let row = client
        .query_one(&Statement::SubscriberLogin.text(""), &[&role])
        .await?;
    let login = login(&row)?;
    let name = escape_identifier(&login);
    let (excess, hint) = if row.try_get("is_privileged")? {
        (
            "has attributes that subscribers must not have".to_owned(),
            format!(
                "ALTER ROLE {name} NOSUPERUSER NOREPLICATION NOBYPASSRLS NOCREATEROLE NOCREATEDB"
            ),
        )
    } else if row.try_get("is_owner")? {
        (
            "owns objects".to_owned(),
            format!("REASSIGN OWNED BY {name} TO another role"),
        )
    } else if let Some(other) = row.try_get::<_, Option<String>>("other_role")? {
        (
            format!("is a member of \"{other}\""),
            format!("REVOKE {} FROM {name}", escape_identifier(&other)),
        )
    } else {
        return Ok(());
    };
    Err(Failure::refused(
        format!("role {login}, the login for subscribers, {excess}"),
        hint,
    ))
}

/// What the service asks as itself.
async fn check_own_rights(client: &Client, schema: &str) -> Result<(), Failure> {
    let row = client
        .query_one(&Statement::OwnRights.text(schema), &[])
        .await?;
    let login = login(&row)?;
    if !row.try_get::<_, bool>("may_read_transactions")? {
        return Err(Failure::refused(
            format!("role {login} does not inherit the rights of the role of subscribers"),
            format!("ALTER ROLE {} INHERIT", escape_identifier(&login)),
        ));
    }
    if !row.try_get::<_, bool>("may_read_health")? {
        return Err(Failure::refused(
            format!("role {login} may not read signal_health or the track record"),
            format!("GRANT pg_monitor TO {}", escape_identifier(&login)),
        ));
    }
    Ok(())
}

/// What notifications need.
async fn check_push(client: &Client, schema: &str, role: &str) -> Result<(), Failure> {
    let text = Statement::PushRights.text(schema);
    let row = client.query_one(&text, &[&role]).await?;
    // Null: an extension that is older has no such objects.
    let may = |name| Ok::<_, Failure>(row.try_get::<_, Option<bool>>(name)? == Some(true));
    match (may("may_read")?, may("may_keep")?) {
        (true, true) => Ok(()),
        (true, false) => Err(Failure::refused(
            format!("role \"{role}\" may not keep push subscriptions"),
            format!(
                "SELECT {}.grant_realtime_access({})",
                escape_identifier(schema),
                escape_literal(role)
            ),
        )),
        (false, _) => Err(Failure::refused(
            "the extension in the database is older than push subscriptions",
            "ALTER EXTENSION signal_hub UPDATE",
        )),
    }
}
