"""Encodings of request bodies, tensors, batches, prompts and results."""
