//! The normal distribution, which PostgreSQL 15 lacks.

use pgrx::prelude::*;
use strategy::normal;

#[pg_extern(sql = false)]
fn signal_hub_normal(x: f64) -> f64 {
    normal::cumulative(x)
}

#[pg_extern(sql = false)]
fn signal_hub_normal_quantile(probability: f64) -> f64 {
    normal::quantile(probability)
}
