#!/bin/bash
# Run once by the official image, when its data folder is new: the extension, the roles, and the
# password of the service, from SIGNAL_HUB_LIVE_PASSWORD.
set -euo pipefail

psql -Xq --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -f /usr/share/signal-hub/setup.sql
psql -Xq --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    -v "password=${SIGNAL_HUB_LIVE_PASSWORD:?set a password for the service}" \
    <<<'ALTER ROLE "signal-hub" PASSWORD :'"'password'"
