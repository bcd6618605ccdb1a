//! docs/moving-in.md and docs/supabase.md, every statement of them, in their order.

use super::{OLD_STACK, subscribers};
use signal_hub_harness::cluster::binaries::output;
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, by_itself, rising_market};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What the page uses of pg_cron: jobs by name.
const CRON: &str = r#"
    CREATE SCHEMA cron;
    CREATE TABLE cron.job (jobname text PRIMARY KEY, schedule text, command text);
    CREATE FUNCTION cron.schedule(name text, schedule text, command text) RETURNS bigint LANGUAGE sql
        AS 'INSERT INTO cron.job VALUES (name, schedule, command); SELECT 1::bigint';
    CREATE FUNCTION cron.unschedule(name text) RETURNS boolean LANGUAGE sql
        AS 'DELETE FROM cron.job WHERE jobname = name RETURNING true';
    SELECT cron.schedule('generate-signals', '30 seconds', 'SELECT 1')"#;

/// Commands, and what the page says that they print.
enum Block {
    Commands(String),
    Output(String),
}

/// The fenced blocks of a page, by the title of their section. What is for the parts of Supabase
/// that are no database has a language of its own, and is left out.
fn sections(page: &str) -> BTreeMap<String, Vec<Block>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let page = fs::read_to_string(page).expect("the page is there");
    let mut sections: BTreeMap<String, Vec<Block>> = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        let (title, text) = section.split_once('\n').expect("a title has a text");
        let fenced = text.split("\n```").skip(1).step_by(2);
        let blocks = fenced.filter_map(|block| match block.split_once('\n') {
            Some(("sql", commands)) => Some(Block::Commands(commands.to_owned())),
            Some(("text", printed)) => Some(Block::Output(printed.to_owned())),
            Some(("dockerfile" | "yaml" | "sh" | "js", _)) => None,
            _ => panic!("a block that the test does not know how to run: {block}"),
        });
        sections.insert(title.to_owned(), blocks.collect());
    }
    sections
}

/// Runs the commands of a section as a reader does, in psql, and compares what they print.
fn follow(cluster: &Cluster, sections: &mut BTreeMap<String, Vec<Block>>, title: &str) {
    let blocks = sections.remove(title);
    let mut printed = String::new();
    for block in blocks.unwrap_or_else(|| panic!("the page has a section {title}")) {
        match block {
            Block::Commands(commands) => {
                let mut psql = cluster.tool("psql");
                psql.args(["-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", POSTGRES]);
                // One statement after the other, like somebody who types them.
                for statement in statements(&commands) {
                    psql.args(["-c", &statement]);
                }
                printed = output(&mut psql);
            }
            Block::Output(expected) => {
                for line in expected.lines() {
                    assert!(
                        printed.lines().any(|l| l == line),
                        "{title}: {line}\nis not in\n{printed}"
                    );
                }
            }
        }
    }
}

/// Statements end with a semicolon at the end of a line.
fn statements(commands: &str) -> Vec<String> {
    let statements = commands.split_inclusive(";\n");
    let statements = statements.map(str::trim).filter(|text| !text.is_empty());
    statements.map(str::to_owned).collect()
}

fn monitored(session: &mut Session) -> i64 {
    session
        .one("SELECT count(*) FROM user_signals WHERE metadata ->> 'generatedBy' = 'edge-function'")
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    let market = rising_market();
    let cluster = by_itself(&market).set("wal_level", "logical").start();
    let mut session = cluster.session(POSTGRES);
    session.run(OLD_STACK);
    session.run(CRON);
    let mut sections = sections("moving-in.md");
    assert_eq!(
        session.error("CREATE EXTENSION signal_hub").code().code(),
        "42P07"
    );

    follow(&cluster, &mut sections, "1. Install beside your tables");
    follow(&cluster, &mut sections, "2. Say who receives");
    follow(&cluster, &mut sections, "3. Adopt the subscriptions");
    assert_eq!(
        subscribers(&mut session),
        ["1 MAX active", "2 PRO active", "3 FREE paused"]
    );
    follow(&cluster, &mut sections, "4. Look at what it would send");
    assert_eq!(monitored(&mut session), 1, "nothing was sent yet");
    follow(&cluster, &mut sections, "5. Change over");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM cron.job"), 0);
    eventually(
        SOON,
        "the worker delivers into the application's table",
        || monitored(&mut session) == 3,
    );
    follow(&cluster, &mut sections, "6. See that it works");
    let state: String = session.one("SELECT state FROM signal_hub.signal_health");
    assert_eq!(state, "running");

    let (drop_all, back) = {
        let mut blocks = sections.remove("Back again").expect("the section is there");
        (blocks.pop(), blocks)
    };
    sections.insert("back".to_owned(), back);
    follow(&cluster, &mut sections, "back");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM cron.job"), 1);
    session.run("UPDATE user_subscriptions SET status = 'canceled'");
    assert_eq!(subscribers(&mut session).len(), 3, "follows no more");
    sections.insert("for good".to_owned(), drop_all.into_iter().collect());
    follow(&cluster, &mut sections, "for good");
    assert_eq!(monitored(&mut session), 3, "copied rows stay");
    assert!(
        sections.values().all(Vec::is_empty),
        "a section with commands was not followed: {:?}",
        sections.keys()
    );
}

#[test]
fn the_statements_for_supabase_do_what_the_page_says() {
    let market = rising_market();
    let cluster = by_itself(&market).set("wal_level", "logical").start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "CREATE ROLE authenticated; CREATE ROLE anon; CREATE ROLE service_role BYPASSRLS;
         CREATE PUBLICATION supabase_realtime",
    );
    let mut sections = sections("supabase.md");
    follow(&cluster, &mut sections, "3. Create it");
    follow(
        &cluster,
        &mut sections,
        "4. Who may read, and what is published",
    );
    assert!(sections.values().all(Vec::is_empty));
    let mut client = cluster.session(POSTGRES);
    client.run(
        "SET request.jwt.claims = '{\"sub\": \"00000000-0000-4000-8000-000000000001\"}'; SET ROLE authenticated",
    );
    market.set_change("ETHUSDT", "-3.5");
    eventually(SOON, "the subscriber reads a signal", || {
        client.one::<i64>("SELECT count(*) FROM signal_hub.user_signals") > 0
    });
    let published: i64 = session.one(
        "SELECT count(*) FROM pg_publication_tables
          WHERE pubname = 'supabase_realtime' AND schemaname = 'signal_hub' AND tablename = 'user_signals'",
    );
    assert_eq!(published, 1);
}
