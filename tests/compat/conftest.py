"""Proves that this package stands in for others: for the official SDK (`api/`: every public name, and every way to
use it; `behaviour/`: the same values; `installation/`: one package replaces the other), and for the tokenizers of
models (`tokenizers/`).
"""
