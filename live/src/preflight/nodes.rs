//! The nodes that have rows of subscribers beside the server that the service asks.

use super::{check_decoding, check_publication, connect_to, find_schema, slot};
use crate::database::{Node, PATIENCE, Statement};
use crate::error::Failure;
use crate::options::Serve;
use tokio_postgres::Client;

/// Those that the server lists.
///
/// # Errors
/// When the server refuses.
pub async fn list(client: &Client, schema: &str) -> Result<Vec<Node>, Failure> {
    let rows = client.query(&Statement::Nodes.text(schema), &[]).await?;
    let nodes = rows.iter().map(Node::new);
    nodes
        .collect::<Result<_, _>>()
        .map_err(|why| Failure::Other(why.to_string()))
}

/// Those of a database that may not have the extension yet.
///
/// # Errors
/// When the server refuses.
pub async fn of(client: &Client) -> Result<Vec<Node>, Failure> {
    match find_schema(client).await {
        Ok(schema) => list(client, &schema).await,
        Err(_) => Ok(Vec::new()),
    }
}

/// Checks everything that following a node needs.
///
/// # Errors
/// The first thing that is missing, and how to provide it.
pub async fn check(options: &Serve, node: &Node) -> Result<(), Failure> {
    let client = connect_to(&node.address(&options.source.database)).await?;
    let asked = async {
        check_decoding(&client).await?;
        let schema = find_schema(&client).await?;
        check_publication(&client, &schema, &options.publication, false).await
    };
    let asked = tokio::time::timeout(2 * PATIENCE, asked).await;
    asked.map_err(|_| Failure::Other("the node does not answer".to_owned()))??;
    slot::wait_until_free(&client, options).await
}
