"""What the protocol asks of a client: the connection, sessions, retries, polling and back-pressure."""
