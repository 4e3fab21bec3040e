#!/usr/bin/env bash
# What openapi.yaml changes for its users, and whether the version in `info` says so.
#
#   contract_diff.sh REV   since REV
#   contract_diff.sh       since the commit that gave the contract its version, and since the one before it
#
# Fails if the version is not raised as far as the changes ask for: before 1.0 the middle number for a change that
# breaks clients or adds something, the last one for words.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compare() {
  mkdir -p .cache
  git show "$1:openapi.yaml" >.cache/openapi-before.yaml
  echo "openapi.yaml since $(git log -1 --format='%h (%s)' "$1")"
  codegen/redocly.sh diff .cache/openapi-before.yaml openapi.yaml --check-version --fail-on none
}

if [ $# -gt 0 ]; then
  compare "$1"
  exit
fi
named=$(git log -1 --format=%H -G '^  version: ' -- openapi.yaml)
compare "$named"
if git cat-file -e "$named^:openapi.yaml" 2>/dev/null; then
  compare "$named^"
else
  echo "What came before is not in this clone, or there was nothing."
fi
