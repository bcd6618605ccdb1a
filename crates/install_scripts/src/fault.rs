//! What is wrong with a part, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A line of a file, or the whole file, that cannot be used.
#[derive(Debug)]
pub struct Fault {
    file: PathBuf,
    line: Option<usize>,
    message: String,
}

impl Fault {
    pub fn at(file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::in_file(file, message)
        }
    }

    pub fn in_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let Self { message, .. } = self;
        match self.line {
            Some(line) => write!(to, "{}:{line}: {message}", self.file.display()),
            None => write!(to, "{}: {message}", self.file.display()),
        }
    }
}

impl std::error::Error for Fault {}
