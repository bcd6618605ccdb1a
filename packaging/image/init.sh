#!/bin/bash
# Run once by the official image, when its data folder is new: the extension, the roles, and the
# passwords of the two logins of the service.
set -euo pipefail

psql -Xq --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -f /usr/share/signal-hub/setup.sql
psql -Xq --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -v ON_ERROR_STOP=1 \
    -v "service=${SIGNAL_HUB_LIVE_PASSWORD:?set a password for the service}" \
    -v "subscribers=${SIGNAL_HUB_SUBSCRIBERS_PASSWORD:?set a password for what it does for subscribers}" <<'SQL'
ALTER ROLE "signal-hub" PASSWORD :'service';
ALTER ROLE signal_hub_subscribers PASSWORD :'subscribers';
SQL
