"""The client's side of the protocol: connection, sessions, retries, polling and back-pressure."""
