-- Part: access
GRANT SELECT ON @extschema@.signal_price_path TO pg_monitor;
