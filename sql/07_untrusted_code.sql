-- Part: update begins
-- What follows changes rows with the rights of the superuser who updates. Triggers and
-- rules of users are off, see 05_update_begins.sql; an index, a constraint or a default
-- cannot be switched off.
DO $$
DECLARE
    objection record;
BEGIN
    FOR objection IN @untrusted_code@ LOOP
        CONTINUE WHEN NOT objection.is_code;
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'the update would run code of others with your rights',
            DETAIL = format('%s.', objection.message),
            HINT = 'Then run ALTER EXTENSION signal_hub UPDATE again.';
    END LOOP;
END
$$;
