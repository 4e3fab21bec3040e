"""The data models of requests and responses, imported when they are first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accessible_search_owner import AccessibleSearchOwner
    from .active_session_status_query import ActiveSessionStatusQuery
    from .adam_optimizer_config import AdamOptimizerConfig
    from .adam_params import AdamParams
    from .anthropic_error_detail import AnthropicErrorDetail
    from .anthropic_error_detail_details_type_0 import AnthropicErrorDetailDetailsType0
    from .anthropic_error_response import AnthropicErrorResponse
    from .api_key_details import ApiKeyDetails
    from .api_key_info import ApiKeyInfo
    from .api_key_organization import ApiKeyOrganization
    from .api_key_user import ApiKeyUser
    from .assign_session_project_request import AssignSessionProjectRequest
    from .audit_event_details import AuditEventDetails
    from .audit_log_entry import AuditLogEntry
    from .audit_log_response import AuditLogResponse
    from .auth_token_request import AuthTokenRequest
    from .auth_token_response import AuthTokenResponse
    from .billing_usage_event import BillingUsageEvent
    from .billing_usage_response import BillingUsageResponse
    from .billing_usage_session import BillingUsageSession
    from .billing_usage_sessions import BillingUsageSessions
    from .cancel_future_request import CancelFutureRequest
    from .cancel_future_response import CancelFutureResponse
    from .cancelled_session_status_query import CancelledSessionStatusQuery
    from .chat_choice import ChatChoice
    from .chat_choice_finish_reason import ChatChoiceFinishReason
    from .chat_completion import ChatCompletion
    from .chat_completion_chunk import ChatCompletionChunk
    from .chat_completion_message import ChatCompletionMessage
    from .chat_completion_request import ChatCompletionRequest
    from .chat_function_call import ChatFunctionCall
    from .chat_logprobs import ChatLogprobs
    from .chat_message import ChatMessage
    from .chat_message_role import ChatMessageRole
    from .chat_tool_call import ChatToolCall
    from .checkpoint import Checkpoint
    from .checkpoint_archive_url_response import CheckpointArchiveUrlResponse
    from .checkpoint_billing_event import CheckpointBillingEvent
    from .checkpoint_kind import CheckpointKind
    from .checkpoint_search_cursor import CheckpointSearchCursor
    from .checkpoint_search_request import CheckpointSearchRequest
    from .checkpoint_search_response import CheckpointSearchResponse
    from .checkpoint_type import CheckpointType
    from .checkpoints_list_response import CheckpointsListResponse
    from .client_config_request import ClientConfigRequest
    from .client_config_response import ClientConfigResponse
    from .client_dynamic_config_response import ClientDynamicConfigResponse
    from .client_finished_session_status_query import ClientFinishedSessionStatusQuery
    from .client_session_finish_errored import ClientSessionFinishErrored
    from .client_session_finish_interrupted import ClientSessionFinishInterrupted
    from .client_session_finish_reason_type import ClientSessionFinishReasonType
    from .client_session_finish_success import ClientSessionFinishSuccess
    from .client_session_finished import ClientSessionFinished
    from .complete_metadata_response import CompleteMetadataResponse
    from .completion import Completion
    from .completion_choice import CompletionChoice
    from .completion_event import CompletionEvent
    from .completion_logprobs import CompletionLogprobs
    from .completion_request import CompletionRequest
    from .completion_usage import CompletionUsage
    from .copy_weights_request import CopyWeightsRequest
    from .copy_weights_response import CopyWeightsResponse
    from .count_tokens_request import CountTokensRequest
    from .create_custom_loss_request import CreateCustomLossRequest
    from .create_custom_loss_response import CreateCustomLossResponse
    from .create_model_request import CreateModelRequest
    from .create_model_response import CreateModelResponse
    from .create_sampling_session_request import CreateSamplingSessionRequest
    from .create_sampling_session_response import CreateSamplingSessionResponse
    from .create_session_request import CreateSessionRequest
    from .create_session_response import CreateSessionResponse
    from .current_checkpoint_storage_usage_item import CurrentCheckpointStorageUsageItem
    from .current_checkpoint_storage_usage_response import CurrentCheckpointStorageUsageResponse
    from .cursor import Cursor
    from .custom_loss_graph import CustomLossGraph
    from .custom_loss_input import CustomLossInput
    from .custom_loss_input_rank import CustomLossInputRank
    from .custom_loss_kwargs import CustomLossKwargs
    from .custom_loss_node import CustomLossNode
    from .custom_loss_node_op import CustomLossNodeOp
    from .datum import Datum
    from .dimuon_optimizer_config import DimuonOptimizerConfig
    from .dimuon_params import DimuonParams
    from .dmel_chunk import DmelChunk
    from .encoded_text_chunk import EncodedTextChunk
    from .error_response import ErrorResponse
    from .event_data import EventData
    from .external_weights_upload_finish_request import ExternalWeightsUploadFinishRequest
    from .external_weights_upload_finish_response import ExternalWeightsUploadFinishResponse
    from .external_weights_upload_start_request import ExternalWeightsUploadStartRequest
    from .external_weights_upload_start_response import ExternalWeightsUploadStartResponse
    from .external_weights_upload_ur_ls import ExternalWeightsUploadURLs
    from .external_weights_upload_url import ExternalWeightsUploadURL
    from .external_weights_upload_url_headers import ExternalWeightsUploadURLHeaders
    from .external_weights_urls_response import ExternalWeightsUrlsResponse
    from .failed_session_status_query import FailedSessionStatusQuery
    from .file_urls import FileUrls
    from .finish_session_request import FinishSessionRequest
    from .finish_session_response import FinishSessionResponse
    from .forward_backward_content_encoding import ForwardBackwardContentEncoding
    from .forward_backward_input import ForwardBackwardInput
    from .forward_backward_output import ForwardBackwardOutput
    from .forward_backward_request import ForwardBackwardRequest
    from .forward_request import ForwardRequest
    from .future_failed import FutureFailed
    from .future_finished import FutureFinished
    from .future_retrieve_request import FutureRetrieveRequest
    from .futures_retrieve_request import FuturesRetrieveRequest
    from .futures_retrieve_response import FuturesRetrieveResponse
    from .generic_event import GenericEvent
    from .get_audit_log_event_type import GetAuditLogEventType
    from .get_info_request import GetInfoRequest
    from .get_info_response import GetInfoResponse
    from .get_sampler_response import GetSamplerResponse
    from .get_server_capabilities_response import GetServerCapabilitiesResponse
    from .get_session_access_scope import GetSessionAccessScope
    from .get_session_response import GetSessionResponse
    from .get_training_run_access_scope import GetTrainingRunAccessScope
    from .health_response import HealthResponse
    from .image_asset_pointer_chunk import ImageAssetPointerChunk
    from .image_chunk import ImageChunk
    from .image_format import ImageFormat
    from .join_sampling_session_request import JoinSamplingSessionRequest
    from .join_sampling_session_response import JoinSamplingSessionResponse
    from .list_sessions_access_scope import ListSessionsAccessScope
    from .list_sessions_response import ListSessionsResponse
    from .list_training_runs_access_scope import ListTrainingRunsAccessScope
    from .load_weights_request import LoadWeightsRequest
    from .load_weights_response import LoadWeightsResponse
    from .lora_config import LoraConfig
    from .loss_fn_config import LossFnConfig
    from .loss_fn_inputs import LossFnInputs
    from .loss_fn_output import LossFnOutput
    from .loss_fn_type import LossFnType
    from .loss_metrics import LossMetrics
    from .message import Message
    from .message_event import MessageEvent
    from .message_param import MessageParam
    from .message_param_role import MessageParamRole
    from .message_request import MessageRequest
    from .message_token_count import MessageTokenCount
    from .message_usage import MessageUsage
    from .metric_reduction import MetricReduction
    from .metrics import Metrics
    from .model_data import ModelData
    from .model_input import ModelInput
    from .open_ai_error_detail import OpenAIErrorDetail
    from .open_ai_error_response import OpenAIErrorResponse
    from .open_ai_model import OpenAIModel
    from .open_ai_model_list import OpenAIModelList
    from .optim_params_base import OptimParamsBase
    from .optim_step_request import OptimStepRequest
    from .optim_step_response import OptimStepResponse
    from .optimizer_config_base import OptimizerConfigBase
    from .own_search_owner import OwnSearchOwner
    from .prompt_alt_tokens import PromptAltTokens
    from .queue_state import QueueState
    from .queue_state_detail import QueueStateDetail
    from .request_error_category import RequestErrorCategory
    from .request_failed_response import RequestFailedResponse
    from .sample_request import SampleRequest
    from .sample_response import SampleResponse
    from .sampled_sequence import SampledSequence
    from .sampling_params import SamplingParams
    from .sampling_prefill_billing_event import SamplingPrefillBillingEvent
    from .sampling_sample_billing_event import SamplingSampleBillingEvent
    from .sampling_session_futures_target import SamplingSessionFuturesTarget
    from .save_weights_external_request import SaveWeightsExternalRequest
    from .save_weights_external_response import SaveWeightsExternalResponse
    from .save_weights_for_sampler_request import SaveWeightsForSamplerRequest
    from .save_weights_for_sampler_response import SaveWeightsForSamplerResponse
    from .save_weights_request import SaveWeightsRequest
    from .save_weights_response import SaveWeightsResponse
    from .server_sent_event import ServerSentEvent
    from .session_active import SessionActive
    from .session_cancelled import SessionCancelled
    from .session_end_event import SessionEndEvent
    from .session_failed import SessionFailed
    from .session_failed_category import SessionFailedCategory
    from .session_failed_request_reason import SessionFailedRequestReason
    from .session_failed_sampling_session_reason import SessionFailedSamplingSessionReason
    from .session_failed_training_run_reason import SessionFailedTrainingRunReason
    from .session_heartbeat_request import SessionHeartbeatRequest
    from .session_heartbeat_response import SessionHeartbeatResponse
    from .session_search_cursor import SessionSearchCursor
    from .session_search_request import SessionSearchRequest
    from .session_search_response import SessionSearchResponse
    from .session_start_event import SessionStartEvent
    from .session_summary import SessionSummary
    from .session_trace_export_response import SessionTraceExportResponse
    from .session_trace_export_response_status import SessionTraceExportResponseStatus
    from .set_checkpoint_ttl_request import SetCheckpointTtlRequest
    from .severity import Severity
    from .stop_reason import StopReason
    from .storage_billing_event import StorageBillingEvent
    from .stream_sample_event import StreamSampleEvent
    from .supported_model import SupportedModel
    from .telemetry_response import TelemetryResponse
    from .telemetry_send_request import TelemetrySendRequest
    from .tensor_data import TensorData
    from .tensor_dtype import TensorDtype
    from .text_block import TextBlock
    from .thinking_block import ThinkingBlock
    from .token_logprob import TokenLogprob
    from .token_usage_of_completion import TokenUsageOfCompletion
    from .token_usage_of_prompt import TokenUsageOfPrompt
    from .tool_use_block import ToolUseBlock
    from .tool_use_input import ToolUseInput
    from .training_billing_event import TrainingBillingEvent
    from .training_run import TrainingRun
    from .training_runs_response import TrainingRunsResponse
    from .try_again_response import TryAgainResponse
    from .unhandled_exception_event import UnhandledExceptionEvent
    from .unload_model_request import UnloadModelRequest
    from .unload_model_response import UnloadModelResponse
    from .untyped_api_future import UntypedAPIFuture
    from .user_metadata import UserMetadata
    from .user_search_owner import UserSearchOwner
    from .validation_error_response import ValidationErrorResponse
    from .validation_issue import ValidationIssue
    from .weights_info_request import WeightsInfoRequest
    from .weights_info_response import WeightsInfoResponse

_MODULE_OF = {
    "AccessibleSearchOwner": ".accessible_search_owner",
    "ActiveSessionStatusQuery": ".active_session_status_query",
    "AdamOptimizerConfig": ".adam_optimizer_config",
    "AdamParams": ".adam_params",
    "AnthropicErrorDetail": ".anthropic_error_detail",
    "AnthropicErrorDetailDetailsType0": ".anthropic_error_detail_details_type_0",
    "AnthropicErrorResponse": ".anthropic_error_response",
    "ApiKeyDetails": ".api_key_details",
    "ApiKeyInfo": ".api_key_info",
    "ApiKeyOrganization": ".api_key_organization",
    "ApiKeyUser": ".api_key_user",
    "AssignSessionProjectRequest": ".assign_session_project_request",
    "AuditEventDetails": ".audit_event_details",
    "AuditLogEntry": ".audit_log_entry",
    "AuditLogResponse": ".audit_log_response",
    "AuthTokenRequest": ".auth_token_request",
    "AuthTokenResponse": ".auth_token_response",
    "BillingUsageEvent": ".billing_usage_event",
    "BillingUsageResponse": ".billing_usage_response",
    "BillingUsageSession": ".billing_usage_session",
    "BillingUsageSessions": ".billing_usage_sessions",
    "CancelFutureRequest": ".cancel_future_request",
    "CancelFutureResponse": ".cancel_future_response",
    "CancelledSessionStatusQuery": ".cancelled_session_status_query",
    "ChatChoice": ".chat_choice",
    "ChatChoiceFinishReason": ".chat_choice_finish_reason",
    "ChatCompletion": ".chat_completion",
    "ChatCompletionChunk": ".chat_completion_chunk",
    "ChatCompletionMessage": ".chat_completion_message",
    "ChatCompletionRequest": ".chat_completion_request",
    "ChatFunctionCall": ".chat_function_call",
    "ChatLogprobs": ".chat_logprobs",
    "ChatMessage": ".chat_message",
    "ChatMessageRole": ".chat_message_role",
    "ChatToolCall": ".chat_tool_call",
    "Checkpoint": ".checkpoint",
    "CheckpointArchiveUrlResponse": ".checkpoint_archive_url_response",
    "CheckpointBillingEvent": ".checkpoint_billing_event",
    "CheckpointKind": ".checkpoint_kind",
    "CheckpointSearchCursor": ".checkpoint_search_cursor",
    "CheckpointSearchRequest": ".checkpoint_search_request",
    "CheckpointSearchResponse": ".checkpoint_search_response",
    "CheckpointType": ".checkpoint_type",
    "CheckpointsListResponse": ".checkpoints_list_response",
    "ClientConfigRequest": ".client_config_request",
    "ClientConfigResponse": ".client_config_response",
    "ClientDynamicConfigResponse": ".client_dynamic_config_response",
    "ClientFinishedSessionStatusQuery": ".client_finished_session_status_query",
    "ClientSessionFinishErrored": ".client_session_finish_errored",
    "ClientSessionFinishInterrupted": ".client_session_finish_interrupted",
    "ClientSessionFinishReasonType": ".client_session_finish_reason_type",
    "ClientSessionFinishSuccess": ".client_session_finish_success",
    "ClientSessionFinished": ".client_session_finished",
    "CompleteMetadataResponse": ".complete_metadata_response",
    "Completion": ".completion",
    "CompletionChoice": ".completion_choice",
    "CompletionEvent": ".completion_event",
    "CompletionLogprobs": ".completion_logprobs",
    "CompletionRequest": ".completion_request",
    "CompletionUsage": ".completion_usage",
    "CopyWeightsRequest": ".copy_weights_request",
    "CopyWeightsResponse": ".copy_weights_response",
    "CountTokensRequest": ".count_tokens_request",
    "CreateCustomLossRequest": ".create_custom_loss_request",
    "CreateCustomLossResponse": ".create_custom_loss_response",
    "CreateModelRequest": ".create_model_request",
    "CreateModelResponse": ".create_model_response",
    "CreateSamplingSessionRequest": ".create_sampling_session_request",
    "CreateSamplingSessionResponse": ".create_sampling_session_response",
    "CreateSessionRequest": ".create_session_request",
    "CreateSessionResponse": ".create_session_response",
    "CurrentCheckpointStorageUsageItem": ".current_checkpoint_storage_usage_item",
    "CurrentCheckpointStorageUsageResponse": ".current_checkpoint_storage_usage_response",
    "Cursor": ".cursor",
    "CustomLossGraph": ".custom_loss_graph",
    "CustomLossInput": ".custom_loss_input",
    "CustomLossInputRank": ".custom_loss_input_rank",
    "CustomLossKwargs": ".custom_loss_kwargs",
    "CustomLossNode": ".custom_loss_node",
    "CustomLossNodeOp": ".custom_loss_node_op",
    "Datum": ".datum",
    "DimuonOptimizerConfig": ".dimuon_optimizer_config",
    "DimuonParams": ".dimuon_params",
    "DmelChunk": ".dmel_chunk",
    "EncodedTextChunk": ".encoded_text_chunk",
    "ErrorResponse": ".error_response",
    "EventData": ".event_data",
    "ExternalWeightsUploadFinishRequest": ".external_weights_upload_finish_request",
    "ExternalWeightsUploadFinishResponse": ".external_weights_upload_finish_response",
    "ExternalWeightsUploadStartRequest": ".external_weights_upload_start_request",
    "ExternalWeightsUploadStartResponse": ".external_weights_upload_start_response",
    "ExternalWeightsUploadURLs": ".external_weights_upload_ur_ls",
    "ExternalWeightsUploadURL": ".external_weights_upload_url",
    "ExternalWeightsUploadURLHeaders": ".external_weights_upload_url_headers",
    "ExternalWeightsUrlsResponse": ".external_weights_urls_response",
    "FailedSessionStatusQuery": ".failed_session_status_query",
    "FileUrls": ".file_urls",
    "FinishSessionRequest": ".finish_session_request",
    "FinishSessionResponse": ".finish_session_response",
    "ForwardBackwardContentEncoding": ".forward_backward_content_encoding",
    "ForwardBackwardInput": ".forward_backward_input",
    "ForwardBackwardOutput": ".forward_backward_output",
    "ForwardBackwardRequest": ".forward_backward_request",
    "ForwardRequest": ".forward_request",
    "FutureFailed": ".future_failed",
    "FutureFinished": ".future_finished",
    "FutureRetrieveRequest": ".future_retrieve_request",
    "FuturesRetrieveRequest": ".futures_retrieve_request",
    "FuturesRetrieveResponse": ".futures_retrieve_response",
    "GenericEvent": ".generic_event",
    "GetAuditLogEventType": ".get_audit_log_event_type",
    "GetInfoRequest": ".get_info_request",
    "GetInfoResponse": ".get_info_response",
    "GetSamplerResponse": ".get_sampler_response",
    "GetServerCapabilitiesResponse": ".get_server_capabilities_response",
    "GetSessionAccessScope": ".get_session_access_scope",
    "GetSessionResponse": ".get_session_response",
    "GetTrainingRunAccessScope": ".get_training_run_access_scope",
    "HealthResponse": ".health_response",
    "ImageAssetPointerChunk": ".image_asset_pointer_chunk",
    "ImageChunk": ".image_chunk",
    "ImageFormat": ".image_format",
    "JoinSamplingSessionRequest": ".join_sampling_session_request",
    "JoinSamplingSessionResponse": ".join_sampling_session_response",
    "ListSessionsAccessScope": ".list_sessions_access_scope",
    "ListSessionsResponse": ".list_sessions_response",
    "ListTrainingRunsAccessScope": ".list_training_runs_access_scope",
    "LoadWeightsRequest": ".load_weights_request",
    "LoadWeightsResponse": ".load_weights_response",
    "LoraConfig": ".lora_config",
    "LossFnConfig": ".loss_fn_config",
    "LossFnInputs": ".loss_fn_inputs",
    "LossFnOutput": ".loss_fn_output",
    "LossFnType": ".loss_fn_type",
    "LossMetrics": ".loss_metrics",
    "Message": ".message",
    "MessageEvent": ".message_event",
    "MessageParam": ".message_param",
    "MessageParamRole": ".message_param_role",
    "MessageRequest": ".message_request",
    "MessageTokenCount": ".message_token_count",
    "MessageUsage": ".message_usage",
    "MetricReduction": ".metric_reduction",
    "Metrics": ".metrics",
    "ModelData": ".model_data",
    "ModelInput": ".model_input",
    "OpenAIErrorDetail": ".open_ai_error_detail",
    "OpenAIErrorResponse": ".open_ai_error_response",
    "OpenAIModel": ".open_ai_model",
    "OpenAIModelList": ".open_ai_model_list",
    "OptimParamsBase": ".optim_params_base",
    "OptimStepRequest": ".optim_step_request",
    "OptimStepResponse": ".optim_step_response",
    "OptimizerConfigBase": ".optimizer_config_base",
    "OwnSearchOwner": ".own_search_owner",
    "PromptAltTokens": ".prompt_alt_tokens",
    "QueueState": ".queue_state",
    "QueueStateDetail": ".queue_state_detail",
    "RequestErrorCategory": ".request_error_category",
    "RequestFailedResponse": ".request_failed_response",
    "SampleRequest": ".sample_request",
    "SampleResponse": ".sample_response",
    "SampledSequence": ".sampled_sequence",
    "SamplingParams": ".sampling_params",
    "SamplingPrefillBillingEvent": ".sampling_prefill_billing_event",
    "SamplingSampleBillingEvent": ".sampling_sample_billing_event",
    "SamplingSessionFuturesTarget": ".sampling_session_futures_target",
    "SaveWeightsExternalRequest": ".save_weights_external_request",
    "SaveWeightsExternalResponse": ".save_weights_external_response",
    "SaveWeightsForSamplerRequest": ".save_weights_for_sampler_request",
    "SaveWeightsForSamplerResponse": ".save_weights_for_sampler_response",
    "SaveWeightsRequest": ".save_weights_request",
    "SaveWeightsResponse": ".save_weights_response",
    "ServerSentEvent": ".server_sent_event",
    "SessionActive": ".session_active",
    "SessionCancelled": ".session_cancelled",
    "SessionEndEvent": ".session_end_event",
    "SessionFailed": ".session_failed",
    "SessionFailedCategory": ".session_failed_category",
    "SessionFailedRequestReason": ".session_failed_request_reason",
    "SessionFailedSamplingSessionReason": ".session_failed_sampling_session_reason",
    "SessionFailedTrainingRunReason": ".session_failed_training_run_reason",
    "SessionHeartbeatRequest": ".session_heartbeat_request",
    "SessionHeartbeatResponse": ".session_heartbeat_response",
    "SessionSearchCursor": ".session_search_cursor",
    "SessionSearchRequest": ".session_search_request",
    "SessionSearchResponse": ".session_search_response",
    "SessionStartEvent": ".session_start_event",
    "SessionSummary": ".session_summary",
    "SessionTraceExportResponse": ".session_trace_export_response",
    "SessionTraceExportResponseStatus": ".session_trace_export_response_status",
    "SetCheckpointTtlRequest": ".set_checkpoint_ttl_request",
    "Severity": ".severity",
    "StopReason": ".stop_reason",
    "StorageBillingEvent": ".storage_billing_event",
    "StreamSampleEvent": ".stream_sample_event",
    "SupportedModel": ".supported_model",
    "TelemetryResponse": ".telemetry_response",
    "TelemetrySendRequest": ".telemetry_send_request",
    "TensorData": ".tensor_data",
    "TensorDtype": ".tensor_dtype",
    "TextBlock": ".text_block",
    "ThinkingBlock": ".thinking_block",
    "TokenLogprob": ".token_logprob",
    "TokenUsageOfCompletion": ".token_usage_of_completion",
    "TokenUsageOfPrompt": ".token_usage_of_prompt",
    "ToolUseBlock": ".tool_use_block",
    "ToolUseInput": ".tool_use_input",
    "TrainingBillingEvent": ".training_billing_event",
    "TrainingRun": ".training_run",
    "TrainingRunsResponse": ".training_runs_response",
    "TryAgainResponse": ".try_again_response",
    "UnhandledExceptionEvent": ".unhandled_exception_event",
    "UnloadModelRequest": ".unload_model_request",
    "UnloadModelResponse": ".unload_model_response",
    "UntypedAPIFuture": ".untyped_api_future",
    "UserMetadata": ".user_metadata",
    "UserSearchOwner": ".user_search_owner",
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
    "AccessibleSearchOwner",
    "ActiveSessionStatusQuery",
    "AdamOptimizerConfig",
    "AdamParams",
    "AnthropicErrorDetail",
    "AnthropicErrorDetailDetailsType0",
    "AnthropicErrorResponse",
    "ApiKeyDetails",
    "ApiKeyInfo",
    "ApiKeyOrganization",
    "ApiKeyUser",
    "AssignSessionProjectRequest",
    "AuditEventDetails",
    "AuditLogEntry",
    "AuditLogResponse",
    "AuthTokenRequest",
    "AuthTokenResponse",
    "BillingUsageEvent",
    "BillingUsageResponse",
    "BillingUsageSession",
    "BillingUsageSessions",
    "CancelFutureRequest",
    "CancelFutureResponse",
    "CancelledSessionStatusQuery",
    "ChatChoice",
    "ChatChoiceFinishReason",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatCompletionMessage",
    "ChatCompletionRequest",
    "ChatFunctionCall",
    "ChatLogprobs",
    "ChatMessage",
    "ChatMessageRole",
    "ChatToolCall",
    "Checkpoint",
    "CheckpointArchiveUrlResponse",
    "CheckpointBillingEvent",
    "CheckpointKind",
    "CheckpointSearchCursor",
    "CheckpointSearchRequest",
    "CheckpointSearchResponse",
    "CheckpointsListResponse",
    "CheckpointType",
    "ClientConfigRequest",
    "ClientConfigResponse",
    "ClientDynamicConfigResponse",
    "ClientFinishedSessionStatusQuery",
    "ClientSessionFinished",
    "ClientSessionFinishErrored",
    "ClientSessionFinishInterrupted",
    "ClientSessionFinishReasonType",
    "ClientSessionFinishSuccess",
    "CompleteMetadataResponse",
    "Completion",
    "CompletionChoice",
    "CompletionEvent",
    "CompletionLogprobs",
    "CompletionRequest",
    "CompletionUsage",
    "CopyWeightsRequest",
    "CopyWeightsResponse",
    "CountTokensRequest",
    "CreateCustomLossRequest",
    "CreateCustomLossResponse",
    "CreateModelRequest",
    "CreateModelResponse",
    "CreateSamplingSessionRequest",
    "CreateSamplingSessionResponse",
    "CreateSessionRequest",
    "CreateSessionResponse",
    "CurrentCheckpointStorageUsageItem",
    "CurrentCheckpointStorageUsageResponse",
    "Cursor",
    "CustomLossGraph",
    "CustomLossInput",
    "CustomLossInputRank",
    "CustomLossKwargs",
    "CustomLossNode",
    "CustomLossNodeOp",
    "Datum",
    "DimuonOptimizerConfig",
    "DimuonParams",
    "DmelChunk",
    "EncodedTextChunk",
    "ErrorResponse",
    "EventData",
    "ExternalWeightsUploadFinishRequest",
    "ExternalWeightsUploadFinishResponse",
    "ExternalWeightsUploadStartRequest",
    "ExternalWeightsUploadStartResponse",
    "ExternalWeightsUploadURL",
    "ExternalWeightsUploadURLHeaders",
    "ExternalWeightsUploadURLs",
    "ExternalWeightsUrlsResponse",
    "FailedSessionStatusQuery",
    "FileUrls",
    "FinishSessionRequest",
    "FinishSessionResponse",
    "ForwardBackwardContentEncoding",
    "ForwardBackwardInput",
    "ForwardBackwardOutput",
    "ForwardBackwardRequest",
    "ForwardRequest",
    "FutureFailed",
    "FutureFinished",
    "FutureRetrieveRequest",
    "FuturesRetrieveRequest",
    "FuturesRetrieveResponse",
    "GenericEvent",
    "GetAuditLogEventType",
    "GetInfoRequest",
    "GetInfoResponse",
    "GetSamplerResponse",
    "GetServerCapabilitiesResponse",
    "GetSessionAccessScope",
    "GetSessionResponse",
    "GetTrainingRunAccessScope",
    "HealthResponse",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "ImageFormat",
    "JoinSamplingSessionRequest",
    "JoinSamplingSessionResponse",
    "ListSessionsAccessScope",
    "ListSessionsResponse",
    "ListTrainingRunsAccessScope",
    "LoadWeightsRequest",
    "LoadWeightsResponse",
    "LoraConfig",
    "LossFnConfig",
    "LossFnInputs",
    "LossFnOutput",
    "LossFnType",
    "LossMetrics",
    "Message",
    "MessageEvent",
    "MessageParam",
    "MessageParamRole",
    "MessageRequest",
    "MessageTokenCount",
    "MessageUsage",
    "MetricReduction",
    "Metrics",
    "ModelData",
    "ModelInput",
    "OpenAIErrorDetail",
    "OpenAIErrorResponse",
    "OpenAIModel",
    "OpenAIModelList",
    "OptimizerConfigBase",
    "OptimParamsBase",
    "OptimStepRequest",
    "OptimStepResponse",
    "OwnSearchOwner",
    "PromptAltTokens",
    "QueueState",
    "QueueStateDetail",
    "RequestErrorCategory",
    "RequestFailedResponse",
    "SampledSequence",
    "SampleRequest",
    "SampleResponse",
    "SamplingParams",
    "SamplingPrefillBillingEvent",
    "SamplingSampleBillingEvent",
    "SamplingSessionFuturesTarget",
    "SaveWeightsExternalRequest",
    "SaveWeightsExternalResponse",
    "SaveWeightsForSamplerRequest",
    "SaveWeightsForSamplerResponse",
    "SaveWeightsRequest",
    "SaveWeightsResponse",
    "ServerSentEvent",
    "SessionActive",
    "SessionCancelled",
    "SessionEndEvent",
    "SessionFailed",
    "SessionFailedCategory",
    "SessionFailedRequestReason",
    "SessionFailedSamplingSessionReason",
    "SessionFailedTrainingRunReason",
    "SessionHeartbeatRequest",
    "SessionHeartbeatResponse",
    "SessionSearchCursor",
    "SessionSearchRequest",
    "SessionSearchResponse",
    "SessionStartEvent",
    "SessionSummary",
    "SessionTraceExportResponse",
    "SessionTraceExportResponseStatus",
    "SetCheckpointTtlRequest",
    "Severity",
    "StopReason",
    "StorageBillingEvent",
    "StreamSampleEvent",
    "SupportedModel",
    "TelemetryResponse",
    "TelemetrySendRequest",
    "TensorData",
    "TensorDtype",
    "TextBlock",
    "ThinkingBlock",
    "TokenLogprob",
    "TokenUsageOfCompletion",
    "TokenUsageOfPrompt",
    "ToolUseBlock",
    "ToolUseInput",
    "TrainingBillingEvent",
    "TrainingRun",
    "TrainingRunsResponse",
    "TryAgainResponse",
    "UnhandledExceptionEvent",
    "UnloadModelRequest",
    "UnloadModelResponse",
    "UntypedAPIFuture",
    "UserMetadata",
    "UserSearchOwner",
    "ValidationErrorResponse",
    "ValidationIssue",
    "WeightsInfoRequest",
    "WeightsInfoResponse",
)
