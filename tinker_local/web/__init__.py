"""The server's pages: what happens on it, and the contract, for people."""
