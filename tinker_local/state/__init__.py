"""The state that survives a restart: the database and the files beside it."""
