-- From 0.1.0 to 0.2.0. As in the install scripts, nothing but pg_catalog is in the path.
SET LOCAL search_path = pg_catalog, pg_temp;
