-- The schema of the extension, which may have been renamed since: for the statements that a function
-- puts together.
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'signal_hub'
