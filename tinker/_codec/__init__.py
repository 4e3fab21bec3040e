"""Encode datums to bytes and decode results from bytes. Pure; one module for each encoding."""
