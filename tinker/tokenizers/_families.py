"""The families of models whose tokenizers come as a file of ranks alone.

The pattern and the special tokens are not in such a file; they are listed here.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import _patterns
from ._normalize import Form


@dataclass(frozen=True)
class Family:
    """`special` are the tokens behind the ranks, in order; `reserved` names those up to `room`."""

    name: str
    pattern: str
    special: tuple[str, ...]
    named: dict[str, str]
    reserved: str = ""
    first_reserved: int = 0
    room: int = 0
    normal_form: Form | None = None
    starts_with: str | None = None
    cut_runs: bool = False

    def special_tokens(self, base: int) -> dict[int, str]:
        names = list(self.special)
        while len(names) < self.room:
            number = len(names) - len(self.special) + self.first_reserved
            names.append(self.reserved.format(number=number, id=base + len(names)))
        return dict(enumerate(names, start=base))


_LLAMA_3 = Family(
    name="Llama 3",
    pattern=_patterns.CL100K,
    special=(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|reserved_special_token_0|>",
        "<|reserved_special_token_1|>",
        "<|finetune_right_pad_id|>",
        "<|step_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
        "<|eot_id|>",
        "<|python_tag|>",
        "<|image|>",
    ),
    reserved="<|reserved_special_token_{number}|>",
    first_reserved=2,
    room=256,
    named={
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|end_of_text|>",
        "pad_token": "<|finetune_right_pad_id|>",
    },
    starts_with="<|begin_of_text|>",
)
_KIMI = Family(
    name="Kimi",
    pattern=_patterns.KIMI,
    special=(),
    reserved="<|reserved_token_{id}|>",
    room=256,
    named={},
    cut_runs=True,
)
_QWEN = Family(
    name="Qwen",
    pattern=_patterns.QWEN,
    special=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    reserved="<|extra_{number}|>",
    room=208,
    named={"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
    normal_form="NFC",
)
_QWEN_3_5 = Family(
    name="Qwen 3.5",
    pattern=_patterns.QWEN_3_5,
    special=(
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        *(f"<|{name}|>" for name in (
            "object_ref_start", "object_ref_end", "box_start", "box_end", "quad_start", "quad_end",
            "vision_start", "vision_end", "vision_pad", "image_pad", "video_pad",
        )),
        "<tool_call>",
        "</tool_call>",
        *(f"<|{name}|>" for name in (
            "fim_prefix", "fim_middle", "fim_suffix", "fim_pad", "repo_name", "file_sep",
        )),
        "<tool_response>",
        "</tool_response>",
        "<think>",
        "</think>",
        "<|audio_start|>",
        "<|audio_end|>",
        "<tts_pad>",
        "<tts_text_bos>",
        "<tts_text_eod>",
        "<tts_text_bos_single>",
        "<|audio_pad|>",
    ),
    named={"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
    normal_form="NFC",
)  # fmt: skip
_GPT_OSS = Family(
    name="gpt-oss",
    pattern=_patterns.O200K,
    special=(
        "<|startoftext|>",
        "<|endoftext|>",
        "<|reserved_200000|>",
        "<|reserved_200001|>",
        "<|return|>",
        "<|constrain|>",
        "<|reserved_200004|>",
        "<|channel|>",
        "<|start|>",
        "<|end|>",
        "<|message|>",
        "<|reserved_200009|>",
        "<|reserved_200010|>",
        "<|reserved_200011|>",
        "<|call|>",
        *(f"<|reserved_{id_}|>" for id_ in range(200_013, 200_018)),
        "<|endofprompt|>",
    ),
    reserved="<|reserved_{id}|>",
    room=201_088 - 199_998,
    named={"bos_token": "<|startoftext|>", "eos_token": "<|return|>", "pad_token": "<|endoftext|>"},
)
# By the number of ranks in their files.
FAMILIES = {
    128_000: _LLAMA_3,
    151_643: _QWEN,
    163_584: _KIMI,
    199_998: _GPT_OSS,
    248_044: _QWEN_3_5,
}
