//! Prepares the files of the pages, which are part of the program: they are as in `page/`, except
//! that the modules are joined into one or two scripts for each page. Those in `vendor/` are of others, and
//! are served as they were published.

use signal_hub_bundler::{Modules, bundle};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

/// By page: the modules that start its scripts, which have their names. `start.js` asks for the stream while
/// the browser still loads the rest.
const PAGES: [&[&str]; 2] = [&["start.js", "app.js"], &["operator.js"]];
/// A program of its own, not a module of the page.
const WORKER: &str = "sw.js";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=page");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut modules = Modules::new();
    let mut files = BTreeMap::new();
    let folder = fs::canonicalize("page")?;
    let vendored = fs::read_dir(folder.join("vendor"))?;
    for entry in fs::read_dir(&folder)?.chain(vendored) {
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
    let scripts = bundle(&modules, &PAGES).map_err(|error| format!("live/page/{error}"))?;
    for (first, script) in PAGES.concat().into_iter().zip(scripts) {
        let joined = out.join(first);
        let head = "// Made of the modules in live/page.\n'use strict';";
        fs::write(&joined, format!("{head}\n{script}"))?;
        files.insert(first.to_owned(), joined);
    }

    let mut list = String::from("&[\n");
    for (name, path) in files {
        writeln!(list, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    list.push(']');
    Ok(fs::write(out.join("page_files.rs"), list)?)
}
