"""Uploads an adapter in PEFT's format, from a folder or an archive.

All checks run before anything is sent. Files are streamed from disk, each in one PUT that is retried; an upload that is
interrupted nevertheless can be resumed with the files that are still missing.
"""

from __future__ import annotations

import asyncio
import json
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from tinker._protocol import archives, progress_line, retry
from tinker._protocol.progress import Progress
from tinker._protocol.progress_line import ProgressCallback
from tinker._protocol.session import Session
from tinker.errors import APIConnectionError, APIStatusError, TinkerError
from tinker.retry_policy import RetryPolicy
from tinker.types.external_weights_upload import (
    ExternalWeightsUploadStartResult,
    UploadInterruptedError,
)
from tinker.types.upload_url import UploadURL
from tinker_api import models
from tinker_api.api.weights import external_weights_upload_finish, external_weights_upload_start

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_MAX_HEADER_BYTES = 100_000_000


async def start(
    session: Session, request: models.ExternalWeightsUploadStartRequest, progress: Progress
) -> ExternalWeightsUploadStartResult:
    """Start an upload. Servers of SDK 0.39 return the URLs as strings, newer ones as objects."""
    response = await session.fetch(external_weights_upload_start.request(body=request), progress)
    urls = {
        name: UploadURL(url=one)
        if isinstance(one, str)
        else UploadURL(url=one.url, headers=dict(one.headers))
        for name, one in response.urls.items()
    }
    return ExternalWeightsUploadStartResult(
        upload_id=response.upload_id, urls=urls, expires=response.expires
    )


async def finish(session: Session, upload_id: str, progress: Progress) -> str:
    """Create a checkpoint from an upload; returns its tinker path."""
    body = models.ExternalWeightsUploadFinishRequest(upload_id=upload_id)
    response = await session.fetch(external_weights_upload_finish.request(body=body), progress)
    return response.tinker_path


async def upload(
    session: Session,
    path: Path,
    base_model: str | None,
    lora_config: models.LoraConfig | None,
    destination_project_id: str | None,
    progress: Progress,
    told: ProgressCallback | bool | None,
    resume: ExternalWeightsUploadStartResult | None,
) -> str:
    """See `RestClient.upload_external_weights`."""
    with (
        tempfile.TemporaryDirectory() as unpacked,
        progress_line.of_bytes(told, path.name) as callback,
        session.watched(progress),
    ):
        folder = await asyncio.to_thread(_folder, path, Path(unpacked))
        model, lora = await asyncio.to_thread(_checked, folder, base_model, lora_config)
        begun = resume
        if begun is None:
            request = models.ExternalWeightsUploadStartRequest(
                base_model=model, lora_config=lora, destination_project_id=destination_project_id
            )
            begun = await start(session, request, progress)
        if missing := sorted(name for name in begun.urls if not (folder / name).is_file()):
            raise TinkerError(
                f"The server expects {', '.join(sorted(begun.urls))}; {path} does not contain {', '.join(missing)}."
            )
        await _send(begun, folder, callback, progress)
        return await finish(session, begun.upload_id, progress)


async def _send(
    begun: ExternalWeightsUploadStartResult,
    folder: Path,
    callback: ProgressCallback | None,
    progress: Progress,
) -> None:
    sizes = {name: (folder / name).stat().st_size for name in begun.urls}
    total, done = sum(sizes.values()), 0
    missing = dict(begun.urls)

    def told(before: int) -> Callable[[int], None]:
        return lambda sent: None if callback is None else callback(before + sent, total)

    for name, url in begun.urls.items():
        progress.doing = f"sending {name}"
        try:
            await _put(url, folder / name, told(done))
        except TinkerError as error:
            names = ", ".join(missing)
            raise UploadInterruptedError(
                f"{error} These files are still missing: {names}. To send them, pass the error's `upload` as "
                f"`resume`, until {begun.expires.isoformat()}.",
                evolve(begun, urls=missing),
            ) from error
        done += sizes[name]
        del missing[name]
        if callback is not None:
            callback(done, total)


async def _put(url: UploadURL, file: Path, told: Callable[[int], None]) -> None:
    attempts = retry.Attempts(RetryPolicy(budget=60.0, longest_pause=10.0))
    while True:
        attempts.made += 1
        try:
            await asyncio.to_thread(url.send, file, told)
            return
        except APIConnectionError:
            pause = attempts.pause(None, None)
            if pause is None:
                raise
        except APIStatusError as refusal:
            pause = attempts.pause(refusal.status_code, refusal.response.headers)
            if pause is None:
                raise
        await asyncio.sleep(pause)


# ---- checks before anything is sent --------------------------------------------------------------------


def _folder(path: Path, unpacked: Path) -> Path:
    """The folder with the files; an archive is unpacked first."""
    if path.is_dir():
        return path
    if not path.is_file():
        raise FileNotFoundError(f"{path} is neither a folder nor an archive.")
    try:
        with archives.opened(path) as archive:
            for entry in archive:
                name = Path(entry.name).name
                if entry.isfile() and name in (CONFIG, WEIGHTS):
                    archive.extract(entry.replace(name=name, deep=False), unpacked, filter="data")
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} is not a readable tar archive: {error}") from None
    return unpacked


def _checked(
    folder: Path, base_model: str | None, lora: models.LoraConfig | None
) -> tuple[str, models.LoraConfig]:
    """The base model and the adapter to upload. Raises ValueError for files that no server accepts."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} has no {name}: it is not an adapter in PEFT's format."
            )
    config = _json_object(folder / CONFIG)
    if config.get("peft_type") != "LORA":
        raise ValueError(f"{CONFIG}: peft_type is {config.get('peft_type')!r}; it must be 'LORA'.")
    rank = config.get("r")
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise ValueError(f"{CONFIG}: r is {rank!r}; it must be a positive integer.")
    if lora is not None and lora.rank != rank:
        raise ValueError(f"lora_config has rank {lora.rank}, and {CONFIG} has r {rank}.")
    model = base_model or config.get("base_model_name_or_path")
    if not isinstance(model, str) or not model:
        raise ValueError(f"base_model is not given, and {CONFIG} does not name one.")
    shapes = _shapes(folder / WEIGHTS)
    _check_shapes(shapes, rank)
    return model, lora or models.LoraConfig(
        rank=rank,
        train_attn=_has(shapes, "attn", "attention", "q_proj", "k_proj", "v_proj", "o_proj"),
        train_mlp=_has(shapes, "mlp", "gate_proj", "up_proj", "down_proj", "experts"),
        train_unembed=_has(shapes, "lm_head", "unembed", "output_layer"),
    )


def _has(shapes: Mapping[str, Any], *parts: str) -> bool:
    return any(part in name for name in shapes for part in parts)


def _json_object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file.name} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{file.name} is not a JSON object.")
    return value


def _shapes(file: Path) -> dict[str, list[int]]:
    """The tensors of a safetensors file by name. Reads only the header."""
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > _MAX_HEADER_BYTES:
                raise ValueError("its header is too long")
            header = json.loads(opened.read(length))
            end = max(
                (
                    entry["data_offsets"][1]
                    for name, entry in header.items()
                    if name != "__metadata__"
                ),
                default=0,
            )
            if file.stat().st_size != 8 + length + end:
                raise ValueError(
                    f"it has {file.stat().st_size} bytes instead of {8 + length + end}"
                )
        return {name: list(one["shape"]) for name, one in header.items() if name != "__metadata__"}
    except (struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{file.name} is not a complete safetensors file: {error}") from None


def _check_shapes(shapes: Mapping[str, list[int]], rank: int) -> None:
    """Raise ValueError unless each matrix has both factors, of this rank."""
    if not shapes:
        raise ValueError(f"{WEIGHTS} has no tensors.")
    for name, shape in shapes.items():
        for factor, other, place in ((".lora_A.", ".lora_B.", 0), (".lora_B.", ".lora_A.", -1)):
            if factor not in name:
                continue
            if name.replace(factor, other) not in shapes:
                raise ValueError(f"{WEIGHTS} has {name}, but not {name.replace(factor, other)}.")
            if not shape or shape[place] != rank:
                raise ValueError(
                    f"{WEIGHTS}: {name} has shape {shape}; its rank is not {rank}, the rank in {CONFIG}."
                )
