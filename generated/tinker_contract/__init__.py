"""The contract, openapi.yaml, as JSON for programs: `openapi.json` in this package."""
