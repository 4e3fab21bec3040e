#!/usr/bin/env bash
# Redocly's command line, in the version whose rules the contract was checked with: lints it and tells its changes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec codegen/node.sh npx --yes @redocly/cli@2.77.0 "$@"
