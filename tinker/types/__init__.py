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
        ClientSessionFinishReason as ClientSessionFinishReason,
        EventType as EventType,
        FutureCompletion as FutureCompletion,
        FutureRetrieveResponse as FutureRetrieveResponse,
        ModelID as ModelID,
        OptimizerConfig as OptimizerConfig,
        OptimParams as OptimParams,
        RequestID as RequestID,
        SamplingClientKind as SamplingClientKind,
        SaveWeightsExternalResponseInternal as SaveWeightsExternalResponseInternal,
        SearchOwner as SearchOwner,
        SessionFailedReason as SessionFailedReason,
        SessionStatus as SessionStatus,
        SessionStatusQuery as SessionStatusQuery,
        TelemetryBatch as TelemetryBatch,
        TelemetryEvent as TelemetryEvent,
    )
    from tinker.types.billing_usage_request import GetBillingUsageRequest as GetBillingUsageRequest
    from tinker.types.current_checkpoint_storage_usage_request import (
        GetCurrentCheckpointStorageUsageRequest as GetCurrentCheckpointStorageUsageRequest,
    )
    from tinker.types.datum import (
        Datum as Datum,
        UntypedInputError as UntypedInputError,
    )
    from tinker.types.dmel_chunk import (
        DmelChunk as DmelChunk,
    )
    from tinker.types.encoded_text_chunk import (
        EncodedTextChunk as EncodedTextChunk,
    )
    from tinker.types.external_weights_upload import (
        ExternalWeightsUploadFinishResult as ExternalWeightsUploadFinishResult,
        ExternalWeightsUploadStartResult as ExternalWeightsUploadStartResult,
        UploadInterruptedError as UploadInterruptedError,
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
        ProvenanceSpans as ProvenanceSpans,
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
    from tinker.types.save_weights_for_sampler_response import (
        SaveWeightsForSamplerResponse as SaveWeightsForSamplerResponse,
        SaveWeightsForSamplerResponseInternal as SaveWeightsForSamplerResponseInternal,
    )
    from tinker.types.save_weights_response import SaveWeightsResponse as SaveWeightsResponse
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
        ParsedCheckpointTinkerPath as ParsedCheckpointTinkerPath,
    )
    from tinker.types.topk_logprobs import (
        TopkLogprobs as TopkLogprobs,
    )
    from tinker.types.upload_url import UploadURL as UploadURL
    from tinker.types.whoami_response import WhoamiResponse as WhoamiResponse
    from tinker_api.models import (
        AccessibleSearchOwner as AccessibleSearchOwner,
        ActiveSessionStatusQuery as ActiveSessionStatusQuery,
        AdamOptimizerConfig as AdamOptimizerConfig,
        AdamParams as AdamParams,
        AuditLogEntry as AuditLogEntry,
        AuditLogResponse as AuditLogResponse,
        AuthTokenResponse as AuthTokenResponse,
        BillingUsageEvent as BillingUsageEvent,
        BillingUsageResponse as BillingUsageResponse,
        BillingUsageSession as BillingUsageSession,
        CancelledSessionStatusQuery as CancelledSessionStatusQuery,
        Checkpoint as Checkpoint,
        CheckpointBillingEvent as CheckpointBillingEvent,
        CheckpointSearchCursor as CheckpointSearchCursor,
        CheckpointSearchRequest as CheckpointSearchRequest,
        CheckpointSearchResponse as CheckpointSearchResponse,
        CheckpointsListResponse as CheckpointsListResponse,
        ClientConfigRequest as ClientConfigRequest,
        ClientConfigResponse as ClientConfigResponse,
        ClientDynamicConfigResponse as ClientDynamicConfigResponse,
        ClientFinishedSessionStatusQuery as ClientFinishedSessionStatusQuery,
        ClientSessionFinished as ClientSessionFinished,
        ClientSessionFinishErrored as ClientSessionFinishErrored,
        ClientSessionFinishInterrupted as ClientSessionFinishInterrupted,
        ClientSessionFinishReasonType as ClientSessionFinishReasonType,
        ClientSessionFinishSuccess as ClientSessionFinishSuccess,
        CopyWeightsRequest as CopyWeightsRequest,
        CopyWeightsResponse as CopyWeightsResponse,
        CreateCustomLossRequest as CreateCustomLossRequest,
        CreateCustomLossResponse as CreateCustomLossResponse,
        CreateModelRequest as CreateModelRequest,
        CreateModelResponse as CreateModelResponse,
        CreateSamplingSessionRequest as CreateSamplingSessionRequest,
        CreateSamplingSessionResponse as CreateSamplingSessionResponse,
        CreateSessionRequest as CreateSessionRequest,
        CreateSessionResponse as CreateSessionResponse,
        CurrentCheckpointStorageUsageItem as CurrentCheckpointStorageUsageItem,
        CurrentCheckpointStorageUsageResponse as CurrentCheckpointStorageUsageResponse,
        Cursor as Cursor,
        CustomLossGraph as CustomLossGraph,
        CustomLossInput as CustomLossInput,
        CustomLossInputRank as CustomLossInputRank,
        CustomLossNode as CustomLossNode,
        CustomLossNodeOp as CustomLossNodeOp,
        DimuonOptimizerConfig as DimuonOptimizerConfig,
        DimuonParams as DimuonParams,
        ExternalWeightsUploadFinishRequest as ExternalWeightsUploadFinishRequest,
        ExternalWeightsUploadFinishResponse as ExternalWeightsUploadFinishResponse,
        ExternalWeightsUploadStartRequest as ExternalWeightsUploadStartRequest,
        ExternalWeightsUploadStartResponse as ExternalWeightsUploadStartResponse,
        ExternalWeightsUploadURL as ExternalWeightsUploadURL,
        ExternalWeightsUrlsResponse as ExternalWeightsUrlsResponse,
        FailedSessionStatusQuery as FailedSessionStatusQuery,
        ForwardBackwardInput as ForwardBackwardInput,
        ForwardBackwardRequest as ForwardBackwardRequest,
        ForwardRequest as ForwardRequest,
        FutureFailed as FutureFailed,
        FutureFinished as FutureFinished,
        FutureRetrieveRequest as FutureRetrieveRequest,
        FuturesRetrieveRequest as FuturesRetrieveRequest,
        FuturesRetrieveResponse as FuturesRetrieveResponse,
        GenericEvent as GenericEvent,
        GetInfoRequest as GetInfoRequest,
        GetInfoResponse as GetInfoResponse,
        GetSamplerResponse as GetSamplerResponse,
        GetServerCapabilitiesResponse as GetServerCapabilitiesResponse,
        GetSessionResponse as GetSessionResponse,
        HealthResponse as HealthResponse,
        JoinSamplingSessionRequest as JoinSamplingSessionRequest,
        JoinSamplingSessionResponse as JoinSamplingSessionResponse,
        ListSessionsResponse as ListSessionsResponse,
        LoadWeightsRequest as LoadWeightsRequest,
        LoadWeightsResponse as LoadWeightsResponse,
        LoraConfig as LoraConfig,
        ModelData as ModelData,
        OptimizerConfigBase as OptimizerConfigBase,
        OptimParamsBase as OptimParamsBase,
        OptimStepRequest as OptimStepRequest,
        OptimStepResponse as OptimStepResponse,
        OwnSearchOwner as OwnSearchOwner,
        QueueState as QueueState,
        RequestFailedResponse as RequestFailedResponse,
        SampleRequest as SampleRequest,
        SamplingParams as SamplingParams,
        SamplingPrefillBillingEvent as SamplingPrefillBillingEvent,
        SamplingSampleBillingEvent as SamplingSampleBillingEvent,
        SamplingSessionFuturesTarget as SamplingSessionFuturesTarget,
        SaveWeightsExternalRequest as SaveWeightsExternalRequest,
        SaveWeightsExternalResponse as SaveWeightsExternalResponse,
        SaveWeightsForSamplerRequest as SaveWeightsForSamplerRequest,
        SaveWeightsRequest as SaveWeightsRequest,
        SessionActive as SessionActive,
        SessionCancelled as SessionCancelled,
        SessionEndEvent as SessionEndEvent,
        SessionFailed as SessionFailed,
        SessionFailedRequestReason as SessionFailedRequestReason,
        SessionFailedSamplingSessionReason as SessionFailedSamplingSessionReason,
        SessionFailedTrainingRunReason as SessionFailedTrainingRunReason,
        SessionHeartbeatRequest as SessionHeartbeatRequest,
        SessionHeartbeatResponse as SessionHeartbeatResponse,
        SessionSearchCursor as SessionSearchCursor,
        SessionSearchRequest as SessionSearchRequest,
        SessionSearchResponse as SessionSearchResponse,
        SessionStartEvent as SessionStartEvent,
        SessionSummary as SessionSummary,
        Severity as Severity,
        StorageBillingEvent as StorageBillingEvent,
        StreamSampleEvent as StreamSampleEvent,
        SupportedModel as SupportedModel,
        TelemetryResponse as TelemetryResponse,
        TelemetrySendRequest as TelemetrySendRequest,
        TrainingBillingEvent as TrainingBillingEvent,
        TrainingRun as TrainingRun,
        TrainingRunsResponse as TrainingRunsResponse,
        TryAgainResponse as TryAgainResponse,
        UnhandledExceptionEvent as UnhandledExceptionEvent,
        UnloadModelRequest as UnloadModelRequest,
        UnloadModelResponse as UnloadModelResponse,
        UntypedAPIFuture as UntypedAPIFuture,
        UserSearchOwner as UserSearchOwner,
        WeightsInfoResponse as WeightsInfoResponse,
    )

lazy(__name__)
