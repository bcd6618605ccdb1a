//! Lists the strategies: each file of src/strategies is one, but its mod.rs and the tests.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Asked for now, not when this was compiled: the folder may have been moved since.
    let folder = env::current_dir()?.join("src/strategies");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut modules = String::new();
    let mut list = String::new();
    for file in sorted(&folder)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        if file.extension().is_some_and(|it| it == "rs") && name != "mod" && name != "tests" {
            modules += &format!("#[path = {file:?}]\nmod {name};\n");
            list += &format!("{name}::STRATEGY, ");
        }
    }
    let list = format!("/// All strategies.\npub const ALL: &[&dyn Strategy] = &[{list}];\n");
    let to = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("strategies.rs");
    fs::write(to, modules + &list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    files.sort();
    Ok(files)
}
