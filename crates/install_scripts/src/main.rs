//! install_scripts SQL_FOLDER VERSION OUTPUT_FOLDER: writes all scripts of a version.

#![forbid(unsafe_code)]

use install_scripts::fault::Fault;
use install_scripts::{scripts, sources};
use std::env::args;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = args().skip(1).collect();
    let [folder, version, output] = arguments.as_slice() else {
        eprintln!("usage: install_scripts SQL_FOLDER VERSION OUTPUT_FOLDER");
        return ExitCode::from(2);
    };
    match write(Path::new(folder), version, Path::new(output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("install_scripts: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Scripts of other versions in the output folder are removed.
fn write(folder: &Path, version: &str, output: &Path) -> Result<(), Fault> {
    let scripts = scripts::all(&sources::read(folder)?, version)?;
    let at = |file: &Path| {
        let file = file.to_owned();
        move |error: std::io::Error| Fault::in_file(&file, error.to_string())
    };
    fs::create_dir_all(output).map_err(at(output))?;
    for entry in fs::read_dir(output).map_err(at(output))? {
        let file = entry.map_err(at(output))?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("signal_hub--") && name.ends_with(".sql") {
            fs::remove_file(&file).map_err(at(&file))?;
        }
    }
    for script in scripts {
        let file = output.join(script.name);
        fs::write(&file, script.text).map_err(at(&file))?;
    }
    Ok(())
}
