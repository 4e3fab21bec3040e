"""Datums and results to and from bytes. Pure; one module an encoding."""
