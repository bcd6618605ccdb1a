//! A script taken apart into statements.

use crate::token::{Token, Unended, tokens};

/// One statement, with the comments before it.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Line of its first word.
    pub line: usize,
    /// Blanks and comments between the statement before and this one.
    pub before: String,
    /// From the first word to the semicolon.
    pub text: String,
}

impl Statement {
    pub fn tokens(&self) -> Vec<Token<'_>> {
        // It was taken apart before, so there is nothing in it that does not end.
        tokens(&self.text).unwrap_or_default()
    }

    /// The same for statements that differ in comments and in the layout alone.
    pub fn essence(&self) -> String {
        let mut essence = String::new();
        for token in self.tokens() {
            match token.text.strip_prefix('\'') {
                // A string may go on in further lines, as one more string.
                Some(more) if essence.ends_with('\'') => {
                    essence.pop();
                    essence += more;
                }
                _ => {
                    essence.push(' ');
                    essence += token.text;
                }
            }
        }
        essence
    }
}

/// Why a script cannot be taken apart: a line, and what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub line: usize,
    pub message: String,
}

/// The statements of a script, and the comments after the last one.
pub fn split(sql: &str) -> Result<(Vec<Statement>, String), Malformed> {
    let tokens = tokens(sql).map_err(|Unended(line, what)| Malformed {
        line,
        message: format!("{what} begins here and does not end"),
    })?;
    let mut statements = Vec::new();
    let mut end_of_last = 0;
    let mut first: Option<Token> = None;
    let mut nesting = Nesting::default();
    for (n, token) in tokens.iter().enumerate() {
        let begin = *first.get_or_insert(*token);
        nesting.step(token, tokens.get(n + 1));
        if nesting.is_level() && token.text == ";" {
            statements.push(Statement {
                line: begin.line,
                before: sql[end_of_last..begin.start].to_owned(),
                text: sql[begin.start..token.end()].to_owned(),
            });
            end_of_last = token.end();
            first = None;
        }
    }
    match first {
        None => Ok((statements, sql[end_of_last..].to_owned())),
        Some(begin) => Err(Malformed {
            line: begin.line,
            message: "the statement that begins here does not end with a semicolon".to_owned(),
        }),
    }
}

/// How deep inside parentheses, and inside the body of a function that is not a string
/// (BEGIN ATOMIC ... END), a place is. Semicolons there end no statement.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    bodies: usize,
}

impl Nesting {
    fn step(&mut self, token: &Token, next: Option<&Token>) {
        match token.text {
            "(" => self.parentheses += 1,
            ")" => self.parentheses = self.parentheses.saturating_sub(1),
            _ if token.is("BEGIN") && next.is_some_and(|next| next.is("ATOMIC")) => {
                self.bodies += 1;
            }
            _ if self.bodies > 0 && token.is("CASE") => self.bodies += 1,
            _ if self.bodies > 0 && token.is("END") => self.bodies -= 1,
            _ => (),
        }
    }

    fn is_level(&self) -> bool {
        self.parentheses == 0 && self.bodies == 0
    }
}
