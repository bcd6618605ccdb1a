//! A connection whose statements panic when they fail, with the statement and all that the server
//! reported.

use postgres::error::DbError;
use postgres::types::FromSqlOwned;
use postgres::{Client, Error, Row};
use std::io::Write;

/// A connection to one database.
pub struct Session {
    client: Client,
}

impl Session {
    /// A session that uses this connection.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Runs one or more statements, and ignores their rows.
    #[track_caller]
    pub fn run(&mut self, sql: &str) {
        let result = self.client.batch_execute(sql);
        result.unwrap_or_else(|error| fail(sql, &error));
    }

    /// Runs a COPY from the client, of this content.
    #[track_caller]
    pub fn copy_in(&mut self, sql: &str, content: &[u8]) {
        let copied = self.client.copy_in(sql).and_then(|mut writer| {
            // The server says what is wrong when the end is sent.
            let _ = writer.write_all(content);
            writer.finish()
        });
        copied.map_or_else(|error| fail(sql, &error), |_| ());
    }

    /// The rows of a query.
    #[track_caller]
    pub fn rows(&mut self, sql: &str) -> Vec<Row> {
        let result = self.client.query(sql, &[]);
        result.unwrap_or_else(|error| fail(sql, &error))
    }

    /// The one value of a query that returns one row.
    #[track_caller]
    pub fn one<T: FromSqlOwned>(&mut self, sql: &str) -> T {
        let mut values = self.list(sql);
        assert_eq!(values.len(), 1, "one row was expected of {sql}");
        values.remove(0)
    }

    /// The first column of a query.
    #[track_caller]
    pub fn list<T: FromSqlOwned>(&mut self, sql: &str) -> Vec<T> {
        self.try_list(sql).unwrap_or_else(|error| fail(sql, &error))
    }

    /// The first column of a query that may fail, for example while a server restarts.
    ///
    /// # Errors
    /// What the statement failed with, or that a value is not of type `T`.
    pub fn try_list<T: FromSqlOwned>(&mut self, sql: &str) -> Result<Vec<T>, Error> {
        let rows = self.client.query(sql, &[])?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// The error of a statement that has to fail.
    ///
    /// # Panics
    /// When it succeeds, or fails without an answer of the server.
    #[track_caller]
    pub fn error(&mut self, sql: &str) -> DbError {
        match self.client.batch_execute(sql) {
            Ok(()) => panic!("an error was expected of {sql}"),
            Err(error) => match error.as_db_error() {
                Some(report) => report.clone(),
                None => fail(sql, &error),
            },
        }
    }
}

#[track_caller]
fn fail(sql: &str, error: &Error) -> ! {
    match error.as_db_error() {
        Some(report) => panic!(
            "{sql}\n{}: {}\nDETAIL: {:?}\nHINT: {:?}\nCONTEXT: {:?}",
            report.code().code(),
            report.message(),
            report.detail(),
            report.hint(),
            report.where_()
        ),
        None => panic!("{sql}\n{error}"),
    }
}
