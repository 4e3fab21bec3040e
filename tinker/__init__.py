"""A client for the Tinker training API: LoRA fine-tuning and sampling of language models.

    import tinker

    service = tinker.ServiceClient()
    training = service.create_lora_training_client(base_model="…").result()
    result = training.forward_backward([datum], "cross_entropy").result()

Names are imported when they are first used, so that `import tinker` costs little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinker import types as types
    from tinker.errors import (
        APIConnectionError,
        APIError,
        APIResponseValidationError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        BillingError,
        ConflictError,
        ExperimentalWarning,
        InternalServerError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        RequestFailedError,
        RunPoisonedError,
        TinkerError,
        UnprocessableEntityError,
    )
    from tinker.futures import APIFuture
    from tinker.sampling import SamplingClient
    from tinker.service import ServiceClient
    from tinker.training import TrainingClient
    from tinker.types import (
        AdamParams,
        Datum,
        EncodedTextChunk,
        ForwardBackwardOutput,
        LoraConfig,
        ModelInput,
        ModelInputChunk,
        OptimStepResponse,
        ParsedCheckpointTinkerPath,
        SampledSequence,
        SampleResponse,
        SamplingParams,
        TensorData,
    )

__title__ = "tinker"
__version__ = "0.38.0+openapi.1"

_HOMES = {
    "tinker.errors": (
        "APIConnectionError",
        "APIError",
        "APIResponseValidationError",
        "APIStatusError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "BillingError",
        "ConflictError",
        "ExperimentalWarning",
        "InternalServerError",
        "NotFoundError",
        "PermissionDeniedError",
        "RateLimitError",
        "RequestFailedError",
        "RunPoisonedError",
        "TinkerError",
        "UnprocessableEntityError",
    ),
    "tinker.futures": ("APIFuture",),
    "tinker.sampling": ("SamplingClient",),
    "tinker.service": ("ServiceClient",),
    "tinker.training": ("TrainingClient",),
    "tinker.types": (
        "AdamParams",
        "Datum",
        "EncodedTextChunk",
        "ForwardBackwardOutput",
        "LoraConfig",
        "ModelInput",
        "ModelInputChunk",
        "OptimStepResponse",
        "ParsedCheckpointTinkerPath",
        "SampleResponse",
        "SampledSequence",
        "SamplingParams",
        "TensorData",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__title__", "__version__", "types", *sorted(_HOME_OF)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "types":
        return importlib.import_module("tinker.types")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tinker' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
