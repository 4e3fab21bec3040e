"""The protocol, without numbers: the contract, routes, scheduling and operations."""
