//! Medians, percentiles and lines of tables.

use std::time::Duration;

/// The median of at least one figure.
pub fn median(figures: &[f64]) -> f64 {
    percentile(figures, 50.0)
}

/// The smallest figure that `percent` of at least one figure do not exceed; `percent` is from 0
/// to 100.
pub fn percentile(figures: &[f64], percent: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Milliseconds, with fractions.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Prints a title and the head of a table, in Markdown.
pub fn table(title: &str, columns: &[&str]) {
    println!("\n## {title}\n\n| {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(columns.len()));
}

/// Prints a line of a table, in Markdown.
pub fn line(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}
