"""The contract, openapi.yaml: `openapi.json` in this package for programs, `reference.html` for people."""
