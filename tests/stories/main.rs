//! Stories of people who use signal_hub, on real servers that live as long as their test.
//!
//! One subject in each file. Servers, sessions and waiting are those of `signal_hub_harness`.

mod blind;
mod by_hand;
mod bystanders;
mod callers;
mod chain_of_outcomes;
mod code_of_others;
mod databases;
mod daylight_saving;
mod entitlement;
mod every_name;
mod exchange;
mod failed_calls;
mod fan_out;
mod first_look;
mod forecasts;
mod health;
mod numbers_used_before;
mod other_encodings;
mod outcomes_for_subscribers;
mod outcomes_on_record;
mod own_rows;
mod partial_replies;
mod plain_words;
mod preview;
mod protections;
mod purges_that_fail;
mod recorded;
mod recovery;
mod renamed_schema;
mod retrying;
mod rows_out_of_range;
mod rule_versions;
mod rules_kept;
mod schema;
mod settings_in_files;
mod settlement;
mod strategies;
mod trust;
mod unreached;
mod update_respects_users;
mod updates;
mod uptime;
mod user_additions;
mod what_is_wrong_is_named;
