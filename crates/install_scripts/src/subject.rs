//! What a statement does, and to which object of the extension.

use crate::statement::Statement;
use crate::token::Token;

/// Functions have names of their own; tables, views and sequences share theirs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    Relation(String),
    Function(String),
}

/// A trigger or policy: it has its name on its table only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hanging {
    pub kind: &'static str,
    pub name: String,
    pub table: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// CREATE FUNCTION, VIEW, TABLE or SEQUENCE.
    Create {
        object: Object,
        or_replace: bool,
    },
    /// CREATE TRIGGER or POLICY, and what is said of one afterwards, in ALTER TABLE or COMMENT.
    CreateHanging(Hanging),
    OfHanging(Hanging),
    /// DROP FUNCTION, VIEW or TABLE.
    Drop(Object),
    Comment,
    /// GRANT or REVOKE on one object; none when it is written in another way.
    Access(Option<Object>),
    Do,
    Other,
}

impl Subject {
    pub fn of(statement: &Statement) -> Self {
        let tokens = statement.tokens();
        let mut words = Words(&tokens);
        if words.skip("CREATE") {
            let or_replace = words.skip("OR") && words.skip("REPLACE");
            Self::of_create(words, or_replace)
        } else if words.skip("DROP") {
            match words.object() {
                Some(object) => Self::Drop(object),
                None => Self::Other,
            }
        } else if words.skip("COMMENT") {
            words.skip("ON");
            words.hanging().map_or(Self::Comment, Self::OfHanging)
        } else if words.skip("ALTER") && words.skip("TABLE") {
            Self::of_alter_table(words)
        } else if words.skip("GRANT") || words.skip("REVOKE") {
            Self::Access(words.object_of_access())
        } else if words.skip("DO") {
            Self::Do
        } else {
            Self::Other
        }
    }

    fn of_create(mut words: Words, or_replace: bool) -> Self {
        if let Some(object) = words.object() {
            return Self::Create { object, or_replace };
        }
        words.hanging().map_or(Self::Other, Self::CreateHanging)
    }

    /// ALTER TABLE t ENABLE ALWAYS TRIGGER and the like.
    fn of_alter_table(mut words: Words) -> Self {
        let Some(table) = words.name() else {
            return Self::Other;
        };
        if !words.skip("ENABLE") && !words.skip("DISABLE") {
            return Self::Other;
        }
        let _ = words.skip("ALWAYS") || words.skip("REPLICA");
        if !words.skip("TRIGGER") {
            return Self::Other;
        }
        match words.bare_name() {
            Some(name) => Self::OfHanging(Hanging {
                kind: "TRIGGER",
                name,
                table,
            }),
            None => Self::Other,
        }
    }
}

/// The index that a comment is about.
pub fn commented_index(statement: &Statement) -> Option<String> {
    let tokens = statement.tokens();
    let mut words = Words(&tokens);
    (words.skip("COMMENT") && words.skip("ON") && words.skip("INDEX"))
        .then(|| words.name())
        .flatten()
}

/// What is left of a statement.
struct Words<'t, 'a>(&'t [Token<'a>]);

impl Words<'_, '_> {
    fn skip(&mut self, word: &str) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if first.is(word) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn bare_name(&mut self) -> Option<String> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first.text.to_owned())
    }

    /// `@extschema@.name`, without the schema. No other schema is ours.
    fn name(&mut self) -> Option<String> {
        (self.skip("@extschema@") && self.skip("."))
            .then(|| self.bare_name())
            .flatten()
    }

    /// FUNCTION, TABLE and so on, and a name.
    fn object(&mut self) -> Option<Object> {
        let before = self.0;
        let is_function = self.skip("FUNCTION") || self.skip("PROCEDURE");
        if !is_function {
            let _ = self.skip("UNLOGGED");
            if !(self.skip("TABLE") || self.skip("VIEW") || self.skip("SEQUENCE")) {
                self.0 = before;
                return None;
            }
        }
        let _ = self.skip("IF") && self.skip("EXISTS");
        let name = self.name()?;
        Some(match is_function {
            true => Object::Function(name),
            false => Object::Relation(name),
        })
    }

    /// TRIGGER or POLICY, its name, and behind an ON that may come later, its table.
    fn hanging(&mut self) -> Option<Hanging> {
        let kind = match () {
            _ if self.skip("TRIGGER") => "TRIGGER",
            _ if self.skip("POLICY") => "POLICY",
            _ => return None,
        };
        let name = self.bare_name()?;
        while !self.skip("ON") {
            self.bare_name()?;
        }
        let table = self.name()?;
        Some(Hanging { kind, name, table })
    }

    /// What stands between ON and TO or FROM, when that is one object.
    fn object_of_access(&mut self) -> Option<Object> {
        while !self.skip("ON") {
            self.bare_name()?;
        }
        let object = match self.object() {
            Some(object) => object,
            None => Object::Relation(self.name()?),
        };
        if self.skip("(") {
            while !self.skip(")") {
                self.bare_name()?;
            }
        }
        (self.skip("TO") || self.skip("FROM")).then_some(object)
    }
}
