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
mkdir -p "$site/src"
cp docs/book.toml "$site/"
cp -r -- *.md LICENSE docs "$site/src/"
for folder in live sql fuzz; do
    mkdir "$site/src/$folder"
    cp "$folder/README.md" "$site/src/$folder/"
done
# What a README is made into.
find "$site/src" -name '*.md' -exec sed -E -i 's#(\]\([^)]*)README\.md#\1index.md#g' {} +
rm "$site/src/docs/book.toml" "$site/src/docs/SUMMARY.md"
# Its paths are relative to docs/; in the site they are relative to the root.
sed -E 's#\]\(([^).])#](docs/\1#; s#\]\(\.\./#](#' docs/SUMMARY.md >"$site/src/SUMMARY.md"
mdbook build "$site"

dead=0
while read -r page; do
    while read -r link; do
        if [[ ! -e $(dirname "$page")/$link ]]; then
            printf '%s: %s leads nowhere\n' "$page" "$link" >&2
            dead=1
        fi
    done < <(grep -oE ' (href|src)="[^"#]+' "$page" | cut -d'"' -f2 | grep -v ':' | sort -u)
done < <(find "$site/book" -name '*.html' ! -name 404.html ! -name print.html ! -name toc.html)
((dead == 0))
printf '%s\n' "$site/book/index.html"
