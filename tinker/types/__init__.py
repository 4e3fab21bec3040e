"""The values that requests and results are made of.

Those of the hot path (model inputs, tensors, datums, results of training and sampling) are written by
hand over numpy arrays, one module each. The others are the generated models themselves.
"""

from __future__ import annotations

from tinker.types.datum import Datum, UntypedInputError
from tinker.types.dmel_chunk import DmelChunk
from tinker.types.encoded_text_chunk import EncodedTextChunk
from tinker.types.forward_backward_output import ForwardBackwardOutput
from tinker.types.image_asset_pointer_chunk import ImageAssetPointerChunk
from tinker.types.image_chunk import ImageChunk
from tinker.types.loss_fn_inputs import LossFnInputs
from tinker.types.loss_fn_output import LossFnOutput
from tinker.types.loss_fn_type import LossFnType
from tinker.types.model_input import ModelInput
from tinker.types.model_input_chunk import ModelInputChunk
from tinker.types.prompt_alt_tokens import PromptAltTokens
from tinker.types.provenance_spans import (
    PromptProvenanceSpan,
    ProvenanceSpans,
    SampledProvenanceSpan,
)
from tinker.types.request_error_category import RequestErrorCategory
from tinker.types.sample_response import SampleResponse
from tinker.types.sampled_sequence import SampledSequence
from tinker.types.stop_reason import StopReason
from tinker.types.tensor_data import TensorData
from tinker.types.tensor_dtype import TensorDtype
from tinker.types.tinker_path import CheckpointType, ParsedCheckpointTinkerPath
from tinker.types.topk_logprobs import TopkLogprobs
from tinker_api.models import (
    AdamParams,
    ClientConfigResponse,
    ClientDynamicConfigResponse,
    CreateModelResponse,
    CreateSamplingSessionResponse,
    CreateSessionResponse,
    GetInfoResponse,
    GetSamplerResponse,
    GetServerCapabilitiesResponse,
    LoadWeightsResponse,
    LoraConfig,
    ModelData,
    OptimizerConfig,
    OptimizerParams,
    OptimStepResponse,
    SamplingParams,
    SaveWeightsForSamplerResponse,
    SaveWeightsResponse,
    SupportedModel,
    UnloadModelResponse,
    UntypedAPIFuture,
    WeightsInfoResponse,
)

__all__ = [
    "AdamParams",
    "CheckpointType",
    "ClientConfigResponse",
    "ClientDynamicConfigResponse",
    "CreateModelResponse",
    "CreateSamplingSessionResponse",
    "CreateSessionResponse",
    "Datum",
    "DmelChunk",
    "EncodedTextChunk",
    "ForwardBackwardOutput",
    "GetInfoResponse",
    "GetSamplerResponse",
    "GetServerCapabilitiesResponse",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "LoadWeightsResponse",
    "LoraConfig",
    "LossFnInputs",
    "LossFnOutput",
    "LossFnType",
    "ModelData",
    "ModelInput",
    "ModelInputChunk",
    "OptimStepResponse",
    "OptimizerConfig",
    "OptimizerParams",
    "ParsedCheckpointTinkerPath",
    "PromptAltTokens",
    "PromptProvenanceSpan",
    "ProvenanceSpans",
    "RequestErrorCategory",
    "SampleResponse",
    "SampledProvenanceSpan",
    "SampledSequence",
    "SamplingParams",
    "SaveWeightsForSamplerResponse",
    "SaveWeightsResponse",
    "StopReason",
    "SupportedModel",
    "TensorData",
    "TensorDtype",
    "TopkLogprobs",
    "UnloadModelResponse",
    "UntypedAPIFuture",
    "UntypedInputError",
    "WeightsInfoResponse",
]
