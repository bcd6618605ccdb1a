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

/// `import('./other.js')` and `import.meta` in the middle of a line.
fn imports_later(line: &str) -> bool {
    // Documentation has types of that form.
    let code = !line.trim_start().starts_with(['*', '/']);
    code && (line.contains("import(") || line.contains("import.meta"))
}

fn is_name(text: &str) -> bool {
    let starts_well = text.starts_with(|first: char| is_letter(first) && !first.is_ascii_digit());
    starts_well && text.chars().all(is_letter)
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '$'
}
