//! What an installation owns, to be compared before and after.

use signal_hub_harness::session::Session;
use std::collections::{BTreeMap, BTreeSet};

/// Every row of the extension's tables, in the columns that they have when this is made, and the
/// state of its sequences; without columns that are a cursor of the fan-out according to their
/// comment.
pub struct Inventory {
    /// A query for each table.
    questions: BTreeMap<String, String>,
    rows: BTreeSet<String>,
}

/// What an update adds: the strategies that the older releases did not have.
const ADDED: [&str; 3] = [
    "signal_rules (breakout,",
    "signal_rules (reversal,",
    "signal_rules (tsmom,",
];

impl Inventory {
    pub fn take(session: &mut Session) -> Self {
        // log_cnt says how many numbers a sequence has logged ahead, which a restart resets.
        let questions = session.rows(
            "SELECT c.relname::text, format('SELECT %L || ROW(%s)::text FROM %s',
                    c.relname || ' ', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), c.oid::regclass)
               FROM pg_class c
               JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
               JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'log_cnt'
                AND coalesce(col_description(c.oid, a.attnum), '') NOT LIKE 'cursor: %'
              WHERE e.extname = 'signal_hub' AND c.relkind IN ('r', 'p', 'S')
              GROUP BY c.oid",
        );
        let questions = questions
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        let rows = answers(session, &questions, &[]);
        Self { questions, rows }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Fails if rows were lost or added since; tables with the names in `except` are not
    /// compared.
    #[track_caller]
    pub fn is_still_there(&self, session: &mut Session, except: &[&str]) {
        let now = answers(session, &self.questions, except);
        let is_asked = |row: &&String| {
            let table = row.split(' ').next().unwrap_or_default();
            !except.contains(&table)
        };
        let lost: Vec<_> = self.rows.difference(&now).filter(is_asked).collect();
        let new: Vec<_> = now
            .difference(&self.rows)
            .filter(|row| !ADDED.iter().any(|added| row.starts_with(added)))
            .collect();
        assert!(
            lost.is_empty() && new.is_empty(),
            "{} rows are lost: {:#?}\n{} rows are new: {:#?}",
            lost.len(),
            lost.iter().take(10).collect::<Vec<_>>(),
            new.len(),
            new.iter().take(10).collect::<Vec<_>>()
        );
    }
}

fn answers(
    session: &mut Session,
    questions: &BTreeMap<String, String>,
    except: &[&str],
) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for (table, question) in questions {
        if !except.contains(&table.as_str()) {
            rows.extend(session.list::<String>(question));
        }
    }
    rows
}
