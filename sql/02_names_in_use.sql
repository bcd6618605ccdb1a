-- Part: once
-- An application that had its own tables before finds some of ours under the same names. They are
-- told now, with the way to go on, and not by the first CREATE TABLE that fails. A type is in the
-- way of a table or view, too.
DO $$
DECLARE
    taken text[];
BEGIN
    SELECT array_agg(n.name ORDER BY n.place) INTO taken
      FROM unnest('@new_relations@'::text[]) WITH ORDINALITY AS n (name, place)
     WHERE EXISTS (SELECT FROM pg_class c
                    WHERE c.relname = n.name AND c.relnamespace = '@extschema@'::regnamespace)
        OR EXISTS (SELECT FROM pg_type t
                    WHERE t.typname = n.name AND t.typnamespace = '@extschema@'::regnamespace);
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table',
            MESSAGE = format('relation "%s" already exists', taken[1]),
            DETAIL = format('Schema %s has %s, which the extension would create. Nothing was changed.',
                            '@extschema@'::regnamespace, array_to_string(taken, ', ')),
            HINT = 'Install into a schema of its own: CREATE SCHEMA signal_hub; CREATE EXTENSION signal_hub SCHEMA '
                   'signal_hub. Then adopt_subscriptions() and adopt_signals() connect the tables that you have, see '
                   'docs/moving-in.md.';
    END IF;
END
$$;
