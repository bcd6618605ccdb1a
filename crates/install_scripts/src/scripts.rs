//! Install and update scripts, put together from the parts.

use crate::build;
use crate::fault::Fault;
use crate::names::Names;
use crate::part::{Kind, Part};
use crate::sources::{Frozen, Sources, Update};
use crate::statement::{self, Statement};
use crate::subject::{self, Hanging, Object, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// A script as PostgreSQL is to find it.
#[derive(Debug)]
pub struct Script {
    pub name: String,
    pub text: String,
}

/// All scripts of a version of the extension.
pub fn all(sources: &Sources, version: &str) -> Result<Vec<Script>, Fault> {
    let mut scripts = vec![Script {
        name: format!("signal_hub--{version}.sql"),
        text: install(sources),
    }];
    for update in &sources.updates {
        scripts.push(Script {
            name: format!("signal_hub--{}--{version}.sql", update.from),
            text: self::update(sources, update, version)?,
        });
    }
    for frozen in &sources.frozen {
        scripts.push(Script {
            name: frozen.name.clone(),
            text: match frozen.updates_from() {
                Some(from) => shielded(sources, from, frozen)?,
                None => frozen.text.clone(),
            },
        });
    }
    Ok(scripts)
}

/// The script behind CREATE EXTENSION.
pub fn install(sources: &Sources) -> String {
    let mut text = String::new();
    for part in &sources.parts {
        match part.kind {
            Kind::UpdateBegins | Kind::UpdateEnds | Kind::Update => (),
            Kind::Replaceable => {
                for statement in &part.statements {
                    text += &statement.before;
                    text += &without_or_replace(statement);
                }
                text.push('\n');
            }
            Kind::EveryScript | Kind::Once { .. } | Kind::Access => text += &as_it_stands(part),
        }
    }
    let names = names(sources.parts.iter().flat_map(|part| &part.statements));
    finished(sources, &names.put_into(&text, &Names::default()))
}

/// A script behind ALTER EXTENSION UPDATE: the parts of the update, and of the others what makes
/// an installation of the release it begins with like a fresh one.
pub fn update(sources: &Sources, update: &Update, version: &str) -> Result<String, Fault> {
    let released = version.split('-').next().unwrap_or_default();
    if update.to != released {
        let message = format!(
            "this is no update to {released}: put the script that was shipped into releases/"
        );
        return Err(Fault::in_file(&update.folder, message));
    }
    let script = format!("signal_hub--{}.sql", update.from);
    let frozen = sources.frozen.iter().find(|frozen| frozen.name == script);
    let frozen = frozen
        .ok_or_else(|| Fault::in_file(&update.folder, format!("there is no releases/{script}")))?;
    let shipped = frozen_statements(frozen)?;
    let change = Change::new(sources, update, &Release::of(&shipped));

    // At the same number, what changes tables comes before what is said of them.
    let mut parts: Vec<&Part> = update.parts.iter().chain(&sources.parts).collect();
    parts.sort_by_key(|part| part.number);
    let text: String = parts.iter().map(|part| change.of(part)).collect();
    let made = names(parts.iter().flat_map(|part| &part.statements));
    Ok(finished(sources, &made.put_into(&text, &names(&shipped))))
}

/// A shipped update script between the parts that protect every update.
fn shielded(sources: &Sources, from: &str, update: &Frozen) -> Result<String, Fault> {
    let parts = |kinds: &[Kind]| -> String {
        let parts = sources.parts.iter();
        let wanted = parts.filter(|part| kinds.contains(&part.kind));
        wanted.map(as_it_stands).collect()
    };
    let begin = parts(&[Kind::EveryScript, Kind::UpdateBegins]);
    let end = parts(&[Kind::UpdateEnds]);
    let text = format!("{begin}\n{}{end}", update.text);
    let install = format!("signal_hub--{from}.sql");
    let before = sources.frozen.iter().find(|frozen| frozen.name == install);
    let before = before.map(frozen_statements).transpose()?;
    let made = names(&frozen_statements(update)?);
    let text = made.put_into(&text, &names(before.iter().flatten()));
    Ok(finished(sources, &text))
}

/// What an update has to do.
struct Change<'a> {
    to: &'a str,
    /// Comments of the release it begins with; the same ones are not given again, as that takes
    /// a lock on the table.
    known_comments: BTreeSet<String>,
    /// Objects that the release does not have, or that the update drops first.
    new_objects: BTreeSet<Object>,
    /// Triggers and policies of the release, and those that are as they were: these stay, as
    /// they cannot be replaced without keeping everybody from their table.
    known_hanging: BTreeSet<Hanging>,
    same_hanging: BTreeSet<Hanging>,
}

impl<'a> Change<'a> {
    fn new(sources: &Sources, update: &'a Update, from: &Release) -> Self {
        let now = Release::of(sources.parts.iter().flat_map(|part| &part.statements));
        let dropped: BTreeSet<Object> = update
            .parts
            .iter()
            .flat_map(|part| &part.statements)
            .filter_map(|statement| match Subject::of(statement) {
                Subject::Drop(object) => Some(object),
                _ => None,
            })
            .collect();
        let is_new =
            |object: &&Object| !from.objects.contains(*object) || dropped.contains(*object);
        let is_same = |hanging: &&Hanging| now.hanging.get(*hanging) == from.hanging.get(*hanging);
        Self {
            to: &update.to,
            new_objects: now.objects.iter().filter(is_new).cloned().collect(),
            same_hanging: now.hanging.keys().filter(is_same).cloned().collect(),
            known_hanging: from.hanging.keys().cloned().collect(),
            known_comments: from.comments.clone(),
        }
    }

    fn of(&self, part: &Part) -> String {
        let mut text: String = match &part.kind {
            Kind::EveryScript | Kind::UpdateBegins | Kind::UpdateEnds | Kind::Update => {
                return as_it_stands(part);
            }
            Kind::Once { since: Some(since) } if since == self.to => return as_it_stands(part),
            Kind::Once { .. } | Kind::Replaceable | Kind::Access => part
                .statements
                .iter()
                .filter_map(|statement| self.of_statement(&part.kind, statement))
                .collect(),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    fn of_statement(&self, kind: &Kind, statement: &Statement) -> Option<String> {
        let whole = || format!("{}{}", statement.before, statement.text);
        match Subject::of(statement) {
            Subject::Comment if self.known_comments.contains(&statement.essence()) => None,
            Subject::Comment => Some(match subject::commented_index(statement) {
                Some(index) => where_it_is(&index, statement),
                None => whole(),
            }),
            _ if matches!(kind, Kind::Once { .. }) => None,
            Subject::Access(object) => object
                .is_some_and(|object| self.new_objects.contains(&object))
                .then(whole),
            Subject::OfHanging(hanging) => (!self.same_hanging.contains(&hanging)).then(whole),
            Subject::CreateHanging(hanging) if self.same_hanging.contains(&hanging) => None,
            // One of that name that is not the release's own is somebody else's: creating ours
            // fails then.
            Subject::CreateHanging(hanging) if self.known_hanging.contains(&hanging) => {
                let Hanging { kind, name, table } = hanging;
                Some(format!(
                    "{}DROP {kind} IF EXISTS {name} ON @extschema@.{table};\n{}",
                    statement.before, statement.text
                ))
            }
            _ => Some(whole()),
        }
    }
}

/// What the statements of a release make.
#[derive(Default)]
struct Release {
    objects: BTreeSet<Object>,
    comments: BTreeSet<String>,
    /// Triggers and policies, with all that is said of each.
    hanging: BTreeMap<Hanging, Vec<String>>,
}

impl Release {
    fn of<'s>(statements: impl IntoIterator<Item = &'s Statement>) -> Self {
        let mut release = Self::default();
        for statement in statements {
            match Subject::of(statement) {
                Subject::Create { object, .. } => {
                    release.objects.insert(object);
                }
                Subject::Comment => {
                    release.comments.insert(statement.essence());
                }
                Subject::CreateHanging(hanging) | Subject::OfHanging(hanging) => release
                    .hanging
                    .entry(hanging)
                    .or_default()
                    .push(statement.essence()),
                _ => (),
            }
        }
        release
    }
}

fn frozen_statements(frozen: &Frozen) -> Result<Vec<Statement>, Fault> {
    let (statements, _) = statement::split(&frozen.text)
        .map_err(|malformed| Fault::at(&frozen.file, malformed.line, malformed.message))?;
    Ok(statements)
}

fn names<'s>(statements: impl IntoIterator<Item = &'s Statement>) -> Names {
    let mut names = Names::default();
    statements
        .into_iter()
        .for_each(|statement| names.add(statement));
    names
}

fn as_it_stands(part: &Part) -> String {
    let mut text = String::new();
    for statement in &part.statements {
        text += &statement.before;
        text += &statement.text;
    }
    text.push('\n');
    text
}

/// A comment on an index that users may have dropped.
fn where_it_is(index: &str, statement: &Statement) -> String {
    let Statement { before, text, .. } = statement;
    format!(
        "{before}DO $comment$\nBEGIN\n    IF to_regclass('@extschema@.{index}') IS NOT NULL THEN\n{text}\n    \
         END IF;\nEND\n$comment$;"
    )
}

/// In the install script an object that is there already must make it fail.
fn without_or_replace(statement: &Statement) -> String {
    let Subject::Create {
        or_replace: true, ..
    } = Subject::of(statement)
    else {
        return statement.text.clone();
    };
    // CREATE, OR, REPLACE and what follows.
    let tokens = statement.tokens();
    format!("CREATE {}", &statement.text[tokens[3].start..])
}

fn finished(sources: &Sources, text: &str) -> String {
    let mut text = text.replace(build::PLACEHOLDER, &build::of(sources));
    for query in &sources.queries {
        text = text.replace(&format!("@{}@", query.name), query.text.trim());
    }
    format!("{}\n", text.trim())
}
