"""Sampling: the per-process sampling client, streams and checks."""
