"""The server's pages: a live view, and the contract."""
