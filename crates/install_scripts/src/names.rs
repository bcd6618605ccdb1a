//! The names that statements take in the extension's schema, and columns in tables that are there.

use crate::statement::Statement;
use crate::token::Token;

/// Stand in a part for what the script creates and the release before it did not have: relations,
/// and columns as table.column. To be written between quotes, as an array.
pub const RELATIONS: &str = "@new_relations@";
pub const COLUMNS: &str = "@new_columns@";

/// In the order of the statements.
#[derive(Default)]
pub struct Names {
    relations: Vec<String>,
    columns: Vec<String>,
}

impl Names {
    pub fn add(&mut self, statement: &Statement) {
        let tokens = statement.tokens();
        if let Some(name) = created(&tokens) {
            self.relations.push(name.to_owned());
        }
        if let [alter, table, _, _, name, rest @ ..] = tokens.as_slice()
            && alter.is("ALTER")
            && table.is("TABLE")
        {
            let added = rest.windows(3).filter_map(|words| match words {
                [add, column, column_name] if add.is("ADD") && column.is("COLUMN") => {
                    Some(format!("{}.{}", name.text, column_name.text))
                }
                _ => None,
            });
            self.columns.extend(added);
        }
    }

    /// Puts into a script what is here and not in the release it begins with.
    pub fn put_into(&self, script: &str, before: &Self) -> String {
        let list = |these: &[String], those: &[String]| {
            let new = these.iter().filter(|name| !those.contains(name));
            let new: Vec<&str> = new.map(String::as_str).collect();
            format!("{{{}}}", new.join(","))
        };
        script
            .replace(RELATIONS, &list(&self.relations, &before.relations))
            .replace(COLUMNS, &list(&self.columns, &before.columns))
    }
}

/// The name of the table, view, sequence or index that a statement creates.
fn created<'a>(tokens: &[Token<'a>]) -> Option<&'a str> {
    let (create, mut rest) = tokens.split_first()?;
    if !create.is("CREATE") {
        return None;
    }
    let before_kind = ["OR", "REPLACE", "UNLOGGED", "UNIQUE", "MATERIALIZED"];
    while let Some((first, others)) = rest.split_first()
        && before_kind.iter().any(|word| first.is(word))
    {
        rest = others;
    }
    match rest {
        [index, name, ..] if index.is("INDEX") => Some(name.text),
        [kind, _, _, name, ..] if ["TABLE", "VIEW", "SEQUENCE"].iter().any(|k| kind.is(k)) => {
            Some(name.text)
        }
        _ => None,
    }
}
