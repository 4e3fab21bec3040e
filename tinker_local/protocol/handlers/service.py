"""Liveness, capabilities and client configuration."""

from __future__ import annotations

from typing import Any

from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.wire.limits import MAX_DATUMS


async def healthz(backend: Backend, call: Call) -> dict[str, Any]:
    trouble = await backend.trouble()
    if trouble is not None:
        raise Refusal(503, f"Degraded: {trouble}")
    return {"status": "ok"}


async def get_server_capabilities(backend: Backend, call: Call) -> dict[str, Any]:
    return {
        "supported_models": [
            {
                "model_name": model.name,
                "max_context_length": model.max_context_length,
                "trainable": True,
                "sampleable": True,
            }
            for model in backend.engine.models.values()
        ]
    }


async def client_config(backend: Backend, call: Call) -> dict[str, Any]:
    return {
        "pjwt_auth_enabled": backend.options.jwt,
        "credential_default_source": "api_key",
        "parallel_fwdbwd_chunks": True,
        "proto_compress_fwdbwd": backend.options.zstd,
        "fwdbwd_max_chunk_len": MAX_DATUMS,
        "fwdbwd_max_chunk_bytes_count": 5_000_000,
        "billing_exception_max_pause_duration_sec": 3600,
        "sample_max_concurrent_requests": 2000,
        "sample_use_retrieve_futures": backend.options.feed,
        "sample_join_sampling_session": True,
    }


async def client_dynamic_config(backend: Backend, call: Call) -> dict[str, Any]:
    return {
        "refresh_interval_sec": 300,
        "sample_cancel_enabled": True,
        "sample_cancel_max_batch_size": 64,
    }
