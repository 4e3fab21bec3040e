"""A client for the Tinker training API: LoRA fine-tuning and sampling of language models.

    import tinker

    service = tinker.ServiceClient()
    training = service.create_lora_training_client("tinker-local/tiny").result()
    result = training.forward_backward([datum], "cross_entropy").result()

Names are imported when they are first used, so that `import tinker` costs little.
"""

from __future__ import annotations

from tinker import _version
from tinker._compat import official_paths
from tinker._lazy import TYPE_CHECKING, lazy

if TYPE_CHECKING:
    from httpx import Timeout as Timeout

    from tinker import auth as auth, events as events, types as types
    from tinker.admin import AdminClient as AdminClient
    from tinker.client_stats import ClientStats as ClientStats
    from tinker.custom_loss import (
        CustomLossFnV1 as CustomLossFnV1,
        LossHandle as LossHandle,
        NumpyLoss as NumpyLoss,
        PerDatumLossFn as PerDatumLossFn,
    )
    from tinker.errors import (
        APIConnectionError as APIConnectionError,
        APIError as APIError,
        APIResponseValidationError as APIResponseValidationError,
        APIStatusError as APIStatusError,
        APITimeoutError as APITimeoutError,
        AuthenticationError as AuthenticationError,
        BadRequestError as BadRequestError,
        BillingError as BillingError,
        ConflictError as ConflictError,
        ExperimentalWarning as ExperimentalWarning,
        InternalServerError as InternalServerError,
        JournalError as JournalError,
        NotFoundError as NotFoundError,
        PermissionDeniedError as PermissionDeniedError,
        RateLimitError as RateLimitError,
        RequestFailedError as RequestFailedError,
        RunLostError as RunLostError,
        RunPoisonedError as RunPoisonedError,
        TinkerError as TinkerError,
        UnprocessableEntityError as UnprocessableEntityError,
    )
    from tinker.futures import (
        APIFuture as APIFuture,
        results as results,
        results_async as results_async,
    )
    from tinker.request_options import RequestOptions as RequestOptions
    from tinker.rest import (
        RestClient as RestClient,
    )
    from tinker.retry_policy import RetryPolicy as RetryPolicy
    from tinker.sampling import (
        BackcompatSamplingClientFuture as BackcompatSamplingClientFuture,
        SamplingClient as SamplingClient,
    )
    from tinker.service import (
        ServiceClient as ServiceClient,
    )
    from tinker.training import (
        BackcompatTrainingClientFuture as BackcompatTrainingClientFuture,
        TrainingClient as TrainingClient,
    )
    from tinker.types import (
        AdamOptimizerConfig as AdamOptimizerConfig,
        AdamParams as AdamParams,
        Checkpoint as Checkpoint,
        CheckpointType as CheckpointType,
        Datum as Datum,
        DimuonOptimizerConfig as DimuonOptimizerConfig,
        DimuonParams as DimuonParams,
        DmelChunk as DmelChunk,
        EncodedTextChunk as EncodedTextChunk,
        ForwardBackwardOutput as ForwardBackwardOutput,
        LoraConfig as LoraConfig,
        ModelID as ModelID,
        ModelInput as ModelInput,
        ModelInputChunk as ModelInputChunk,
        OptimParams as OptimParams,
        OptimStepRequest as OptimStepRequest,
        OptimStepResponse as OptimStepResponse,
        ParsedCheckpointTinkerPath as ParsedCheckpointTinkerPath,
        PromptProvenanceSpan as PromptProvenanceSpan,
        SampledProvenanceSpan as SampledProvenanceSpan,
        SampledSequence as SampledSequence,
        SampleRequest as SampleRequest,
        SampleResponse as SampleResponse,
        SamplingParams as SamplingParams,
        StopReason as StopReason,
        TensorData as TensorData,
        TensorDtype as TensorDtype,
        TrainingRun as TrainingRun,
        UploadInterruptedError as UploadInterruptedError,
    )

__title__ = "tinker"
__version__ = _version.__version__

lazy(__name__, "__title__", "__version__")

official_paths.install()
