"""The forms of a model name."""

from __future__ import annotations

import pytest

from tinker_local.model_names import ModelName, are_variants, parse

PATH = "tinker://a:train:0/sampler_weights/b"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("org/name", ModelName("org/name", None)),
        ("org/name:peft:262144", ModelName("org/name:peft:262144", None)),
        (PATH, ModelName(None, PATH)),
        (f"org/name:peft:262144;{PATH}", ModelName("org/name:peft:262144", PATH)),
        # Not a checkpoint behind the semicolon: a name that nobody offers.
        ("org/name;other", ModelName("org/name;other", None)),
        (f";{PATH}", ModelName(f";{PATH}", None)),
        ("tinker://no checkpoint", ModelName(None, "tinker://no checkpoint")),
    ],
)
def test_the_forms_of_a_name(name: str, expected: ModelName) -> None:
    assert parse(name) == expected
    assert str(parse(name)) == name


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("org/name", "org/name", True),
        ("org/name", "org/name:peft:262144", True),
        ("org/name:peft:131072", "org/name:peft:262144", True),
        ("org/name", "org/other", False),
        ("org/name", "org/name-2", False),
        # Quantized for sampling: not usable with checkpoints trained on the plain model.
        ("org/name", "org/name:peft:262144:sampling-nvfp4", False),
        ("org/name", "org/name:peft:", False),
    ],
)
def test_which_base_models_are_variants(first: str, second: str, expected: bool) -> None:
    assert are_variants(first, second) is are_variants(second, first) is expected
