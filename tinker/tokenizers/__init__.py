"""Text to token ids and back, for the model that is trained or sampled.

    from tinker.tokenizers import get_tokenizer

    tokenizer = get_tokenizer("Qwen/Qwen3-8B")        # a model's name
    tokenizer = get_tokenizer("./my-model")           # a folder or a file: no network
    ids = tokenizer.encode("Hello", add_special_tokens=False)

Byte-level BPE tokenizers run on tiktoken, with the ids of the original tokenizer, several times as
fast; every other kind runs on Hugging Face's `tokenizers` (extra `tokenizers`).
"""

from ._errors import TokenizerError
from ._incremental import IncrementalDecoder
from ._load import get_tokenizer
from ._tokenizer import Tokenizer
from ._trained_tokens import TrainedTokens, TrainOn, trained_tokens

__all__ = [
    "IncrementalDecoder",
    "Tokenizer",
    "TokenizerError",
    "TrainOn",
    "TrainedTokens",
    "get_tokenizer",
    "trained_tokens",
]
