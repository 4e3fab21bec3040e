"""Wait for the result of a promise"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from ...types import UNSET, Request, Response, Unset, loads, tagged

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.complete_metadata_response import CompleteMetadataResponse
    from ...models.create_custom_loss_response import CreateCustomLossResponse
    from ...models.create_model_response import CreateModelResponse
    from ...models.error_response import ErrorResponse
    from ...models.forward_backward_output import ForwardBackwardOutput
    from ...models.future_retrieve_request import FutureRetrieveRequest
    from ...models.load_weights_response import LoadWeightsResponse
    from ...models.optim_step_response import OptimStepResponse
    from ...models.queue_state_detail import QueueStateDetail
    from ...models.request_failed_response import RequestFailedResponse
    from ...models.sample_response import SampleResponse
    from ...models.save_weights_external_response import SaveWeightsExternalResponse
    from ...models.save_weights_for_sampler_response import SaveWeightsForSamplerResponse
    from ...models.save_weights_response import SaveWeightsResponse
    from ...models.try_again_response import TryAgainResponse
    from ...models.unload_model_response import UnloadModelResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: FutureRetrieveRequest,
    x_tinker_request_type: str | Unset = UNSET,
    x_tinker_request_iteration: str | Unset = UNSET,
    x_tinker_create_promise_roundtrip_time: str | Unset = UNSET,
    accept: Literal[
        "application/json",
        "application/x-protobuf",
    ] = "application/json",
) -> Request[
    CompleteMetadataResponse
    | CreateCustomLossResponse
    | CreateModelResponse
    | ForwardBackwardOutput
    | LoadWeightsResponse
    | OptimStepResponse
    | RequestFailedResponse
    | SampleResponse
    | SaveWeightsExternalResponse
    | SaveWeightsForSamplerResponse
    | SaveWeightsResponse
    | TryAgainResponse
    | UnloadModelResponse
]:
    """Wait for the result of a promise

    Waits for the result for up to about 40 seconds, then returns `try_again`. A failed operation is a 200 with `error`
    and
    `category`. A result stays retrievable after it was read, for a time that the server chooses. Results of sampling
    and of
    `forward_backward` are protobuf (`SampleResponse`, `ForwardBackwardOutput`) if `Accept` asks for it.

    Args:
        x_tinker_request_type (str | Unset):
        x_tinker_request_iteration (str | Unset):
        x_tinker_create_promise_roundtrip_time (str | Unset):
        body (FutureRetrieveRequest): The promise to wait for.
    """

    headers: dict[str, str] = {}
    if not isinstance(x_tinker_request_type, Unset):
        headers["X-Tinker-Request-Type"] = x_tinker_request_type

    if not isinstance(x_tinker_request_iteration, Unset):
        headers["X-Tinker-Request-Iteration"] = x_tinker_request_iteration

    if not isinstance(x_tinker_create_promise_roundtrip_time, Unset):
        headers["X-Tinker-Create-Promise-Roundtrip-Time"] = x_tinker_create_promise_roundtrip_time

    headers["Accept"] = accept
    headers["Content-Type"] = "application/json"
    return Request(
        operation="retrieve_future",
        method="POST",
        path="/api/v1/retrieve_future",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(
    content: bytes,
) -> (
    CompleteMetadataResponse
    | CreateCustomLossResponse
    | CreateModelResponse
    | ForwardBackwardOutput
    | LoadWeightsResponse
    | OptimStepResponse
    | RequestFailedResponse
    | SampleResponse
    | SaveWeightsExternalResponse
    | SaveWeightsForSamplerResponse
    | SaveWeightsResponse
    | TryAgainResponse
    | UnloadModelResponse
):
    from ...models.complete_metadata_response import CompleteMetadataResponse
    from ...models.create_custom_loss_response import CreateCustomLossResponse
    from ...models.create_model_response import CreateModelResponse
    from ...models.forward_backward_output import ForwardBackwardOutput
    from ...models.load_weights_response import LoadWeightsResponse
    from ...models.optim_step_response import OptimStepResponse
    from ...models.request_failed_response import RequestFailedResponse
    from ...models.sample_response import SampleResponse
    from ...models.save_weights_external_response import SaveWeightsExternalResponse
    from ...models.save_weights_for_sampler_response import SaveWeightsForSamplerResponse
    from ...models.save_weights_response import SaveWeightsResponse
    from ...models.try_again_response import TryAgainResponse
    from ...models.unload_model_response import UnloadModelResponse

    parsed: (
        CompleteMetadataResponse
        | CreateCustomLossResponse
        | CreateModelResponse
        | ForwardBackwardOutput
        | LoadWeightsResponse
        | OptimStepResponse
        | RequestFailedResponse
        | SampleResponse
        | SaveWeightsExternalResponse
        | SaveWeightsForSamplerResponse
        | SaveWeightsResponse
        | TryAgainResponse
        | UnloadModelResponse
    ) = tagged(
        loads(content),
        "type",
        {
            "try_again": TryAgainResponse,
            "request_failed": RequestFailedResponse,
            "complete_metadata": CompleteMetadataResponse,
            "create_model": CreateModelResponse,
            "unload_model": UnloadModelResponse,
            "forward_backward": ForwardBackwardOutput,
            "optim_step": OptimStepResponse,
            "save_weights": SaveWeightsResponse,
            "load_weights": LoadWeightsResponse,
            "save_weights_for_sampler": SaveWeightsForSamplerResponse,
            "save_weights_external": SaveWeightsExternalResponse,
            "create_custom_loss": CreateCustomLossResponse,
            "sample": SampleResponse,
        },
    )
    return parsed


def _parse_response(
    response: httpx.Response,
) -> (
    CompleteMetadataResponse
    | CreateCustomLossResponse
    | CreateModelResponse
    | ForwardBackwardOutput
    | LoadWeightsResponse
    | OptimStepResponse
    | RequestFailedResponse
    | SampleResponse
    | SaveWeightsExternalResponse
    | SaveWeightsForSamplerResponse
    | SaveWeightsResponse
    | TryAgainResponse
    | UnloadModelResponse
    | ErrorResponse
    | QueueStateDetail
    | ValidationErrorResponse
    | None
):
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 404, 405, 410, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [408]:
        from ...models.queue_state_detail import QueueStateDetail

        return QueueStateDetail.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: FutureRetrieveRequest,
    x_tinker_request_type: str | Unset = UNSET,
    x_tinker_request_iteration: str | Unset = UNSET,
    x_tinker_create_promise_roundtrip_time: str | Unset = UNSET,
    accept: Literal[
        "application/json",
        "application/x-protobuf",
    ] = "application/json",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[
    CompleteMetadataResponse
    | CreateCustomLossResponse
    | CreateModelResponse
    | ForwardBackwardOutput
    | LoadWeightsResponse
    | OptimStepResponse
    | RequestFailedResponse
    | SampleResponse
    | SaveWeightsExternalResponse
    | SaveWeightsForSamplerResponse
    | SaveWeightsResponse
    | TryAgainResponse
    | UnloadModelResponse
    | ErrorResponse
    | QueueStateDetail
    | ValidationErrorResponse
    | None
]:
    """Wait for the result of a promise: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
        x_tinker_request_type=x_tinker_request_type,
        x_tinker_request_iteration=x_tinker_request_iteration,
        x_tinker_create_promise_roundtrip_time=x_tinker_create_promise_roundtrip_time,
        accept=accept,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: FutureRetrieveRequest,
    x_tinker_request_type: str | Unset = UNSET,
    x_tinker_request_iteration: str | Unset = UNSET,
    x_tinker_create_promise_roundtrip_time: str | Unset = UNSET,
    accept: Literal[
        "application/json",
        "application/x-protobuf",
    ] = "application/json",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[
    CompleteMetadataResponse
    | CreateCustomLossResponse
    | CreateModelResponse
    | ForwardBackwardOutput
    | LoadWeightsResponse
    | OptimStepResponse
    | RequestFailedResponse
    | SampleResponse
    | SaveWeightsExternalResponse
    | SaveWeightsForSamplerResponse
    | SaveWeightsResponse
    | TryAgainResponse
    | UnloadModelResponse
    | ErrorResponse
    | QueueStateDetail
    | ValidationErrorResponse
    | None
]:
    """Wait for the result of a promise: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
        x_tinker_request_type=x_tinker_request_type,
        x_tinker_request_iteration=x_tinker_request_iteration,
        x_tinker_create_promise_roundtrip_time=x_tinker_create_promise_roundtrip_time,
        accept=accept,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
