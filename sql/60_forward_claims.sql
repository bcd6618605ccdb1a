-- Part: replaceable
-- An API in front of the database puts the claims of its client into a setting, by set_config().
-- Citus sends on what a statement sets, not what a function does.
CREATE OR REPLACE FUNCTION @extschema@.forward_claims() RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    claims text := current_setting('request.jwt.claims', true);
BEGIN
    IF claims <> '' AND to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
        PERFORM set_config('citus.propagate_set_commands', 'local', true);
        EXECUTE format('SET LOCAL request.jwt.claims = %L', claims);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.forward_claims() IS
    'takes the claims of the client, the setting request.jwt.claims, along to the nodes of Citus until the end of the '
    'transaction, so that row-level security shows the client''s own rows there. To be called by an API before what '
    'it does for the client, as by db-pre-request of PostgREST; without Citus it does nothing';
