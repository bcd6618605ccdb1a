//! What a line of a module is to the bundle.

/// A line of a module.
#[derive(Debug, PartialEq)]
pub enum Kind<'a> {
    /// `import { a, b } from './other.js';`
    Import {
        names: Vec<&'a str>,
        from: &'a str,
    },
    /// A declaration after `export`, and the name that it declares.
    Export {
        name: &'a str,
        declaration: &'a str,
    },
    Other,
}

/// Declarations that may follow `export`, up to their name.
const DECLARATIONS: [&str; 7] = [
    "async function* ",
    "async function ",
    "function* ",
    "function ",
    "class ",
    "const ",
    "let ",
];

/// Finds out what a line is; the error says what is unknown about it.
pub fn classify(line: &str) -> Result<Kind<'_>, &'static str> {
    if let Some(rest) = line.strip_prefix("import ") {
        return import(rest).ok_or(
            "unknown form of import; known is: import { a, b } from './other.js'; on one line",
        );
    }
    if let Some(declaration) = line.strip_prefix("export ") {
        return export(declaration).ok_or(
            "unknown form of export; known is export in front of a function, class, const or let",
        );
    }
    if line.matches('`').count() % 2 == 1 {
        return Err("a template over several lines, in which lines may look like something else");
    }
    match starts_with_word(line, "import")
        || starts_with_word(line, "export")
        || imports_later(line)
    {
        true => Err("import or export in an unknown place or form"),
        false => Ok(Kind::Other),
    }
}

fn import(rest: &str) -> Option<Kind<'_>> {
    let (names, from) = rest.strip_suffix("';")?.split_once(" } from './")?;
    let names: Vec<_> = names.strip_prefix("{ ")?.split(", ").collect();
    let is_file = from.strip_suffix(".js").is_some_and(is_name);
    (is_file && names.iter().all(|name| is_name(name))).then_some(Kind::Import { names, from })
}

fn export(declaration: &str) -> Option<Kind<'_>> {
    let rest = DECLARATIONS
        .iter()
        .find_map(|kind| declaration.strip_prefix(kind))?;
    let end = rest
        .find(|letter: char| !is_letter(letter))
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    // A second name behind a comma would be missing in what the module returns.
    let is_one = !(rest.starts_with(',') || declaration.starts_with("let ") && rest.contains(','));
    (is_name(name) && is_one).then_some(Kind::Export { name, declaration })
}

fn starts_with_word(line: &str, word: &str) -> bool {
    let rest = line.trim_start().strip_prefix(word);
    rest.is_some_and(|rest| !rest.starts_with(|letter| is_letter(letter) || letter == ':'))
}

/// `import('./other.js')` and `import.meta` in the middle of a line. A file that ends in .mjs is none of
/// the modules that are joined: it is served as it is, and may be loaded when it is needed.
fn imports_later(line: &str) -> bool {
    let is_apart = |rest: &str| {
        let name = rest
            .strip_prefix("'./")
            .and_then(|rest| rest.split_once(".mjs')"));
        name.is_some_and(|(name, _)| {
            name.chars()
                .all(|letter| is_letter(letter) || letter == '-')
        })
    };
    line.contains("import.meta") || line.split("import(").skip(1).any(|rest| !is_apart(rest))
}

/// Finds the lines that are only a comment.
#[derive(Default)]
pub struct Comments {
    is_inside: bool,
}

impl Comments {
    /// Whether a comment has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.is_inside
    }

    /// Whether the next line is only a comment.
    pub fn take(&mut self, line: &str) -> Result<bool, &'static str> {
        let text = line.trim();
        if !self.is_inside && !text.starts_with("/*") {
            return Ok(text.starts_with("//"));
        }
        match text.find("*/").map(|place| &text[place + 2..]) {
            None => {
                self.is_inside = true;
                Ok(true)
            }
            Some("") => {
                self.is_inside = false;
                Ok(true)
            }
            Some(_) if self.is_inside => Err("code behind a comment of several lines"),
            Some(_) => Ok(false),
        }
    }
}

fn is_name(text: &str) -> bool {
    let starts_well = text.starts_with(|first: char| is_letter(first) && !first.is_ascii_digit());
    starts_well && text.chars().all(is_letter)
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '$'
}
