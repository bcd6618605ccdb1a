//! SQL as PostgreSQL's scanner takes it apart: words, literals and symbols; comments and blanks
//! are passed over.

/// A piece of SQL and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    /// Position of its first byte.
    pub start: usize,
    pub line: usize,
}

impl<'a> Token<'a> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this key word; those are written in any case.
    pub fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

/// A literal, comment or quoted name that does not end: the line where it begins, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Unended(pub usize, pub &'static str);

pub fn tokens(sql: &str) -> Result<Vec<Token<'_>>, Unended> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < sql.len() {
        let rest = &sql[at..];
        let (length, is_token) = piece(rest).map_err(|what| Unended(line, what))?;
        let text = &rest[..length];
        if is_token {
            let start = at;
            tokens.push(Token { text, start, line });
        }
        line += text.matches('\n').count();
        at += length;
    }
    Ok(tokens)
}

/// Length of what `sql` begins with, and whether it means something.
fn piece(sql: &str) -> Result<(usize, bool), &'static str> {
    let mut chars = sql.chars();
    let first = chars.next().unwrap_or_default();
    let second = chars.next().unwrap_or_default();
    match (first, second) {
        ('-', '-') => Ok((sql.find('\n').unwrap_or(sql.len()), false)),
        ('/', '*') => Ok((block_comment(sql)?, false)),
        ('\'', _) => Ok((1 + quoted(&sql[1..], '\'', false)?, true)),
        ('e' | 'E', '\'') => Ok((2 + quoted(&sql[2..], '\'', true)?, true)),
        ('"', _) => Ok((1 + quoted(&sql[1..], '"', false)?, true)),
        ('$', _) => Ok((dollar_quoted(sql)?, true)),
        // What CREATE EXTENSION replaces, as @extschema@, is one word.
        ('@', _) => Ok((placeholder(sql).unwrap_or(1), true)),
        _ if first.is_whitespace() => Ok((first.len_utf8(), false)),
        _ if is_word(first) => Ok((sql.find(|c| !is_word(c)).unwrap_or(sql.len()), true)),
        _ => Ok((first.len_utf8(), true)),
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Length up to and with the quote that ends it; a doubled one does not.
fn quoted(sql: &str, quote: char, backslash_escapes: bool) -> Result<usize, &'static str> {
    let mut chars = sql.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && backslash_escapes {
            chars.next();
        } else if c == quote && chars.next_if(|&(_, next)| next == quote).is_none() {
            return Ok(at + 1);
        }
    }
    Err(match quote {
        '"' => "a quoted name",
        _ => "a string",
    })
}

/// Comments of this form hold comments of this form.
fn block_comment(sql: &str) -> Result<usize, &'static str> {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = &sql[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Ok(at);
            }
        } else {
            at += rest.chars().next().ok_or("a comment")?.len_utf8();
        }
    }
}

/// `$tag$ ... $tag$`, or a parameter like `$1`, of which this is the symbol alone.
fn dollar_quoted(sql: &str) -> Result<usize, &'static str> {
    let Some(second) = sql[1..].find('$') else {
        return Ok(1);
    };
    let tag = &sql[..second + 2];
    let name = &tag[1..tag.len() - 1];
    if !name.chars().all(is_word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(1);
    }
    let body = &sql[tag.len()..];
    let end = body.find(tag).ok_or("a dollar-quoted string")?;
    Ok(tag.len() + end + tag.len())
}

fn placeholder(sql: &str) -> Option<usize> {
    let length = sql[1..].find(|c| !is_word(c))?;
    (length > 0 && sql[1 + length..].starts_with('@')).then_some(length + 2)
}
