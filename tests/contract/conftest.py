"""The contract: the server answers as openapi.yaml says, and the generated client is what it gives."""
