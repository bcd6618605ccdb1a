//! The files that say what tokens are checked with.

use crate::error::Failure;
use crate::options::KeyOptions;
use std::fs;
use std::path::Path;

/// What tokens are checked with.
pub enum KeySource {
    Secret(Vec<u8>),
    /// The text of a JSON Web Key Set.
    KeySet(String),
}

impl KeySource {
    /// Reads the file that the options name.
    pub fn read(options: &KeyOptions) -> Result<Self, Failure> {
        match (&options.jwt_secret_file, &options.jwks_file) {
            (Some(file), None) => Ok(Self::Secret(read_secret(file)?)),
            (None, Some(file)) => Ok(Self::KeySet(read(file)?)),
            _ => Err(Failure::Other(
                "give either --jwt-secret-file or --jwks-file".to_owned(),
            )),
        }
    }
}

/// A secret long enough for HS256.
pub fn read_secret(file: &Path) -> Result<Vec<u8>, Failure> {
    let text = read(file)?;
    // Editors end the file with a line break, which is not part of the secret.
    let secret = text.trim_end_matches(['\r', '\n']).as_bytes();
    if secret.len() < 32 {
        return Err(Failure::refused(
            format!("the secret in {} is shorter than 32 bytes", file.display()),
            "Make one by: openssl rand -hex 32",
        ));
    }
    Ok(secret.to_vec())
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::Other(format!("cannot read {}: {error}", file.display())))
}
