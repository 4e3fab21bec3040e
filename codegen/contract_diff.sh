#!/usr/bin/env bash
# What openapi.yaml changes for its users, and whether the version in `info` says so.
#
#   contract_diff.sh REV      since REV
#   contract_diff.sh          since the commit of the main line that gave the contract its version, and since the one before it
#   contract_diff.sh --bases  print these commits
#
# Fails if the version is not raised as far as the changes ask for: before 1.0 the middle number for a change that
# breaks clients or adds something, the last one for words.
#
# The main line is the first parents of main, each merge one step, so that a version that came with a merge is found, and
# what a branch changed before it merged main is not taken for part of main.
set -euo pipefail
cd "${CONTRACT_REPOSITORY:-$(dirname "${BASH_SOURCE[0]}")/..}"

compare() {
  mkdir -p .cache
  git show "$1:openapi.yaml" >.cache/openapi-before.yaml
  echo "openapi.yaml since $(git log -1 --format='%h (%s)' "$1")"
  codegen/redocly.sh diff .cache/openapi-before.yaml openapi.yaml --check-version --fail-on none
}

bases() {
  local start=HEAD main commit named
  for main in origin/main main; do
    git rev-parse --quiet --verify "$main^{commit}" >/dev/null || continue
    for commit in $(git rev-list --first-parent "$main"); do  # the newest that HEAD has
      if git merge-base --is-ancestor "$commit" HEAD; then
        start=$commit
        break 2
      fi
    done
  done
  named=$(git log -1 --format=%H --first-parent -m -G '^  version: ' "$start" -- openapi.yaml)
  [ -n "$named" ] || { echo "no commit gives openapi.yaml a version" >&2; return 1; }
  echo "$named"
  git rev-parse --quiet --verify "$named^1:openapi.yaml" >/dev/null && git rev-parse "$named^1"
  return 0
}

case "${1:-}" in
  --bases) bases ;;
  "") for base in $(bases); do compare "$base"; done ;;
  *) compare "$1" ;;
esac
