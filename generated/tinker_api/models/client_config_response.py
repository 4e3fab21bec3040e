from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ClientConfigResponse(Schema):
    """Settings that a client reads once, at start. Absent fields have their defaults."""

    pjwt_auth_enabled: bool = False
    """ Whether to exchange the API key for JWTs at `auth/token`. """

    credential_default_source: str = "api_key"
    """ `api_key`, or `credential_cmd` to prefer the credential command. """

    sample_dispatch_bytes_semaphore_size: int = 10485760
    """ Maximum number of bytes of sample requests that are being sent at the same time. """

    inflight_response_bytes_semaphore_size: int = 52428800
    """ Maximum number of bytes of results that are being received at the same time. """

    parallel_fwdbwd_chunks: bool = True
    """ Whether the chunks of one call may be sent at the same time; false means one after the other. """

    proto_compress_fwdbwd: bool = False
    """ Whether to compress protobuf bodies of `forward_backward` with zstd. """

    fwdbwd_max_chunk_len: int = 1024
    """ Maximum number of examples in a `forward_backward` request. """

    fwdbwd_max_chunk_bytes_count: int = 5000000
    """ Maximum size of a `forward_backward` request, in estimated bytes. """

    fwdbwd_dispatch_bytes_semaphore_size: int = 50000000
    """ Maximum number of bytes of `forward_backward` requests that are being sent at the same time. """

    billing_exception_max_pause_duration_sec: int = 3600
    """ Maximum number of seconds for which a client waits while it gets 402. """

    sample_no_retries: bool = False
    """ Whether a failed sample is final instead of being retried. """

    sample_enable_stuck_detection: bool = True
    """ Whether to give up on samples when nothing makes progress for a long time. """

    sample_max_concurrent_requests: int = 2000
    """ Maximum number of samples in flight for each sampling client. """

    use_pyqwest_transport: bool = True
    """ Which transport the official SDK uses; other clients ignore it. """

    sample_use_retrieve_futures: bool = False
    """ Whether to learn of finished samples from the completions feed, `retrieve_futures`. """

    custom_loss_server_side: bool = False
    """ Whether custom losses run on the server. """

    sample_join_sampling_session: bool = False
    """ Whether cloned sampling clients get their number from `join_sampling_session`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "pjwt_auth_enabled": self.pjwt_auth_enabled,
            "credential_default_source": self.credential_default_source,
            "sample_dispatch_bytes_semaphore_size": self.sample_dispatch_bytes_semaphore_size,
            "inflight_response_bytes_semaphore_size": self.inflight_response_bytes_semaphore_size,
            "parallel_fwdbwd_chunks": self.parallel_fwdbwd_chunks,
            "proto_compress_fwdbwd": self.proto_compress_fwdbwd,
            "fwdbwd_max_chunk_len": self.fwdbwd_max_chunk_len,
            "fwdbwd_max_chunk_bytes_count": self.fwdbwd_max_chunk_bytes_count,
            "fwdbwd_dispatch_bytes_semaphore_size": self.fwdbwd_dispatch_bytes_semaphore_size,
            "billing_exception_max_pause_duration_sec": self.billing_exception_max_pause_duration_sec,
            "sample_no_retries": self.sample_no_retries,
            "sample_enable_stuck_detection": self.sample_enable_stuck_detection,
            "sample_max_concurrent_requests": self.sample_max_concurrent_requests,
            "use_pyqwest_transport": self.use_pyqwest_transport,
            "sample_use_retrieve_futures": self.sample_use_retrieve_futures,
            "custom_loss_server_side": self.custom_loss_server_side,
            "sample_join_sampling_session": self.sample_join_sampling_session,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        pjwt_auth_enabled = src.get("pjwt_auth_enabled")
        credential_default_source = src.get("credential_default_source")
        sample_dispatch_bytes_semaphore_size = src.get("sample_dispatch_bytes_semaphore_size")
        inflight_response_bytes_semaphore_size = src.get("inflight_response_bytes_semaphore_size")
        parallel_fwdbwd_chunks = src.get("parallel_fwdbwd_chunks")
        proto_compress_fwdbwd = src.get("proto_compress_fwdbwd")
        fwdbwd_max_chunk_len = src.get("fwdbwd_max_chunk_len")
        fwdbwd_max_chunk_bytes_count = src.get("fwdbwd_max_chunk_bytes_count")
        fwdbwd_dispatch_bytes_semaphore_size = src.get("fwdbwd_dispatch_bytes_semaphore_size")
        billing_exception_max_pause_duration_sec = src.get(
            "billing_exception_max_pause_duration_sec"
        )
        sample_no_retries = src.get("sample_no_retries")
        sample_enable_stuck_detection = src.get("sample_enable_stuck_detection")
        sample_max_concurrent_requests = src.get("sample_max_concurrent_requests")
        use_pyqwest_transport = src.get("use_pyqwest_transport")
        sample_use_retrieve_futures = src.get("sample_use_retrieve_futures")
        custom_loss_server_side = src.get("custom_loss_server_side")
        sample_join_sampling_session = src.get("sample_join_sampling_session")
        return cls(
            False if pjwt_auth_enabled is None else pjwt_auth_enabled,
            "api_key" if credential_default_source is None else credential_default_source,
            10485760
            if sample_dispatch_bytes_semaphore_size is None
            else sample_dispatch_bytes_semaphore_size,
            52428800
            if inflight_response_bytes_semaphore_size is None
            else inflight_response_bytes_semaphore_size,
            True if parallel_fwdbwd_chunks is None else parallel_fwdbwd_chunks,
            False if proto_compress_fwdbwd is None else proto_compress_fwdbwd,
            1024 if fwdbwd_max_chunk_len is None else fwdbwd_max_chunk_len,
            5000000 if fwdbwd_max_chunk_bytes_count is None else fwdbwd_max_chunk_bytes_count,
            50000000
            if fwdbwd_dispatch_bytes_semaphore_size is None
            else fwdbwd_dispatch_bytes_semaphore_size,
            3600
            if billing_exception_max_pause_duration_sec is None
            else billing_exception_max_pause_duration_sec,
            False if sample_no_retries is None else sample_no_retries,
            True if sample_enable_stuck_detection is None else sample_enable_stuck_detection,
            2000 if sample_max_concurrent_requests is None else sample_max_concurrent_requests,
            True if use_pyqwest_transport is None else use_pyqwest_transport,
            False if sample_use_retrieve_futures is None else sample_use_retrieve_futures,
            False if custom_loss_server_side is None else custom_loss_server_side,
            False if sample_join_sampling_session is None else sample_join_sampling_session,
        )
