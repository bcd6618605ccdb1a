//! Messages for the operator, on standard error: one line of text each, or one JSON object.
//!
//! Text has no time: service managers and container runtimes add it. JSON has.

use crate::options::{LogFormat, LogOptions};
use std::fmt;
use std::io;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{self as messages, FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

/// Sends messages of this level and above to standard error. Once per process.
pub fn start(options: &LogOptions) {
    // Libraries report the same failures again, in words for programmers.
    let filter = Targets::new().with_target(env!("CARGO_CRATE_NAME"), options.log_level);
    let layer = messages::layer()
        .with_writer(io::stderr)
        // Otherwise a message that cannot be written ends in a panic.
        .log_internal_errors(false);
    let layer = match options.log_format {
        LogFormat::Text => layer.event_format(Text).boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    // A second call finds the first one's set-up, which serves as well.
    let _ = registry().with(layer).with(filter).try_init();
}

/// `signal_hub_live: listening on ...`, `signal_hub_live: error: ...`
struct Text;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str(concat!(env!("CARGO_CRATE_NAME"), ": "))?;
        match *event.metadata().level() {
            Level::ERROR => writer.write_str("error: ")?,
            Level::WARN => writer.write_str("warning: ")?,
            Level::INFO => {}
            Level::DEBUG | Level::TRACE => writer.write_str("debug: ")?,
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
