#!/usr/bin/env bash
# Makes the site of the documents, in target/site/book, with mdBook of this version or newer.
#
#   scripts/site.sh            needs mdbook in PATH
#   scripts/site.sh --install  fetches it first (cargo install, some minutes)
#
# The pages are the documents of this repository as they stand; docs/SUMMARY.md is the table of
# contents. Links between them are checked by `cargo test -p signal_hub_tests --test house links::`.
set -euo pipefail
shopt -s inherit_errexit

MDBOOK=0.5.4

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ${1:-} == --install ]]; then
    cargo install mdbook --version "$MDBOOK" --locked --no-default-features --features search
fi
if ! command -v mdbook >/dev/null; then
    printf 'mdbook is not installed: scripts/site.sh --install\n' >&2
    exit 77
fi

site=target/site
rm -rf "$site"
mkdir -p "$site/src/live" "$site/src/sql"
cp docs/book.toml "$site/"
cp -- *.md "$site/src/"
cp live/README.md "$site/src/live/"
cp sql/README.md "$site/src/sql/"
cp -r docs "$site/src/"
rm "$site/src/docs/book.toml" "$site/src/docs/SUMMARY.md"
# Its paths are relative to docs/; in the site they are relative to the root.
sed -E 's#\]\(([^).])#](docs/\1#; s#\]\(\.\./#](#' docs/SUMMARY.md >"$site/src/SUMMARY.md"
mdbook build "$site"
printf '%s\n' "$site/book/index.html"
