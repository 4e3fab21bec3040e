"""How bytes reach a server: the transport, the HTTP client, server-sent events, settings and credentials."""
