//! Makes the files of the page that the service carries: they are as they are in `page/`, but the
//! modules are one script, since a browser takes about a millisecond for each file wherever it
//! comes from.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs, io};

/// The module that the page begins with. It gets the name that it has, and all others with it.
const FIRST: &str = "app.js";
/// Is not a module of the page but a program of its own.
const WORKER: &str = "sw.js";

type Modules = BTreeMap<String, String>;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=page");
    let folder = fs::canonicalize("page")?;
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut modules = Modules::new();
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !name.starts_with('.') && path.is_file()) else {
            continue;
        };
        if name.ends_with(".js") && name != WORKER {
            modules.insert(name.to_owned(), fs::read_to_string(&path)?);
        } else {
            files.insert(name.to_owned(), path);
        }
    }
    let mut script = String::from("// Made of the modules in live/page.\n");
    join(&mut modules, FIRST, &mut script)?;
    fs::write(out.join(FIRST), script)?;
    files.insert(FIRST.to_owned(), out.join(FIRST));
    let page = fs::read_to_string(folder.join("index.html"))?;
    let page: Vec<_> = page
        .lines()
        .filter(|line| !line.contains("rel=\"modulepreload\""))
        .collect();
    fs::write(out.join("index.html"), page.join("\n") + "\n")?;
    files.insert("index.html".to_owned(), out.join("index.html"));

    let mut list = String::from("&[\n");
    for (name, path) in files {
        // Writing to a string does not fail.
        let _ = writeln!(list, "    ({name:?}, include_bytes!({path:?})),");
    }
    list.push(']');
    fs::write(out.join("page_files.rs"), list)
}

/// Appends a module, after those that it imports, as a function that is called at once and gives
/// what the module exports.
fn join(modules: &mut Modules, name: &str, script: &mut String) -> io::Result<()> {
    // Not there any more: it was appended before.
    let Some(text) = modules.remove(name) else {
        return Ok(());
    };
    let mut body = String::new();
    let mut exports = Vec::new();
    for line in text.lines() {
        if let Some(import) = line.strip_prefix("import ") {
            let (names, from) = import
                .strip_suffix("';")
                .and_then(|import| import.split_once(" from './"))
                .ok_or_else(|| io::Error::other(format!("{name}: cannot join: {line}")))?;
            join(modules, from, script)?;
            let _ = writeln!(body, "const {names} = {};", variable(from));
        } else if let Some(export) = line.strip_prefix("export ") {
            let mut words = export
                .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .filter(|word| *word != "async");
            exports.push(words.nth(1).unwrap_or_default().to_owned());
            let _ = writeln!(body, "{export}");
        } else {
            let _ = writeln!(body, "{line}");
        }
    }
    let _ = writeln!(
        script,
        "const {} = (() => {{\n{body}return {{ {} }};\n}})();",
        variable(name),
        exports.join(", ")
    );
    Ok(())
}

fn variable(name: &str) -> String {
    format!("${}", name.trim_end_matches(".js"))
}
