"""The values that requests and results are made of.

Those of the hot path (model inputs, tensors, datums, results of training and sampling) are written by
hand over numpy arrays, one module each. The others are the generated models themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker._lazy import lazy

if TYPE_CHECKING:
    from tinker.types._unions import (
        BillingEventInfo as BillingEventInfo,
    )
    from tinker.types._unions import (
        ClientSessionFinishReason as ClientSessionFinishReason,
    )
    from tinker.types._unions import (
        EventType as EventType,
    )
    from tinker.types._unions import (
        FutureCompletion as FutureCompletion,
    )
    from tinker.types._unions import (
        FutureRetrieveResponse as FutureRetrieveResponse,
    )
    from tinker.types._unions import (
        ModelID as ModelID,
    )
    from tinker.types._unions import (
        OptimizerConfig as OptimizerConfig,
    )
    from tinker.types._unions import (
        OptimParams as OptimParams,
    )
    from tinker.types._unions import (
        RequestID as RequestID,
    )
    from tinker.types._unions import (
        SamplingClientKind as SamplingClientKind,
    )
    from tinker.types._unions import (
        SearchOwner as SearchOwner,
    )
    from tinker.types._unions import (
        SessionFailedReason as SessionFailedReason,
    )
    from tinker.types._unions import (
        SessionStatus as SessionStatus,
    )
    from tinker.types._unions import (
        SessionStatusQuery as SessionStatusQuery,
    )
    from tinker.types._unions import (
        TelemetryEvent as TelemetryEvent,
    )
    from tinker.types.datum import (
        Datum as Datum,
    )
    from tinker.types.datum import (
        UntypedInputError as UntypedInputError,
    )
    from tinker.types.dmel_chunk import (
        DmelChunk as DmelChunk,
    )
    from tinker.types.encoded_text_chunk import (
        EncodedTextChunk as EncodedTextChunk,
    )
    from tinker.types.forward_backward_output import (
        ForwardBackwardOutput as ForwardBackwardOutput,
    )
    from tinker.types.image_asset_pointer_chunk import (
        ImageAssetPointerChunk as ImageAssetPointerChunk,
    )
    from tinker.types.image_chunk import (
        ImageChunk as ImageChunk,
    )
    from tinker.types.loss_fn_inputs import (
        LossFnInputs as LossFnInputs,
    )
    from tinker.types.loss_fn_output import (
        LossFnOutput as LossFnOutput,
    )
    from tinker.types.loss_fn_type import (
        LossFnType as LossFnType,
    )
    from tinker.types.model_input import (
        ModelInput as ModelInput,
    )
    from tinker.types.model_input_chunk import (
        ModelInputChunk as ModelInputChunk,
    )
    from tinker.types.prompt_alt_tokens import (
        PromptAltTokens as PromptAltTokens,
    )
    from tinker.types.provenance_spans import (
        PromptProvenanceSpan as PromptProvenanceSpan,
    )
    from tinker.types.provenance_spans import (
        ProvenanceSpans as ProvenanceSpans,
    )
    from tinker.types.provenance_spans import (
        SampledProvenanceSpan as SampledProvenanceSpan,
    )
    from tinker.types.request_error_category import (
        RequestErrorCategory as RequestErrorCategory,
    )
    from tinker.types.sample_response import (
        SampleResponse as SampleResponse,
    )
    from tinker.types.sampled_sequence import (
        SampledSequence as SampledSequence,
    )
    from tinker.types.stop_reason import (
        StopReason as StopReason,
    )
    from tinker.types.tensor_data import (
        TensorData as TensorData,
    )
    from tinker.types.tensor_dtype import (
        TensorDtype as TensorDtype,
    )
    from tinker.types.tinker_path import (
        CheckpointType as CheckpointType,
    )
    from tinker.types.tinker_path import (
        ParsedCheckpointTinkerPath as ParsedCheckpointTinkerPath,
    )
    from tinker.types.topk_logprobs import (
        TopkLogprobs as TopkLogprobs,
    )
    from tinker_api.models import (
        AccessibleSearchOwner as AccessibleSearchOwner,
    )
    from tinker_api.models import (
        ActiveSessionStatusQuery as ActiveSessionStatusQuery,
    )
    from tinker_api.models import (
        AdamOptimizerConfig as AdamOptimizerConfig,
    )
    from tinker_api.models import (
        AdamParams as AdamParams,
    )
    from tinker_api.models import (
        AuditLogEntry as AuditLogEntry,
    )
    from tinker_api.models import (
        AuditLogResponse as AuditLogResponse,
    )
    from tinker_api.models import (
        AuthTokenResponse as AuthTokenResponse,
    )
    from tinker_api.models import (
        BillingUsageEvent as BillingUsageEvent,
    )
    from tinker_api.models import (
        BillingUsageResponse as BillingUsageResponse,
    )
    from tinker_api.models import (
        BillingUsageSession as BillingUsageSession,
    )
    from tinker_api.models import (
        CancelledSessionStatusQuery as CancelledSessionStatusQuery,
    )
    from tinker_api.models import (
        Checkpoint as Checkpoint,
    )
    from tinker_api.models import (
        CheckpointBillingEvent as CheckpointBillingEvent,
    )
    from tinker_api.models import (
        CheckpointsListResponse as CheckpointsListResponse,
    )
    from tinker_api.models import (
        ClientConfigRequest as ClientConfigRequest,
    )
    from tinker_api.models import (
        ClientConfigResponse as ClientConfigResponse,
    )
    from tinker_api.models import (
        ClientDynamicConfigResponse as ClientDynamicConfigResponse,
    )
    from tinker_api.models import (
        ClientFinishedSessionStatusQuery as ClientFinishedSessionStatusQuery,
    )
    from tinker_api.models import (
        ClientSessionFinished as ClientSessionFinished,
    )
    from tinker_api.models import (
        ClientSessionFinishErrored as ClientSessionFinishErrored,
    )
    from tinker_api.models import (
        ClientSessionFinishInterrupted as ClientSessionFinishInterrupted,
    )
    from tinker_api.models import (
        ClientSessionFinishReasonType as ClientSessionFinishReasonType,
    )
    from tinker_api.models import (
        ClientSessionFinishSuccess as ClientSessionFinishSuccess,
    )
    from tinker_api.models import (
        CopyWeightsRequest as CopyWeightsRequest,
    )
    from tinker_api.models import (
        CopyWeightsResponse as CopyWeightsResponse,
    )
    from tinker_api.models import (
        CreateCustomLossRequest as CreateCustomLossRequest,
    )
    from tinker_api.models import (
        CreateCustomLossResponse as CreateCustomLossResponse,
    )
    from tinker_api.models import (
        CreateModelRequest as CreateModelRequest,
    )
    from tinker_api.models import (
        CreateModelResponse as CreateModelResponse,
    )
    from tinker_api.models import (
        CreateSamplingSessionRequest as CreateSamplingSessionRequest,
    )
    from tinker_api.models import (
        CreateSamplingSessionResponse as CreateSamplingSessionResponse,
    )
    from tinker_api.models import (
        CreateSessionRequest as CreateSessionRequest,
    )
    from tinker_api.models import (
        CreateSessionResponse as CreateSessionResponse,
    )
    from tinker_api.models import (
        CurrentCheckpointStorageUsageItem as CurrentCheckpointStorageUsageItem,
    )
    from tinker_api.models import (
        CurrentCheckpointStorageUsageResponse as CurrentCheckpointStorageUsageResponse,
    )
    from tinker_api.models import (
        Cursor as Cursor,
    )
    from tinker_api.models import (
        CustomLossGraph as CustomLossGraph,
    )
    from tinker_api.models import (
        CustomLossInput as CustomLossInput,
    )
    from tinker_api.models import (
        CustomLossInputRank as CustomLossInputRank,
    )
    from tinker_api.models import (
        CustomLossNode as CustomLossNode,
    )
    from tinker_api.models import (
        DimuonOptimizerConfig as DimuonOptimizerConfig,
    )
    from tinker_api.models import (
        DimuonParams as DimuonParams,
    )
    from tinker_api.models import (
        ExternalWeightsUrlsResponse as ExternalWeightsUrlsResponse,
    )
    from tinker_api.models import (
        FailedSessionStatusQuery as FailedSessionStatusQuery,
    )
    from tinker_api.models import (
        ForwardBackwardInput as ForwardBackwardInput,
    )
    from tinker_api.models import (
        ForwardBackwardRequest as ForwardBackwardRequest,
    )
    from tinker_api.models import (
        ForwardRequest as ForwardRequest,
    )
    from tinker_api.models import (
        FutureFailed as FutureFailed,
    )
    from tinker_api.models import (
        FutureFinished as FutureFinished,
    )
    from tinker_api.models import (
        FutureRetrieveRequest as FutureRetrieveRequest,
    )
    from tinker_api.models import (
        FuturesRetrieveRequest as FuturesRetrieveRequest,
    )
    from tinker_api.models import (
        FuturesRetrieveResponse as FuturesRetrieveResponse,
    )
    from tinker_api.models import (
        GenericEvent as GenericEvent,
    )
    from tinker_api.models import (
        GetInfoRequest as GetInfoRequest,
    )
    from tinker_api.models import (
        GetInfoResponse as GetInfoResponse,
    )
    from tinker_api.models import (
        GetSamplerResponse as GetSamplerResponse,
    )
    from tinker_api.models import (
        GetServerCapabilitiesResponse as GetServerCapabilitiesResponse,
    )
    from tinker_api.models import (
        GetSessionResponse as GetSessionResponse,
    )
    from tinker_api.models import (
        HealthResponse as HealthResponse,
    )
    from tinker_api.models import (
        JoinSamplingSessionRequest as JoinSamplingSessionRequest,
    )
    from tinker_api.models import (
        JoinSamplingSessionResponse as JoinSamplingSessionResponse,
    )
    from tinker_api.models import (
        ListSessionsResponse as ListSessionsResponse,
    )
    from tinker_api.models import (
        LoadWeightsRequest as LoadWeightsRequest,
    )
    from tinker_api.models import (
        LoadWeightsResponse as LoadWeightsResponse,
    )
    from tinker_api.models import (
        LoraConfig as LoraConfig,
    )
    from tinker_api.models import (
        ModelData as ModelData,
    )
    from tinker_api.models import (
        OptimizerConfigBase as OptimizerConfigBase,
    )
    from tinker_api.models import (
        OptimParamsBase as OptimParamsBase,
    )
    from tinker_api.models import (
        OptimStepRequest as OptimStepRequest,
    )
    from tinker_api.models import (
        OptimStepResponse as OptimStepResponse,
    )
    from tinker_api.models import (
        OwnSearchOwner as OwnSearchOwner,
    )
    from tinker_api.models import (
        QueueState as QueueState,
    )
    from tinker_api.models import (
        RequestFailedResponse as RequestFailedResponse,
    )
    from tinker_api.models import (
        SampleRequest as SampleRequest,
    )
    from tinker_api.models import (
        SamplingParams as SamplingParams,
    )
    from tinker_api.models import (
        SamplingPrefillBillingEvent as SamplingPrefillBillingEvent,
    )
    from tinker_api.models import (
        SamplingSampleBillingEvent as SamplingSampleBillingEvent,
    )
    from tinker_api.models import (
        SamplingSessionFuturesTarget as SamplingSessionFuturesTarget,
    )
    from tinker_api.models import (
        SaveWeightsExternalRequest as SaveWeightsExternalRequest,
    )
    from tinker_api.models import (
        SaveWeightsExternalResponse as SaveWeightsExternalResponse,
    )
    from tinker_api.models import (
        SaveWeightsForSamplerRequest as SaveWeightsForSamplerRequest,
    )
    from tinker_api.models import (
        SaveWeightsForSamplerResponse as SaveWeightsForSamplerResponse,
    )
    from tinker_api.models import (
        SaveWeightsRequest as SaveWeightsRequest,
    )
    from tinker_api.models import (
        SaveWeightsResponse as SaveWeightsResponse,
    )
    from tinker_api.models import (
        SessionActive as SessionActive,
    )
    from tinker_api.models import (
        SessionCancelled as SessionCancelled,
    )
    from tinker_api.models import (
        SessionEndEvent as SessionEndEvent,
    )
    from tinker_api.models import (
        SessionFailed as SessionFailed,
    )
    from tinker_api.models import (
        SessionFailedRequestReason as SessionFailedRequestReason,
    )
    from tinker_api.models import (
        SessionFailedSamplingSessionReason as SessionFailedSamplingSessionReason,
    )
    from tinker_api.models import (
        SessionFailedTrainingRunReason as SessionFailedTrainingRunReason,
    )
    from tinker_api.models import (
        SessionHeartbeatRequest as SessionHeartbeatRequest,
    )
    from tinker_api.models import (
        SessionHeartbeatResponse as SessionHeartbeatResponse,
    )
    from tinker_api.models import (
        SessionSearchCursor as SessionSearchCursor,
    )
    from tinker_api.models import (
        SessionSearchRequest as SessionSearchRequest,
    )
    from tinker_api.models import (
        SessionSearchResponse as SessionSearchResponse,
    )
    from tinker_api.models import (
        SessionStartEvent as SessionStartEvent,
    )
    from tinker_api.models import (
        SessionSummary as SessionSummary,
    )
    from tinker_api.models import (
        Severity as Severity,
    )
    from tinker_api.models import (
        StorageBillingEvent as StorageBillingEvent,
    )
    from tinker_api.models import (
        SupportedModel as SupportedModel,
    )
    from tinker_api.models import (
        TelemetryResponse as TelemetryResponse,
    )
    from tinker_api.models import (
        TelemetrySendRequest as TelemetrySendRequest,
    )
    from tinker_api.models import (
        TrainingBillingEvent as TrainingBillingEvent,
    )
    from tinker_api.models import (
        TrainingRun as TrainingRun,
    )
    from tinker_api.models import (
        TrainingRunsResponse as TrainingRunsResponse,
    )
    from tinker_api.models import (
        TryAgainResponse as TryAgainResponse,
    )
    from tinker_api.models import (
        UnhandledExceptionEvent as UnhandledExceptionEvent,
    )
    from tinker_api.models import (
        UnloadModelRequest as UnloadModelRequest,
    )
    from tinker_api.models import (
        UnloadModelResponse as UnloadModelResponse,
    )
    from tinker_api.models import (
        UntypedAPIFuture as UntypedAPIFuture,
    )
    from tinker_api.models import (
        UserSearchOwner as UserSearchOwner,
    )
    from tinker_api.models import (
        WeightsInfoResponse as WeightsInfoResponse,
    )

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "tinker.types._unions": (
            "BillingEventInfo",
            "ClientSessionFinishReason",
            "EventType",
            "FutureCompletion",
            "FutureRetrieveResponse",
            "ModelID",
            "OptimParams",
            "OptimizerConfig",
            "RequestID",
            "SamplingClientKind",
            "SearchOwner",
            "SessionFailedReason",
            "SessionStatus",
            "SessionStatusQuery",
            "TelemetryEvent",
        ),
        "tinker.types.datum": (
            "Datum",
            "UntypedInputError",
        ),
        "tinker.types.dmel_chunk": ("DmelChunk",),
        "tinker.types.encoded_text_chunk": ("EncodedTextChunk",),
        "tinker.types.forward_backward_output": ("ForwardBackwardOutput",),
        "tinker.types.image_asset_pointer_chunk": ("ImageAssetPointerChunk",),
        "tinker.types.image_chunk": ("ImageChunk",),
        "tinker.types.loss_fn_inputs": ("LossFnInputs",),
        "tinker.types.loss_fn_output": ("LossFnOutput",),
        "tinker.types.loss_fn_type": ("LossFnType",),
        "tinker.types.model_input": ("ModelInput",),
        "tinker.types.model_input_chunk": ("ModelInputChunk",),
        "tinker.types.prompt_alt_tokens": ("PromptAltTokens",),
        "tinker.types.provenance_spans": (
            "PromptProvenanceSpan",
            "ProvenanceSpans",
            "SampledProvenanceSpan",
        ),
        "tinker.types.request_error_category": ("RequestErrorCategory",),
        "tinker.types.sample_response": ("SampleResponse",),
        "tinker.types.sampled_sequence": ("SampledSequence",),
        "tinker.types.stop_reason": ("StopReason",),
        "tinker.types.tensor_data": ("TensorData",),
        "tinker.types.tensor_dtype": ("TensorDtype",),
        "tinker.types.tinker_path": (
            "CheckpointType",
            "ParsedCheckpointTinkerPath",
        ),
        "tinker.types.topk_logprobs": ("TopkLogprobs",),
        "tinker_api.models": (
            "AccessibleSearchOwner",
            "ActiveSessionStatusQuery",
            "AdamOptimizerConfig",
            "AdamParams",
            "AuditLogEntry",
            "AuditLogResponse",
            "AuthTokenResponse",
            "BillingUsageEvent",
            "BillingUsageResponse",
            "BillingUsageSession",
            "CancelledSessionStatusQuery",
            "Checkpoint",
            "CheckpointBillingEvent",
            "CheckpointsListResponse",
            "ClientConfigRequest",
            "ClientConfigResponse",
            "ClientDynamicConfigResponse",
            "ClientFinishedSessionStatusQuery",
            "ClientSessionFinishErrored",
            "ClientSessionFinishInterrupted",
            "ClientSessionFinishReasonType",
            "ClientSessionFinishSuccess",
            "ClientSessionFinished",
            "CopyWeightsRequest",
            "CopyWeightsResponse",
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
            "CustomLossNode",
            "DimuonOptimizerConfig",
            "DimuonParams",
            "ExternalWeightsUrlsResponse",
            "FailedSessionStatusQuery",
            "ForwardBackwardInput",
            "ForwardBackwardRequest",
            "ForwardRequest",
            "FutureFailed",
            "FutureFinished",
            "FutureRetrieveRequest",
            "FuturesRetrieveRequest",
            "FuturesRetrieveResponse",
            "GenericEvent",
            "GetInfoRequest",
            "GetInfoResponse",
            "GetSamplerResponse",
            "GetServerCapabilitiesResponse",
            "GetSessionResponse",
            "HealthResponse",
            "JoinSamplingSessionRequest",
            "JoinSamplingSessionResponse",
            "ListSessionsResponse",
            "LoadWeightsRequest",
            "LoadWeightsResponse",
            "LoraConfig",
            "ModelData",
            "OptimParamsBase",
            "OptimStepRequest",
            "OptimStepResponse",
            "OptimizerConfigBase",
            "OwnSearchOwner",
            "QueueState",
            "RequestFailedResponse",
            "SampleRequest",
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
            "SessionActive",
            "SessionCancelled",
            "SessionEndEvent",
            "SessionFailed",
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
            "Severity",
            "StorageBillingEvent",
            "SupportedModel",
            "TelemetryResponse",
            "TelemetrySendRequest",
            "TrainingBillingEvent",
            "TrainingRun",
            "TrainingRunsResponse",
            "TryAgainResponse",
            "UnhandledExceptionEvent",
            "UnloadModelRequest",
            "UnloadModelResponse",
            "UntypedAPIFuture",
            "UserSearchOwner",
            "WeightsInfoResponse",
        ),
    },
)
