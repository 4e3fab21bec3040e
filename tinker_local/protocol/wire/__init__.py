"""The encodings of the wire: request bodies, tensors, batches, prompts, and results."""
