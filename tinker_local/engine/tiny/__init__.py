"""The tiny engine: a small transformer in numpy, trained with LoRA."""
