-- Part: update begins
-- What follows changes rows with the rights of the superuser who updates. Triggers and
-- rules of users are off, see 05_update_begins.sql; an index, a constraint or a default
-- cannot be switched off. Nor is a table altered that somebody else owns, who may have given its
-- columns types with casts of their own, or put in the place of ours.
DO $$
DECLARE
    objection record;
BEGIN
    FOR objection IN @untrusted_code@ LOOP
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'the update could run code of others with your rights',
            DETAIL = format('%s.', objection.message),
            HINT = 'Then run ALTER EXTENSION signal_hub UPDATE again.';
    END LOOP;
END
$$;
