"""The contract, openapi.yaml: as `openapi.json` in this package."""
