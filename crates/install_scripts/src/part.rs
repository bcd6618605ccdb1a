//! A part: one file of sql/, of one kind.

use crate::fault::Fault;
use crate::statement::{self, Statement};
use crate::subject::Subject;
use std::path::{Path, PathBuf};

/// In which scripts a part appears, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Everywhere, as it stands.
    EveryScript,
    /// In update scripts, around all that they change.
    UpdateBegins,
    UpdateEnds,
    /// In the install script. Of an update, its comments on objects that are there already; or
    /// all of it, when its objects are new in the release that is updated to.
    Once {
        since: Option<String>,
    },
    /// In every script: created by the install script, replaced by updates.
    Replaceable,
    /// In the install script. Of an update, what it says of new objects.
    Access,
    /// In one update script.
    Update,
}

#[derive(Debug)]
pub struct Part {
    pub file: PathBuf,
    pub number: u32,
    pub kind: Kind,
    pub statements: Vec<Statement>,
}

/// How the first line of a part begins; its kind follows.
const HEAD: &str = "-- Part: ";

impl Part {
    /// A part of the install script, whose first line says what kind it is.
    pub fn of_install(file: &Path, text: &str) -> Result<Self, Fault> {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let kind = first.strip_prefix(HEAD).map(str::trim).and_then(kind_of);
        let kind = kind.ok_or_else(|| {
            let kinds = "every script, update begins, update ends, once, \
                         once, since RELEASE, replaceable or access";
            Fault::at(file, 1, format!("the first line must be: {HEAD}{kinds}"))
        })?;
        // The line is left empty, so that line numbers hold.
        Self::new(file, kind, &format!("\n{rest}"))
    }

    /// A part of one update.
    pub fn of_update(file: &Path, text: &str) -> Result<Self, Fault> {
        if text.starts_with(HEAD) {
            return Err(Fault::at(file, 1, "a part of an update has no line 'Part'"));
        }
        Self::new(file, Kind::Update, text)
    }

    fn new(file: &Path, kind: Kind, text: &str) -> Result<Self, Fault> {
        let (statements, after) = statement::split(text)
            .map_err(|malformed| Fault::at(file, malformed.line, malformed.message))?;
        if after.contains("--") || after.contains("/*") {
            let message = "comments after the last statement belong to none";
            return Err(Fault::in_file(file, message));
        }
        let part = Self {
            file: file.to_owned(),
            number: number_of(file)?,
            kind,
            statements,
        };
        for statement in &part.statements {
            if let Some(message) = part.objection(&Subject::of(statement)) {
                return Err(Fault::at(file, statement.line, message));
            }
        }
        Ok(part)
    }

    /// Why a statement cannot be in a part of this kind.
    fn objection(&self, subject: &Subject) -> Option<&'static str> {
        use Subject::*;
        match (&self.kind, subject) {
            (Kind::Replaceable, Create { or_replace, .. }) if !or_replace => {
                Some("write CREATE OR REPLACE here, or move this to a part of kind once")
            }
            (Kind::Replaceable, Create { .. } | CreateHanging(_) | OfHanging(_) | Comment) => None,
            (Kind::Replaceable, _) => Some(
                "a replaceable part has functions, views, triggers and policies, \
                 and comments on them, nothing else",
            ),
            (Kind::Access, Access(Some(_)) | Do) => None,
            (Kind::Access, Access(None)) => {
                Some("name one object of @extschema@ in each GRANT and REVOKE")
            }
            (Kind::Access, _) => Some("an access part has GRANT, REVOKE and DO, nothing else"),
            (_, Access(_)) => Some("GRANT and REVOKE belong in a part of kind access"),
            (Kind::Once { .. }, Create { or_replace, .. }) if *or_replace => Some(
                "an object that somebody planted must make this fail: no OR REPLACE in a part \
                 of kind once",
            ),
            (Kind::Once { .. }, CreateHanging(_) | OfHanging(_)) => {
                Some("triggers and policies belong in a replaceable part")
            }
            _ => None,
        }
    }
}

fn kind_of(words: &str) -> Option<Kind> {
    Some(match words {
        "every script" => Kind::EveryScript,
        "update begins" => Kind::UpdateBegins,
        "update ends" => Kind::UpdateEnds,
        "once" => Kind::Once { since: None },
        "replaceable" => Kind::Replaceable,
        "access" => Kind::Access,
        _ => Kind::Once {
            since: Some(words.strip_prefix("once, since ")?.to_owned()),
        },
    })
}

/// The number that a file's name begins with: 10 of 10_tables.sql.
fn number_of(file: &Path) -> Result<u32, Fault> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let number = name.split_once('_').and_then(|(number, _)| {
        let two_digits = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
        two_digits.then(|| number.parse().ok()).flatten()
    });
    number.ok_or_else(|| Fault::in_file(file, "a part is named NN_subject.sql"))
}
