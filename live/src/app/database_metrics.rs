//! The numbers of signal_metrics, as they were when somebody last asked.

use crate::app::{AWAY, App};
use crate::database::Metric;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex as AsyncMutex;
use tracing::warn;

/// They are read again when somebody asks after this time: `/metrics` needs no token, and must not
/// be a way to make the database work.
const KEPT: Duration = Duration::from_secs(1);
/// Longest wait for them: who asks wants the numbers of the service in any case, and most give up
/// after ten seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether they are there.
const READ: &str = "\
# HELP signal_hub_live_database_metrics_read Whether the numbers of the database are here, too.
# TYPE signal_hub_live_database_metrics_read gauge
signal_hub_live_database_metrics_read {}
";

/// The numbers, or why there are none.
type Answer = Result<String, String>;

/// See the head of this file.
#[derive(Default)]
pub struct DatabaseMetrics {
    last: Arc<AsyncMutex<Option<(Instant, Answer)>>>,
    /// Why they could not be read the last time; empty when they could.
    last_failure: Mutex<String>,
}

impl DatabaseMetrics {
    /// The numbers in the format of Prometheus, and whether they are there: without them, no alert on
    /// them fires. While the database is away, the numbers of the service say that.
    pub async fn text(&self, app: &Arc<App>) -> String {
        let is_away = *app.database_is.borrow() == AWAY;
        let answer = match is_away {
            // The monitor says why.
            true => Err(String::new()),
            false => (tokio::time::timeout(PATIENCE, self.read(app)).await)
                .unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}"))),
        };
        self.warn_once(answer.as_ref().err().map_or("", String::as_str));
        let is_read = u8::from(answer.is_ok());
        answer.unwrap_or_default() + &READ.replace("{}", &is_read.to_string())
    }

    /// Says what is wrong when it was not so the last time.
    fn warn_once(&self, failure: &str) {
        let mut last = (self.last_failure.lock()).unwrap_or_else(PoisonError::into_inner);
        if failure != *last && !failure.is_empty() {
            warn!("the metrics of the database cannot be read: {failure}");
        }
        failure.clone_into(&mut last);
    }

    async fn read(&self, app: &Arc<App>) -> Answer {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((read, answer)) = &*last
            && read.elapsed() < KEPT
        {
            return answer.clone();
        }
        // Who asks may leave before the answer comes. The question goes on, and holds the lock until
        // its answer is kept: the next one waits for it instead of asking as well.
        let app = Arc::clone(app);
        let asking = tokio::spawn(async move {
            let metrics = app.database.metrics().await;
            let answer = metrics.map(|metrics| text(&metrics));
            let answer = answer.map_err(|why| why.to_string());
            *last = Some((Instant::now(), answer.clone()));
            answer
        });
        asking.await.unwrap_or_else(|why| Err(why.to_string()))
    }
}

/// All parts of one metric stand together, as the format demands.
fn text(metrics: &[Metric]) -> String {
    let mut families: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
    for metric in metrics {
        families
            .entry(family(&metric.name))
            .or_default()
            .push(metric);
    }
    let mut out = String::new();
    for (name, parts) in families {
        let kind = match parts.iter().any(|part| part.name != name) {
            true => "histogram",
            false if name.ends_with("_total") => "counter",
            false => "gauge",
        };
        let help = parts.first().map_or("", |part| &part.help);
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        // Writing to a string does not fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for part in parts {
            let _ = writeln!(out, "{}{} {}", part.name, labels(part), part.value);
        }
    }
    out
}

/// The metric that a name is a part of.
fn family(name: &str) -> &str {
    let parts = ["_bucket", "_sum", "_count"];
    let base = parts.iter().find_map(|part| name.strip_suffix(part));
    base.filter(|base| base.ends_with("_seconds"))
        .unwrap_or(name)
}

fn labels(metric: &Metric) -> String {
    let pair = |(name, value): (&String, &String)| {
        let value = value.replace('\\', r"\\").replace('"', "\\\"");
        format!("{name}=\"{}\"", value.replace('\n', r"\n"))
    };
    match metric.labels.is_empty() {
        true => String::new(),
        false => {
            let pairs: Vec<String> = metric.labels.iter().map(pair).collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_histogram_stand_together_and_labels_are_quoted() {
        let metric = |name: &str, labels: &[(&str, &str)], value| Metric {
            name: name.to_owned(),
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            value,
            help: "Help.".to_owned(),
        };
        let all = [
            metric("a_seconds_bucket", &[("le", "1"), ("stage", "x")], 1.0),
            metric("b_total", &[("slot", "q\"\\")], 2.0),
            metric("a_seconds_sum", &[], 0.5),
            metric("age_seconds", &[], 3.0),
        ];
        assert_eq!(
            text(&all),
            "# HELP a_seconds Help.\n# TYPE a_seconds histogram\n\
             a_seconds_bucket{le=\"1\",stage=\"x\"} 1\na_seconds_sum 0.5\n\
             # HELP age_seconds Help.\n# TYPE age_seconds gauge\nage_seconds 3\n\
             # HELP b_total Help.\n# TYPE b_total counter\nb_total{slot=\"q\\\"\\\\\"} 2\n"
        );
    }
}
