-- What follows needs the new library.
DO $$
BEGIN
    IF (SELECT library_version FROM @extschema@.signal_worker_status()) IN ('0.1.0', '0.2.0') THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the server still uses the library of an older release of signal_hub',
            HINT = 'Restart the server, then run ALTER EXTENSION signal_hub UPDATE again.';
    END IF;
END
$$;
