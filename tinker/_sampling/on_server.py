"""Creates a sampler on a server, and asks the server about it."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from tinker._protocol import retry
from tinker._protocol.connection import HELD_TIMEOUT
from tinker._protocol.failures import decode_body
from tinker._protocol.progress import Progress
from tinker._protocol.results import result_of
from tinker._protocol.server_traits import REFUSALS_OF_A_ROUTE
from tinker._protocol.session import Session
from tinker.errors import APIStatusError
from tinker_api import models
from tinker_api.api.models import get_info
from tinker_api.api.sampling import create_sampling_session, get_sampler


async def base_model(session: Session, sampler_id: str, model_path: str) -> str | None:
    """The base model of a sampler, or of the run whose weights it uses: not all servers return both."""
    connection = session.connection
    response = await connection.call(
        get_sampler.request(sampler_id=sampler_id),
        (progress := Progress("get_sampler", {"sampler_id": sampler_id})),
        passed=REFUSALS_OF_A_ROUTE,
    )
    if response.status_code < 300:
        return connection.parse(response, progress).base_model
    run = urlsplit(model_path).netloc
    if not run:
        return None
    try:
        info = await connection.fetch(
            get_info.request(body=models.GetInfoRequest(model_id=run)),
            Progress("get_info", {"model_id": run}),
        )
    except APIStatusError:
        return None  # needed only for the tokenizer
    return info.model_data.model_name or info.model_name


async def tokenizer_id(session: Session, sampler_id: str, progress: Progress) -> str | None:
    """The tokenizer of a sampler, if the server names it."""
    connection = session.connection
    request = get_sampler.request(sampler_id=sampler_id)
    response = await connection.call(request, progress, passed=REFUSALS_OF_A_ROUTE)
    if response.status_code >= 300:
        return None
    return connection.parse(response, progress).tokenizer_id


async def create(
    session: Session, request: models.CreateSamplingSessionRequest, progress: Progress
) -> str:
    """Create a sampler, and return its id. Some servers return a promise of it."""
    connection = session.connection
    sent = create_sampling_session.request(body=request)

    def read(response: httpx.Response) -> models.CreateSamplingSessionResponse | str:
        """The sampler, or the promise's id."""
        body = decode_body(response.content)
        if isinstance(body, dict) and "sampling_session_id" not in body and "request_id" in body:
            return models.UntypedAPIFuture.from_dict(body).request_id
        return sent.read(response)

    response = await connection.call(
        sent, progress, policy=retry.CREATION, timeout=HELD_TIMEOUT, read=read
    )
    created = read(response.raw)
    if isinstance(created, str):
        promise = models.UntypedAPIFuture(request_id=created)
        decode = result_of(models.CreateSamplingSessionResponse, "create_sampling_session")
        created = await session.result(promise, decode, progress, kind="CreateSamplingSession")
    return created.sampling_session_id
