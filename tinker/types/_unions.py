"""Unions of models and aliases of types, named like the contract's schemas."""

from __future__ import annotations

from typing import Literal, TypeAlias

from tinker.types.forward_backward_output import ForwardBackwardOutput
from tinker.types.save_weights_for_sampler_response import SaveWeightsForSamplerResponse
from tinker.types.save_weights_response import SaveWeightsResponse
from tinker_api.models import (
    AccessibleSearchOwner,
    ActiveSessionStatusQuery,
    AdamOptimizerConfig,
    AdamParams,
    CancelledSessionStatusQuery,
    CheckpointBillingEvent,
    ClientFinishedSessionStatusQuery,
    ClientSessionFinished,
    ClientSessionFinishErrored,
    ClientSessionFinishInterrupted,
    ClientSessionFinishSuccess,
    CreateModelResponse,
    DimuonOptimizerConfig,
    DimuonParams,
    FailedSessionStatusQuery,
    FutureFailed,
    FutureFinished,
    GenericEvent,
    LoadWeightsResponse,
    OptimizerConfigBase,
    OptimParamsBase,
    OptimStepResponse,
    OwnSearchOwner,
    RequestFailedResponse,
    SamplingPrefillBillingEvent,
    SamplingSampleBillingEvent,
    SaveWeightsExternalResponse,
    SessionActive,
    SessionCancelled,
    SessionEndEvent,
    SessionFailed,
    SessionFailedRequestReason,
    SessionFailedSamplingSessionReason,
    SessionFailedTrainingRunReason,
    SessionStartEvent,
    StorageBillingEvent,
    TelemetrySendRequest,
    TrainingBillingEvent,
    TryAgainResponse,
    UnhandledExceptionEvent,
    UnloadModelResponse,
    UserSearchOwner,
)

ModelID: TypeAlias = str
SaveWeightsExternalResponseInternal: TypeAlias = SaveWeightsExternalResponse
TelemetryBatch: TypeAlias = TelemetrySendRequest
RequestID: TypeAlias = str

OptimizerConfig: TypeAlias = AdamOptimizerConfig | DimuonOptimizerConfig | OptimizerConfigBase
OptimParams: TypeAlias = AdamParams | DimuonParams | OptimParamsBase

SamplingClientKind: TypeAlias = Literal["snapshot", "inflight"]

ClientSessionFinishReason: TypeAlias = (
    ClientSessionFinishSuccess | ClientSessionFinishErrored | ClientSessionFinishInterrupted
)
SessionFailedReason: TypeAlias = (
    SessionFailedRequestReason | SessionFailedTrainingRunReason | SessionFailedSamplingSessionReason
)
SessionStatus: TypeAlias = SessionFailed | SessionCancelled | ClientSessionFinished | SessionActive
SessionStatusQuery: TypeAlias = (
    ActiveSessionStatusQuery
    | CancelledSessionStatusQuery
    | FailedSessionStatusQuery
    | ClientFinishedSessionStatusQuery
)
SearchOwner: TypeAlias = OwnSearchOwner | AccessibleSearchOwner | UserSearchOwner

BillingEventInfo: TypeAlias = (
    TrainingBillingEvent
    | SamplingPrefillBillingEvent
    | SamplingSampleBillingEvent
    | CheckpointBillingEvent
    | StorageBillingEvent
)

FutureCompletion: TypeAlias = FutureFinished | FutureFailed
FutureRetrieveResponse: TypeAlias = (
    TryAgainResponse
    | ForwardBackwardOutput
    | OptimStepResponse
    | SaveWeightsResponse
    | LoadWeightsResponse
    | SaveWeightsForSamplerResponse
    | SaveWeightsExternalResponse
    | CreateModelResponse
    | UnloadModelResponse
    | RequestFailedResponse
)

EventType: TypeAlias = Literal[
    "SESSION_START", "SESSION_END", "UNHANDLED_EXCEPTION", "GENERIC_EVENT"
]
TelemetryEvent: TypeAlias = (
    SessionStartEvent | SessionEndEvent | UnhandledExceptionEvent | GenericEvent
)
