#!/usr/bin/env bash
# openapi.yaml and codegen/tinker.proto -> generated/ and docs/reference.md
#
#   ./codegen.sh           rebuild them
#   ./codegen.sh --check   fail if they differ from what the sources give
#
# Same input, same bytes, on any machine: the tools' versions are pinned in pyproject.toml's `codegen` group, and no
# others are used. Uses .venv if there is one, else the python on PATH; PYTHON= overrules.
# What was generated is kept under .cache/codegen (CODEGEN_CACHE= overrules) by the hash of its sources, so that the
# check, the tests and a rebuild of the same sources run the generator once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export PYTHONHASHSEED=0 LC_ALL=C.UTF-8

if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  [ -x .venv/bin/python ] && PYTHON=.venv/bin/python
fi
case "${1:-}" in
  "" | --check) ;;
  *) echo "usage: ./codegen.sh [--check]" >&2; exit 2 ;;
esac

"$PYTHON" codegen/versions.py

generate() {
  "$PYTHON" codegen/prepare.py openapi.yaml >"$out/security.py"
  "$PYTHON" -m openapi_python_client generate --path openapi.yaml --config codegen/config.yaml \
    --custom-template-path codegen/templates --meta none --fail-on-warning --output-path "$out/tinker_api" >"$out/log" 2>&1 ||
    { cat "$out/log" >&2; exit 1; }
  rm "$out/log" "$out/tinker_api/errors.py"
  mv "$out/security.py" "$out/tinker_api/security.py"
  cp codegen/runtime/*.py "$out/tinker_api/"
  touch "$out/tinker_api/py.typed"

  # Not as the generator's hook, which would take whichever ruff is on PATH. Isolated from any configuration around it.
  ruff=("$PYTHON" -m ruff)
  options=(--isolated --no-cache --quiet --line-length 100 --target-version py311 "$out/tinker_api")
  "${ruff[@]}" check --select F401,I001,F811 --fix-only "${options[@]}"
  "${ruff[@]}" format "${options[@]}"

  mkdir "$out/tinker_proto" "$out/tinker_contract"
  "$PYTHON" -m grpc_tools.protoc -I codegen --python_out="$out/tinker_proto" --pyi_out="$out/tinker_proto" tinker.proto
  echo '"""The messages of codegen/tinker.proto, as protoc makes them."""' >"$out/tinker_proto/__init__.py"
  touch "$out/tinker_proto/py.typed"

  "$PYTHON" codegen/contract_json.py openapi.yaml >"$out/tinker_contract/openapi.json"
  cat >"$out/tinker_contract/__init__.py" <<'EOF'
"""The contract, openapi.yaml: as `openapi.json` in this package."""
EOF
  touch "$out/tinker_contract/py.typed"
  "$PYTHON" codegen/reference.py "$out/reference.md"
  "$PYTHON" codegen/versions.py --provenance >"$out/PROVENANCE"
}

cache=${CODEGEN_CACHE:-.cache/codegen}
made=$cache/$("$PYTHON" codegen/versions.py --key)
if [ ! -d "$made" ]; then
  mkdir -p "$cache"
  out=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$out"' EXIT
  generate
  chmod 755 "$out"
  [ -d "$made" ] || mv "$out" "$made"  # another run may have been faster
fi

if [ "${1:-}" = --check ]; then
  same=true
  diff -q docs/reference.md "$made/reference.md" || same=false
  diff -rq -x __pycache__ -x .mypy_cache -x reference.md generated "$made" || same=false
  if ! $same; then
    echo "generated/ or docs/reference.md is not what openapi.yaml gives: run ./codegen.sh and commit the result." >&2
    exit 1
  fi
  "$PYTHON" codegen/lazy_names.py --check
  echo "generated/ is up to date."
else
  mkdir -p docs
  cp "$made/reference.md" docs/reference.md
  rm -rf generated
  cp -R "$made" generated
  rm generated/reference.md
  "$PYTHON" codegen/lazy_names.py
  echo "generated/ is rebuilt."
fi
