//! The folder sql/.

use crate::fault::Fault;
use crate::part::Part;
use std::fs;
use std::path::{Path, PathBuf};

/// Everything that install and update scripts are made of.
#[derive(Debug)]
pub struct Sources {
    pub folder: PathBuf,
    /// In the order of their numbers.
    pub parts: Vec<Part>,
    pub updates: Vec<Update>,
    /// Scripts as they were shipped, which never change.
    pub frozen: Vec<Frozen>,
    /// What the library and parts have in common.
    pub queries: Vec<Query>,
}

/// A query of queries/: it is to stand in parts where they have its name between two @.
#[derive(Debug)]
pub struct Query {
    pub name: String,
    pub text: String,
}

/// A folder of updates/.
#[derive(Debug)]
pub struct Update {
    pub folder: PathBuf,
    pub from: String,
    pub to: String,
    pub parts: Vec<Part>,
}

/// A script of releases/.
#[derive(Debug)]
pub struct Frozen {
    pub file: PathBuf,
    pub name: String,
    pub text: String,
}

impl Frozen {
    /// The release that it takes to another; `None` when it installs one.
    pub fn updates_from(&self) -> Option<&str> {
        let (_, versions) = self.name.split_once("--")?;
        Some(versions.split_once("--")?.0)
    }
}

pub fn read(folder: &Path) -> Result<Sources, Fault> {
    let mut updates = Vec::new();
    for folder in entries(&folder.join("updates"))? {
        let name = file_name(&folder);
        let (from, to) = name
            .split_once("--")
            .ok_or_else(|| Fault::in_file(&folder, "a folder of updates is named FROM--TO"))?;
        updates.push(Update {
            parts: parts(&folder, Part::of_update)?,
            from: from.to_owned(),
            to: to.to_owned(),
            folder,
        });
    }
    let mut frozen = Vec::new();
    for file in sql_files(&folder.join("releases"))? {
        frozen.push(Frozen {
            name: file_name(&file),
            text: read_file(&file)?,
            file,
        });
    }
    let mut queries = Vec::new();
    for file in sql_files(&folder.join("queries"))? {
        queries.push(Query {
            name: file_name(&file.with_extension("")),
            text: read_file(&file)?,
        });
    }
    Ok(Sources {
        queries,
        folder: folder.to_owned(),
        parts: parts(folder, Part::of_install)?,
        updates,
        frozen,
    })
}

/// The parts of a folder. Their order is that of their numbers, so no two may have the same.
fn parts(
    folder: &Path,
    parse: impl Fn(&Path, &str) -> Result<Part, Fault>,
) -> Result<Vec<Part>, Fault> {
    let mut parts: Vec<Part> = Vec::new();
    for file in sql_files(folder)? {
        let part = parse(&file, &read_file(&file)?)?;
        if parts.last().is_some_and(|last| last.number == part.number) {
            let message = format!("another part has number {:02} already", part.number);
            return Err(Fault::in_file(&file, message));
        }
        parts.push(part);
    }
    if parts.is_empty() {
        return Err(Fault::in_file(folder, "there are no parts in this folder"));
    }
    Ok(parts)
}

fn sql_files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut files = entries(folder)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    Ok(files)
}

/// Sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let paths = fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    });
    let mut paths: Vec<PathBuf> =
        paths.map_err(|error| Fault::in_file(folder, error.to_string()))?;
    paths.sort();
    Ok(paths)
}

fn read_file(file: &Path) -> Result<String, Fault> {
    fs::read_to_string(file).map_err(|error| Fault::in_file(file, error.to_string()))
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
