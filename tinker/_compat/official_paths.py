"""Aliases of the official SDK's modules that users import by their path.

    from tinker.lib.public_interfaces import APIFuture      is    from tinker import APIFuture
    from tinker.types.checkpoint import Checkpoint          is    from tinker.types import Checkpoint

An alias has all names of its target module. Modules that exist here under their official path, such as
`tinker.types.tensor_data`, need no alias.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec

# Type checkers take it for True. Importing `typing` would take longer than this whole module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_OF_TYPES = """
    audit_log_entry audit_log_response auth_token_response billing_usage_response checkpoint
    checkpoint_search_cursor checkpoint_search_request checkpoint_search_response
    checkpoints_list_response client_config_request client_config_response
    client_dynamic_config_response copy_weights_request copy_weights_response
    create_custom_loss_request create_custom_loss_response create_model_request
    create_model_response create_sampling_session_request create_sampling_session_response
    create_session_request create_session_response current_checkpoint_storage_usage_response cursor
    custom_loss_graph custom_loss_input event_type external_weights_urls_response
    forward_backward_input forward_backward_request forward_request future_completion
    future_retrieve_request future_retrieve_response futures_retrieve_request
    futures_retrieve_response generic_event get_info_request get_info_response
    get_sampler_response get_server_capabilities_response get_session_response health_response
    join_sampling_session_request join_sampling_session_response list_sessions_response
    load_weights_request load_weights_response lora_config model_id optim_step_request
    optim_step_response optimizer request_failed_response request_id sample_request
    sampling_client_kind sampling_params save_weights_external_request
    save_weights_external_response save_weights_for_sampler_request save_weights_request search_owner
    session_end_event session_heartbeat_request session_heartbeat_response session_search_cursor
    session_search_request session_search_response session_start_event session_status
    session_status_query session_summary severity shared telemetry_batch telemetry_event
    telemetry_response telemetry_send_request training_run training_runs_response
    try_again_response unhandled_exception_event unload_model_request unload_model_response
    weights_info_response
"""
_OF_INTERFACES = """
    admin_client api_future backcompat_client_future backcompat_sampling_client_future
    backcompat_training_client_future custom_loss rest_client sampling_client service_client
    training_client
"""
_INTERFACES = "tinker.lib.public_interfaces"
_PACKAGES = ("tinker.lib", _INTERFACES)

_HOMES_OF_INTERFACES = [
    "tinker",
    "tinker.futures",
    "tinker.retry_config",
    "tinker._compat.client_futures",
]

# Alias -> the modules that have its names.
ALIASES = {
    "tinker._exceptions": ["tinker.errors"],
    "tinker.lib": ["tinker"],
    "tinker.lib.experimental": ["tinker.errors"],
    "tinker.lib.retry_handler": ["tinker.retry_config"],
    _INTERFACES: ["tinker", "tinker.futures"],
    **{f"{_INTERFACES}.{name}": _HOMES_OF_INTERFACES for name in _OF_INTERFACES.split()},
    **{f"tinker.types.{name}": ["tinker.types"] for name in _OF_TYPES.split()},
}


class _Finder:
    """Finder and loader of the aliases. Not derived from `importlib.abc`, which is slow to import."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name not in ALIASES:
            return None
        return ModuleSpec(name, self, is_package=name in _PACKAGES)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        homes = [importlib.import_module(home) for home in ALIASES[module.__name__]]
        names = sorted({name for home in homes for name in dir(home) if not name.startswith("_")})

        def get(name: str) -> Any:
            for home in homes:
                if hasattr(home, name):
                    return getattr(home, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module).update(__getattr__=get, __dir__=lambda: names, __all__=names)


def install() -> None:
    """Register the finder of the aliases, behind all others."""
    sys.meta_path.append(_Finder())
