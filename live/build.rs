//! Prepares the files of the page, which are part of the program: they are as in `page/`, except
//! that the modules are joined into one script.

use signal_hub_bundler::{Modules, bundle};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

/// The module that starts the page. The script with all modules has its name.
const FIRST: &str = "app.js";
/// A program of its own, not a module of the page.
const WORKER: &str = "sw.js";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=page");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut modules = Modules::new();
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(fs::canonicalize("page")?)? {
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
    let script = bundle(&modules, FIRST).map_err(|error| format!("live/page/{error}"))?;
    let joined = out.join(FIRST);
    fs::write(
        &joined,
        format!("// Made of the modules in live/page.\n{script}"),
    )?;
    files.insert(FIRST.to_owned(), joined);

    let mut list = String::from("&[\n");
    for (name, path) in files {
        writeln!(list, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    list.push(']');
    Ok(fs::write(out.join("page_files.rs"), list)?)
}
