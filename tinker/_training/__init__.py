"""One training run: its queue, sequence numbers, batches, chunks and metrics."""
