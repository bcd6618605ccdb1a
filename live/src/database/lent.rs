//! A connection that somebody asks over who may leave before the answer. Then what is asked is
//! cancelled: otherwise it would go on to its end, and the connection be of use to nobody meanwhile.

use super::Statement;
use super::connections::PATIENCE;
use deadpool_postgres::Object;
use std::ops::{Deref, DerefMut};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connection of a pool, as long as this is kept.
pub struct Lent {
    /// `None` only while this is dropped.
    object: Option<Object>,
    connector: MakeRustlsConnect,
    is_done: bool,
}

impl Lent {
    /// `connector` is that of the connection.
    pub fn new(object: Object, connector: MakeRustlsConnect) -> Self {
        Self {
            object: Some(object),
            connector,
            is_done: false,
        }
    }

    /// Everything that was asked has been answered.
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Deref for Lent {
    type Target = Object;

    fn deref(&self) -> &Object {
        match &self.object {
            Some(object) => object,
            None => unreachable!("it is there until this is dropped"),
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Object {
        match &mut self.object {
            Some(object) => object,
            None => unreachable!("it is there until this is dropped"),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (false, Some(object)) = (self.is_done, self.object.take()) {
            tokio::spawn(give_up(object, self.connector.clone()));
        }
    }
}

/// Cancels what is asked. Nobody else gets the connection before it is known that the cancel does not
/// hit what they ask: the server has sent it when the request for it ends, so that it has arrived
/// before the next answer. A connection that is not in order then is closed.
async fn give_up(object: Object, connector: MakeRustlsConnect) {
    let token = object.cancel_token();
    let text = Statement::Nothing.text("");
    let cancelled = async {
        token.cancel_query(connector).await?;
        object.batch_execute(&text).await
    };
    let cancelled = tokio::time::timeout(PATIENCE, cancelled).await;
    if !matches!(cancelled, Ok(Ok(()))) {
        drop(Object::take(object));
    }
}
