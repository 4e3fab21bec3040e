"""Names of the official SDK, for code written for it."""
