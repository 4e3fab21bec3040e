"""Other names for the same things, for code written for the official SDK."""
