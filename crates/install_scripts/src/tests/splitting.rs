use crate::statement::{Malformed, split};

fn texts(sql: &str) -> Vec<String> {
    let (statements, _) = split(sql).unwrap();
    statements
        .into_iter()
        .map(|statement| statement.text)
        .collect()
}

#[test]
fn a_semicolon_ends_a_statement_only_where_postgresql_sees_one() {
    for one in [
        "SELECT 'a;b';",
        "SELECT 'it''s; fine';",
        r"SELECT E'it\'s; fine';",
        r"SELECT 'ends with \';",
        "SELECT \"a;b\";",
        "DO $$ BEGIN; END $$;",
        "DO $body$ SELECT $$;$$; $body$;",
        "SELECT $1; ",
        "SELECT 1 -- not here;\n;",
        "SELECT 1 /* nor; /* here; */ ; */;",
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;",
    ] {
        assert_eq!(texts(one), [one.trim_end()]);
        assert_eq!(texts(&format!("{one}{one}")).len(), 2, "{one}");
    }
}

#[test]
fn comments_stay_with_the_statement_they_stand_before() {
    let (statements, after) =
        split("-- First.\nSELECT 1;\n\n-- Second.\nSELECT 2;\n-- Last.\n").unwrap();
    assert_eq!(statements[0].before, "-- First.\n");
    assert_eq!(statements[1].before, "\n\n-- Second.\n");
    assert_eq!((statements[0].line, statements[1].line), (2, 5));
    assert_eq!(after, "\n-- Last.\n");
}

#[test]
fn what_does_not_end_is_named_with_the_line_where_it_begins() {
    for (sql, what) in [
        (
            "SELECT 1;\nSELECT 'a;\n",
            "a string begins here and does not end",
        ),
        (
            "SELECT 1;\nDO $$ $;\n",
            "a dollar-quoted string begins here and does not end",
        ),
        (
            "SELECT 1;\n/* /* */\n",
            "a comment begins here and does not end",
        ),
        (
            "SELECT 1;\nSELECT \"a;\n",
            "a quoted name begins here and does not end",
        ),
        (
            "SELECT 1;\nSELECT (1;\n",
            "the statement that begins here does not end with a semicolon",
        ),
    ] {
        let message = what.to_owned();
        assert_eq!(split(sql).unwrap_err(), Malformed { line: 2, message });
    }
}

#[test]
fn layout_and_comments_are_not_of_the_essence_but_strings_are() {
    let essence = |sql: &str| split(sql).unwrap().0[0].essence();
    assert_eq!(
        essence("COMMENT ON TABLE t IS 'one two';"),
        essence("-- Why.\nCOMMENT ON TABLE t\n    IS 'one '\n    'two';")
    );
    assert_ne!(essence("SELECT 'a b';"), essence("SELECT 'a  b';"));
    assert_ne!(essence("DO $$ a $$;"), essence("DO $$ b $$;"));
}
