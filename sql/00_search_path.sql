-- Part: every script
-- Nothing but pg_catalog is in the path: an operator that somebody planted in the
-- extension's schema cannot stand in for PostgreSQL's own. Our objects are named
-- with their schema throughout.
SET LOCAL search_path = pg_catalog, pg_temp;

-- What an update keeps in here is explained where it is set. Nobody's own value
-- may be taken for it.
SET LOCAL signal_hub_update.members = '';
