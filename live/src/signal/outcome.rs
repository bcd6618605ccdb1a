//! What is asked of a row of `signal_outcomes`.

use crate::signal::{Columns, OutcomeColumn, Row};

impl Row<'_, OutcomeColumn> {
    /// The signal; `None` when the row does not say it.
    pub fn signal_id(&self) -> Option<i64> {
        self.get(OutcomeColumn::SignalId)?.parse().ok()
    }

    /// Whether it never changes again.
    pub fn is_final(&self) -> bool {
        self.get(OutcomeColumn::State) != Some("open")
    }

    /// Appends the outcome, a JSON object.
    pub fn write_outcome(&self, out: &mut Vec<u8>) {
        self.write(OutcomeColumn::ALL, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn outcome(set: &[(OutcomeColumn, &'static str)]) -> (Row<'static, OutcomeColumn>, Value) {
        let mut row = Row::default();
        for (column, text) in set {
            row.set(*column, Some(text));
        }
        let mut out = Vec::new();
        row.write_outcome(&mut out);
        (row, serde_json::from_slice(&out).expect("JSON"))
    }

    #[test]
    fn an_outcome_is_written_as_clients_expect_it() {
        let (row, json) = outcome(&[
            (OutcomeColumn::SignalId, "7"),
            (OutcomeColumn::State, "settled"),
            (OutcomeColumn::BestTarget, "2"),
            (
                OutcomeColumn::TargetAt,
                r#"{"2026-11-22 01:11:05.5+00",NULL}"#,
            ),
            (OutcomeColumn::ReturnsPercent, "{1.3,-1.70}"),
            (OutcomeColumn::Ambiguous, "f"),
        ]);
        assert!(row.is_final());
        assert_eq!(row.signal_id(), Some(7));
        assert_eq!(json["signal_id"], 7);
        assert_eq!(json["best_target"], 2);
        assert_eq!(
            json["target_at"],
            json!(["2026-11-22T01:11:05.5+00:00", null])
        );
        assert_eq!(json["returns_percent"], json!(["1.3", "-1.70"]));
        assert_eq!(json["ambiguous"], false);
        assert_eq!(json["stop_at"], Value::Null);
    }

    #[test]
    fn an_open_outcome_is_not_final_and_no_outcome_has_a_price() {
        let (row, json) = outcome(&[
            (OutcomeColumn::State, "open"),
            (OutcomeColumn::TargetAt, "{}"),
        ]);
        assert!(!row.is_final());
        assert_eq!(row.signal_id(), None);
        assert_eq!(json["target_at"], json!([]));
        for name in OutcomeColumn::ALL.iter().map(|column| column.name()) {
            let is_price = ["price", "stop_loss", "take_profit", "seen"]
                .iter()
                .any(|price| name.contains(price));
            assert!(!is_price, "{name}");
        }
    }
}
