//! Whether what is followed can be: the extension, the publication, the rights.

use crate::config::Serve;
use crate::error::Failure;
use crate::publication;
use crate::quoting::{identifier, literal};
use tokio_postgres::Client;

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
    Ok(schema)
}

/// Logical decoding must be on, and allowed to this role.
pub async fn must_decode(client: &Client) -> Result<(), Failure> {
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
            format!("ALTER ROLE {} REPLICATION", identifier(&user)),
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
    name: &str,
) -> Result<(), Failure> {
    let whole = publication::fingerprint(schema);
    let row = client
        .query_one(
            &format!(
                "SELECT {whole} IS NOT NULL,
                        EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = $1 AND t.schemaname = $2 AND t.tablename = 'user_signals')"
            ),
            &[&name, &schema],
        )
        .await?;
    let enable = publication::remedy(schema, name);
    match (row.get(0), row.get(1)) {
        (true, _) => Ok(()),
        (false, false) => Err(Failure::refused(
            format!("publication \"{name}\" does not publish user_signals"),
            enable,
        )),
        (false, true) => Err(Failure::refused(
            format!(
                "publication \"{name}\" publishes a part of user_signals: inserts and updates, all rows and the columns of the extension are needed"
            ),
            format!(
                "ALTER PUBLICATION {name} SET (publish = 'insert, update'); ALTER PUBLICATION {name} DROP TABLE {schema}.user_signals; {enable}",
                name = identifier(name),
                schema = identifier(schema),
            ),
        )),
    }
}

/// Everything a subscriber does is done as this role, so row-level security must bind it.
async fn role_must_be_bound(client: &Client, schema: &str, role: &str) -> Result<(), Failure> {
    let grant = || {
        format!(
            "CREATE ROLE {role} unless it is there, then SELECT {schema}.grant_realtime_access({name})",
            role = identifier(role),
            schema = identifier(schema),
            name = literal(role),
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
            format!("GRANT {} TO {}", identifier(role), identifier(&me)),
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
            format!("ALTER ROLE {} INHERIT", identifier(&me)),
        ));
    }
    if !row.get::<_, bool>(0) {
        return Err(Failure::refused(
            format!("role {me} may not read signal_health"),
            format!("GRANT pg_monitor TO {}", identifier(&me)),
        ));
    }
    Ok(())
}
