//! Tables of candles for the stories of replays.

use flate2::read::GzDecoder;
use signal_hub_harness::session::Session;
use signal_hub_harness::skip::report_skipped;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// The query of all recorded candles.
pub const DEV5: &str = "TABLE dev5 ORDER BY open_time";

/// Overrides that make the default rule the one that release 0.2.0 shipped.
pub const FIRST_RULE: &str = r#"{"renew": true, "cooldown": "30 minutes", "cooldown_flips": false, "max_signals_per_run": 1000}"#;

/// A table `candles` of one symbol: a day at 100, an hour in which it rises to 103, one in which it
/// rises to 104.6, and some hours there.
pub fn rising_candles() -> String {
    "CREATE TABLE candles AS
     SELECT 'BTCUSDT'::text AS symbol, t AS open_time, open, greatest(open, close) AS high,
            least(open, close) - CASE WHEN close = 100 THEN 0.1 ELSE 0 END AS low, close, 1000.0 AS base_volume
       FROM (SELECT t,
                    CASE WHEN t <= '2024-01-02 00:00+00' THEN 100 WHEN t = '2024-01-02 01:00+00' THEN 103 ELSE 104.6 END AS open,
                    CASE WHEN t < '2024-01-02 00:00+00' THEN 100 WHEN t = '2024-01-02 00:00+00' THEN 103 ELSE 104.6 END AS close
               FROM generate_series('2024-01-01 00:00+00'::timestamptz, '2024-01-02 06:00+00', '1 hour') AS t) AS prices"
        .to_owned()
}

/// A table `dev5` of the recorded candles, which are not part of the project. False, and it says so,
/// where their folder is missing.
pub fn load_dev5(session: &mut Session) -> bool {
    let folder = std::env::var_os("SIGNAL_HUB_MARKET_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/market"),
        PathBuf::from,
    );
    let Ok(files) = folder.join("candles-5m").read_dir() else {
        report_skipped(format_args!("no recorded data in {}", folder.display()));
        return false;
    };
    session.run(
        "CREATE TABLE dev5 (symbol text, open_time timestamptz, open numeric, high numeric, low numeric, close numeric,
                            base_volume numeric);
         CREATE TABLE loaded (open_time bigint, open numeric, high numeric, low numeric, close numeric, base_volume numeric)",
    );
    for file in files {
        let path = file.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let symbol = name.and_then(|name| name.strip_suffix(".csv.gz"));
        let symbol = symbol.expect("a file named after its symbol");
        let mut rows = Vec::new();
        GzDecoder::new(File::open(&path).expect("readable"))
            .read_to_end(&mut rows)
            .expect("intact");
        session.copy_in("COPY loaded FROM STDIN (FORMAT csv, HEADER)", &rows);
        session.run(&format!(
            "INSERT INTO dev5 SELECT '{symbol}', to_timestamp(open_time / 1000), open, high, low, close, base_volume FROM loaded;
             TRUNCATE loaded"
        ));
    }
    session.run("DROP TABLE loaded; CREATE INDEX ON dev5 (open_time); CLUSTER dev5 USING dev5_open_time_idx; ANALYZE dev5");
    true
}
