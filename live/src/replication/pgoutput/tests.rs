use super::*;

const USER: &str = "00000000-0000-4000-8000-000000000002";

fn relation(schema: &str, columns: &[&str]) -> Vec<u8> {
    relation_of(7, schema, "user_signals", columns)
}

fn relation_of(number: u8, schema: &str, table: &str, columns: &[&str]) -> Vec<u8> {
    let mut message = vec![b'R', 0, 0, 0, number];
    message.extend(format!("{schema}\0{table}\0d").bytes());
    message.extend((columns.len() as u16).to_be_bytes());
    for column in columns {
        message.push(0);
        message.extend(format!("{column}\0").bytes());
        message.extend([0; 8]);
    }
    message
}

fn tuple(message: &mut Vec<u8>, kind: u8, values: &[Option<&str>]) {
    message.push(kind);
    message.extend((values.len() as u16).to_be_bytes());
    for value in values {
        match value {
            None => message.push(b'n'),
            Some(text) => {
                message.push(b't');
                message.extend((text.len() as u32).to_be_bytes());
                message.extend(text.bytes());
            }
        }
    }
}

fn table() -> Tables {
    let mut table = Tables::new("hub");
    let known = relation("hub", &["other", "user_id", "signal_id", "symbol"]);
    assert!(table.read(&known).expect("good").is_none());
    table
}

#[test]
fn a_row_is_read_whatever_the_order_of_the_columns() {
    let mut table = table();
    let mut message = b"I\0\0\0\x07".to_vec();
    tuple(&mut message, b'N', &[None, Some(USER), Some("7"), None]);
    match table.read(&message).expect("good") {
        Some(Change::Inserted(tuple)) => {
            assert_eq!(tuple.user().expect("good").to_string(), USER);
            let row = tuple.row().expect("good");
            assert_eq!(row.get(Column::SignalId), Some("7"));
            assert_eq!(row.get(Column::Symbol), None);
        }
        _ => panic!("a row"),
    }
}

#[test]
fn an_update_is_read_after_the_old_row() {
    let mut table = table();
    let mut message = b"U\0\0\0\x07".to_vec();
    let old = [None, Some(USER), Some("6"), Some("OLD")];
    tuple(&mut message, b'O', &old);
    tuple(&mut message, b'N', &[None, Some(USER), Some("7"), None]);
    match table.read(&message).expect("good") {
        Some(Change::Updated(tuple)) => {
            let row = tuple.row().expect("good");
            assert_eq!(row.get(Column::SignalId), Some("7"));
        }
        _ => panic!("a row"),
    }
}

#[test]
fn rows_of_other_tables_are_skipped() {
    let mut table = table();
    let elsewhere = relation("public", &["user_id"]);
    assert!(table.read(&elsewhere).expect("good").is_none());
    let mut message = b"I\0\0\0\x08".to_vec();
    tuple(&mut message, b'N', &[Some(USER)]);
    assert!(table.read(&message).expect("good").is_none());
    for other in [&b"B"[..], b"C", b"T\0\0", b"D", b"Y", b"O"] {
        assert!(table.read(other).expect("good").is_none());
    }
}

#[test]
fn a_message_that_is_cut_short_is_an_error_not_a_crash() {
    let mut table = table();
    let mut message = b"I\0\0\0\x07".to_vec();
    let values = [Some("x"), Some(USER), Some("7"), Some("BTCUSDT")];
    tuple(&mut message, b'N', &values);
    for end in 0..message.len() {
        let read = match table.read(&message[..end]) {
            Ok(Some(Change::Inserted(tuple) | Change::Updated(tuple))) => tuple.row().is_err(),
            Ok(Some(Change::Outcome(_)) | None) => false,
            Err(Malformed) => true,
        };
        assert!(read, "{end} bytes");
    }
    assert!(Tables::new("hub").read(&relation("hub", &["x"])).is_err());
}

fn outcomes(columns: &[&str]) -> Tables {
    let mut table = table();
    let known = relation_of(9, "hub", "signal_outcomes", columns);
    assert!(table.read(&known).expect("good").is_none());
    table
}

/// A message about an outcome that has the same text in every column.
fn an_outcome(kind: u8, columns: usize) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 9];
    tuple(&mut message, b'N', &vec![Some("7"); columns]);
    message
}

#[test]
fn an_outcome_is_read_beside_the_signals_whether_new_or_changed() {
    let mut columns: Vec<_> = OutcomeColumn::ALL.iter().map(|c| c.name()).collect();
    columns.insert(0, "stop_loss_percent");
    let mut table = outcomes(&columns);
    for kind in [b'I', b'U'] {
        match table.read(&an_outcome(kind, columns.len())).expect("good") {
            Some(Change::Outcome(tuple)) => {
                let row = tuple.row().expect("good");
                assert_eq!(row.signal_id(), Some(7));
                assert!(row.is_final());
            }
            _ => panic!("an outcome"),
        }
    }
    let mut message = b"I\0\0\0\x07".to_vec();
    tuple(&mut message, b'N', &[None, Some(USER), Some("7"), None]);
    let read = table.read(&message).expect("good");
    assert!(matches!(read, Some(Change::Inserted(_))));
}

#[test]
fn a_part_of_an_outcome_is_not_taken_for_the_whole() {
    let mut table = outcomes(&["signal_id", "best_target"]);
    assert!(table.read(&an_outcome(b'U', 2)).expect("good").is_none());
}
