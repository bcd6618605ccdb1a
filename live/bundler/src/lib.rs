//! Joins JavaScript modules into one script for each page: a browser takes about a millisecond for each file,
//! wherever the file comes from.
//!
//! Each module becomes a function that is called once and returns what the module exports. Only
//! the forms of import and export that the page uses are known. Any other form is an error with
//! its file and line, so that a bundle is whole or is not built. Comments that have a line of
//! their own are left out: browsers need not load them.
//!
//! A page may have several scripts, which it loads one after the other: the constants of the first,
//! which is a classic script, are known in the later ones.
//!
//! Written by hand because a bundler from npm would make Node a requirement of every build.
#![forbid(unsafe_code)]

mod line;

use line::{Comments, Kind, classify};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use thiserror::Error;

/// Text of each module, by file name.
pub type Modules = BTreeMap<String, String>;

/// Why modules cannot be joined: file, line, and what is wrong there.
#[derive(Debug, Error, PartialEq)]
#[error("{file}:{line}: {what}")]
pub struct Unjoinable {
    file: String,
    line: usize,
    what: String,
}

/// Joins the modules of each page. A page is named by the modules that start its scripts, in the order in
/// which it loads them; a module is in the first script that needs it. The result has the scripts of all
/// pages in that order.
///
/// # Errors
/// When a form of import or export is unknown, an imported module or name does not exist, modules
/// import each other in a circle, or a module is not imported by any other.
pub fn bundle(modules: &Modules, pages: &[&[&str]]) -> Result<Vec<String>, Unjoinable> {
    let mut used = BTreeSet::new();
    let mut scripts = Vec::new();
    for page in pages {
        let mut bundle = Bundle {
            modules,
            exports: BTreeMap::new(),
            open: Vec::new(),
            script: String::new(),
        };
        for first in *page {
            let start = Place {
                file: first,
                line: 1,
            };
            bundle.join(first, &start)?;
            scripts.push(std::mem::take(&mut bundle.script));
        }
        used.extend(bundle.exports.into_keys());
    }
    let unused = modules.keys().find(|name| !used.contains(name.as_str()));
    match unused {
        None => Ok(scripts),
        Some(name) => Err(Place {
            file: name,
            line: 1,
        }
        .error("no module imports this one")),
    }
}

struct Bundle<'a> {
    modules: &'a Modules,
    /// What each module that is in a script of the page exports.
    exports: BTreeMap<&'a str, Vec<String>>,
    /// Modules whose imports are being joined.
    open: Vec<String>,
    script: String,
}

struct Place<'a> {
    file: &'a str,
    line: usize,
}

impl Place<'_> {
    fn error(&self, what: impl Into<String>) -> Unjoinable {
        Unjoinable {
            file: self.file.to_owned(),
            line: self.line,
            what: what.into(),
        }
    }
}

impl<'a> Bundle<'a> {
    /// Appends a module, after those that it imports, unless it is in a script already.
    fn join(&mut self, name: &str, asked: &Place) -> Result<(), Unjoinable> {
        if self.exports.contains_key(name) {
            return Ok(());
        }
        if self.open.iter().any(|open| open == name) {
            return Err(asked.error(format!("{name} imports this module in a circle")));
        }
        let known = self.modules.get_key_value(name);
        let (name, text) = known.ok_or_else(|| asked.error(format!("there is no {name}")))?;
        self.open.push(name.clone());
        let (body, exports) = self.body(name, text)?;
        self.open.pop();
        // Writing to a string does not fail.
        let _ = writeln!(
            self.script,
            "const {} = (() => {{\n{body}return {{ {} }};\n}})();",
            variable(name),
            exports.join(", ")
        );
        self.exports.insert(name, exports);
        Ok(())
    }

    /// The module without imports and exports, and the names that it exports.
    fn body(&mut self, file: &str, text: &str) -> Result<(String, Vec<String>), Unjoinable> {
        let mut body = String::new();
        let mut exports = Vec::new();
        let mut comments = Comments::default();
        for (number, line) in text.lines().enumerate() {
            let place = Place {
                file,
                line: number + 1,
            };
            if comments.take(line).map_err(|what| place.error(what))? {
                continue;
            }
            match classify(line).map_err(|what| place.error(what))? {
                Kind::Import { names, from } => {
                    self.join(from, &place)?;
                    let known = &self.exports[from];
                    if let Some(name) = names.iter().find(|name| !known.iter().any(|k| k == *name))
                    {
                        return Err(place.error(format!("{from} does not export {name}")));
                    }
                    let _ = writeln!(
                        body,
                        "const {{ {} }} = {};",
                        names.join(", "),
                        variable(from)
                    );
                }
                Kind::Export { name, declaration } => {
                    exports.push(name.to_owned());
                    let _ = writeln!(body, "{declaration}");
                }
                Kind::Other => {
                    let _ = writeln!(body, "{line}");
                }
            }
        }
        if comments.is_inside() {
            let line = text.lines().count();
            return Err(Place { file, line }.error("a comment without an end"));
        }
        Ok((body, exports))
    }
}

/// The constant that has what a module exports.
fn variable(file: &str) -> String {
    format!("${}", file.trim_end_matches(".js"))
}
