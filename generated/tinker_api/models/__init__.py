"""The data models of requests and responses, imported when they are first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adam_params import AdamParams
    from .cancel_future_request import CancelFutureRequest
    from .cancel_future_response import CancelFutureResponse
    from .client_config_request import ClientConfigRequest
    from .client_config_response import ClientConfigResponse
    from .client_dynamic_config_response import ClientDynamicConfigResponse
    from .complete_metadata_response import CompleteMetadataResponse
    from .create_model_request import CreateModelRequest
    from .create_model_response import CreateModelResponse
    from .create_sampling_session_request import CreateSamplingSessionRequest
    from .create_sampling_session_response import CreateSamplingSessionResponse
    from .create_session_request import CreateSessionRequest
    from .create_session_response import CreateSessionResponse
    from .datum import Datum
    from .dmel_chunk import DmelChunk
    from .encoded_text_chunk import EncodedTextChunk
    from .error_response import ErrorResponse
    from .event_data import EventData
    from .finish_reason import FinishReason
    from .finish_reason_type import FinishReasonType
    from .finish_session_request import FinishSessionRequest
    from .finish_session_response import FinishSessionResponse
    from .forward_backward_input import ForwardBackwardInput
    from .forward_backward_output import ForwardBackwardOutput
    from .forward_backward_request import ForwardBackwardRequest
    from .forward_request import ForwardRequest
    from .future_retrieve_request import FutureRetrieveRequest
    from .generic_event import GenericEvent
    from .get_info_request import GetInfoRequest
    from .get_info_response import GetInfoResponse
    from .get_sampler_response import GetSamplerResponse
    from .get_server_capabilities_response import GetServerCapabilitiesResponse
    from .health_response import HealthResponse
    from .image_asset_pointer_chunk import ImageAssetPointerChunk
    from .image_asset_pointer_chunk_format import ImageAssetPointerChunkFormat
    from .image_chunk import ImageChunk
    from .image_chunk_format import ImageChunkFormat
    from .load_weights_request import LoadWeightsRequest
    from .load_weights_response import LoadWeightsResponse
    from .lora_config import LoraConfig
    from .loss_fn_config import LossFnConfig
    from .loss_fn_inputs import LossFnInputs
    from .loss_fn_output import LossFnOutput
    from .loss_fn_type import LossFnType
    from .metrics import Metrics
    from .model_data import ModelData
    from .model_input import ModelInput
    from .optim_step_request import OptimStepRequest
    from .optim_step_response import OptimStepResponse
    from .optimizer_config import OptimizerConfig
    from .optimizer_params import OptimizerParams
    from .prompt_alt_tokens import PromptAltTokens
    from .queue_state import QueueState
    from .queue_state_detail import QueueStateDetail
    from .request_error_category import RequestErrorCategory
    from .request_failed_response import RequestFailedResponse
    from .sample_request import SampleRequest
    from .sample_response import SampleResponse
    from .sampled_sequence import SampledSequence
    from .sampled_sequence_stop_reason import SampledSequenceStopReason
    from .sampling_params import SamplingParams
    from .save_weights_for_sampler_request import SaveWeightsForSamplerRequest
    from .save_weights_for_sampler_response import SaveWeightsForSamplerResponse
    from .save_weights_request import SaveWeightsRequest
    from .save_weights_response import SaveWeightsResponse
    from .session_end_event import SessionEndEvent
    from .session_heartbeat_request import SessionHeartbeatRequest
    from .session_heartbeat_response import SessionHeartbeatResponse
    from .session_start_event import SessionStartEvent
    from .severity import Severity
    from .supported_model import SupportedModel
    from .telemetry_response import TelemetryResponse
    from .telemetry_send_request import TelemetrySendRequest
    from .tensor_data import TensorData
    from .tensor_data_dtype import TensorDataDtype
    from .try_again_response import TryAgainResponse
    from .unhandled_exception_event import UnhandledExceptionEvent
    from .unload_model_request import UnloadModelRequest
    from .unload_model_response import UnloadModelResponse
    from .untyped_api_future import UntypedAPIFuture
    from .user_metadata import UserMetadata
    from .validation_error_response import ValidationErrorResponse
    from .validation_issue import ValidationIssue
    from .weights_info_request import WeightsInfoRequest
    from .weights_info_response import WeightsInfoResponse

_MODULE_OF = {
    "AdamParams": ".adam_params",
    "CancelFutureRequest": ".cancel_future_request",
    "CancelFutureResponse": ".cancel_future_response",
    "ClientConfigRequest": ".client_config_request",
    "ClientConfigResponse": ".client_config_response",
    "ClientDynamicConfigResponse": ".client_dynamic_config_response",
    "CompleteMetadataResponse": ".complete_metadata_response",
    "CreateModelRequest": ".create_model_request",
    "CreateModelResponse": ".create_model_response",
    "CreateSamplingSessionRequest": ".create_sampling_session_request",
    "CreateSamplingSessionResponse": ".create_sampling_session_response",
    "CreateSessionRequest": ".create_session_request",
    "CreateSessionResponse": ".create_session_response",
    "Datum": ".datum",
    "DmelChunk": ".dmel_chunk",
    "EncodedTextChunk": ".encoded_text_chunk",
    "ErrorResponse": ".error_response",
    "EventData": ".event_data",
    "FinishReason": ".finish_reason",
    "FinishReasonType": ".finish_reason_type",
    "FinishSessionRequest": ".finish_session_request",
    "FinishSessionResponse": ".finish_session_response",
    "ForwardBackwardInput": ".forward_backward_input",
    "ForwardBackwardOutput": ".forward_backward_output",
    "ForwardBackwardRequest": ".forward_backward_request",
    "ForwardRequest": ".forward_request",
    "FutureRetrieveRequest": ".future_retrieve_request",
    "GenericEvent": ".generic_event",
    "GetInfoRequest": ".get_info_request",
    "GetInfoResponse": ".get_info_response",
    "GetSamplerResponse": ".get_sampler_response",
    "GetServerCapabilitiesResponse": ".get_server_capabilities_response",
    "HealthResponse": ".health_response",
    "ImageAssetPointerChunk": ".image_asset_pointer_chunk",
    "ImageAssetPointerChunkFormat": ".image_asset_pointer_chunk_format",
    "ImageChunk": ".image_chunk",
    "ImageChunkFormat": ".image_chunk_format",
    "LoadWeightsRequest": ".load_weights_request",
    "LoadWeightsResponse": ".load_weights_response",
    "LoraConfig": ".lora_config",
    "LossFnConfig": ".loss_fn_config",
    "LossFnInputs": ".loss_fn_inputs",
    "LossFnOutput": ".loss_fn_output",
    "LossFnType": ".loss_fn_type",
    "Metrics": ".metrics",
    "ModelData": ".model_data",
    "ModelInput": ".model_input",
    "OptimStepRequest": ".optim_step_request",
    "OptimStepResponse": ".optim_step_response",
    "OptimizerConfig": ".optimizer_config",
    "OptimizerParams": ".optimizer_params",
    "PromptAltTokens": ".prompt_alt_tokens",
    "QueueState": ".queue_state",
    "QueueStateDetail": ".queue_state_detail",
    "RequestErrorCategory": ".request_error_category",
    "RequestFailedResponse": ".request_failed_response",
    "SampleRequest": ".sample_request",
    "SampleResponse": ".sample_response",
    "SampledSequence": ".sampled_sequence",
    "SampledSequenceStopReason": ".sampled_sequence_stop_reason",
    "SamplingParams": ".sampling_params",
    "SaveWeightsForSamplerRequest": ".save_weights_for_sampler_request",
    "SaveWeightsForSamplerResponse": ".save_weights_for_sampler_response",
    "SaveWeightsRequest": ".save_weights_request",
    "SaveWeightsResponse": ".save_weights_response",
    "SessionEndEvent": ".session_end_event",
    "SessionHeartbeatRequest": ".session_heartbeat_request",
    "SessionHeartbeatResponse": ".session_heartbeat_response",
    "SessionStartEvent": ".session_start_event",
    "Severity": ".severity",
    "SupportedModel": ".supported_model",
    "TelemetryResponse": ".telemetry_response",
    "TelemetrySendRequest": ".telemetry_send_request",
    "TensorData": ".tensor_data",
    "TensorDataDtype": ".tensor_data_dtype",
    "TryAgainResponse": ".try_again_response",
    "UnhandledExceptionEvent": ".unhandled_exception_event",
    "UnloadModelRequest": ".unload_model_request",
    "UnloadModelResponse": ".unload_model_response",
    "UntypedAPIFuture": ".untyped_api_future",
    "UserMetadata": ".user_metadata",
    "ValidationErrorResponse": ".validation_error_response",
    "ValidationIssue": ".validation_issue",
    "WeightsInfoRequest": ".weights_info_request",
    "WeightsInfoResponse": ".weights_info_response",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)


__all__ = (
    "AdamParams",
    "CancelFutureRequest",
    "CancelFutureResponse",
    "ClientConfigRequest",
    "ClientConfigResponse",
    "ClientDynamicConfigResponse",
    "CompleteMetadataResponse",
    "CreateModelRequest",
    "CreateModelResponse",
    "CreateSamplingSessionRequest",
    "CreateSamplingSessionResponse",
    "CreateSessionRequest",
    "CreateSessionResponse",
    "Datum",
    "DmelChunk",
    "EncodedTextChunk",
    "ErrorResponse",
    "EventData",
    "FinishReason",
    "FinishReasonType",
    "FinishSessionRequest",
    "FinishSessionResponse",
    "ForwardBackwardInput",
    "ForwardBackwardOutput",
    "ForwardBackwardRequest",
    "ForwardRequest",
    "FutureRetrieveRequest",
    "GenericEvent",
    "GetInfoRequest",
    "GetInfoResponse",
    "GetSamplerResponse",
    "GetServerCapabilitiesResponse",
    "HealthResponse",
    "ImageAssetPointerChunk",
    "ImageAssetPointerChunkFormat",
    "ImageChunk",
    "ImageChunkFormat",
    "LoadWeightsRequest",
    "LoadWeightsResponse",
    "LoraConfig",
    "LossFnConfig",
    "LossFnInputs",
    "LossFnOutput",
    "LossFnType",
    "Metrics",
    "ModelData",
    "ModelInput",
    "OptimizerConfig",
    "OptimizerParams",
    "OptimStepRequest",
    "OptimStepResponse",
    "PromptAltTokens",
    "QueueState",
    "QueueStateDetail",
    "RequestErrorCategory",
    "RequestFailedResponse",
    "SampledSequence",
    "SampledSequenceStopReason",
    "SampleRequest",
    "SampleResponse",
    "SamplingParams",
    "SaveWeightsForSamplerRequest",
    "SaveWeightsForSamplerResponse",
    "SaveWeightsRequest",
    "SaveWeightsResponse",
    "SessionEndEvent",
    "SessionHeartbeatRequest",
    "SessionHeartbeatResponse",
    "SessionStartEvent",
    "Severity",
    "SupportedModel",
    "TelemetryResponse",
    "TelemetrySendRequest",
    "TensorData",
    "TensorDataDtype",
    "TryAgainResponse",
    "UnhandledExceptionEvent",
    "UnloadModelRequest",
    "UnloadModelResponse",
    "UntypedAPIFuture",
    "UserMetadata",
    "ValidationErrorResponse",
    "ValidationIssue",
    "WeightsInfoRequest",
    "WeightsInfoResponse",
)
