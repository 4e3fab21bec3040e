"""The ways to name a model: a base model, a checkpoint's path, or a run's folder."""

from __future__ import annotations

from pathlib import Path

from tinker import SamplingClient
from tinker.cli.state import State
from tinker.errors import BadRequestError, NotFoundError, UnprocessableEntityError
from tinker.recipes.base_model import served_name
from tinker.recipes.errors import RecipeError
from tinker.recipes.run_folder import CheckpointRecord, RunFolder
from tinker.types import SupportedModel


def checkpoint_of(folder: Path) -> CheckpointRecord:
    """The checkpoint of a run to use: the one with the best held-out loss, else the final or newest one."""
    if not _run(str(folder)):
        raise RecipeError(
            f"{folder} is neither the path of a checkpoint (tinker://…) nor the folder of a run."
        )
    run = RunFolder(folder)
    best = run.best
    found = best if best is not None and best.sampler_path is not None else run.last
    if found is None:
        raise RecipeError(f"{folder} has no checkpoint yet.")
    return found


def _run(model: str) -> RunFolder | None:
    """The run in this folder, if it is a run's; the folder of a model has a config.json as well."""
    folder = RunFolder(Path(model))
    return folder if folder.exists and "model_type" not in folder.config() else None


def sampler_path(model: str) -> str | None:
    """The path of the checkpoint, or None for a base model."""
    if model.startswith("tinker://"):
        return model
    if run := _run(model):
        record = checkpoint_of(run.path)
        return record.sampler_path or record.state_path
    return None


def base_of(model: str) -> str | None:
    """The base model of a run's folder, as it was given to the run."""
    run = _run(model)
    settings = run.config().get("settings") if run else None
    name = settings.get("model_name") if isinstance(settings, dict) else None
    return name if isinstance(name, str) else None


def sampler(state: State, model: str) -> SamplingClient:
    """A client that samples from the model; a training checkpoint is made into a sampler first."""
    path = sampler_path(model)
    state.offer(model if path is None else base_of(model))
    if path is None:
        if Path(model).exists():
            name = served_name(model, _served(state))
            return state.service.create_sampling_client(base_model=name).result()
        try:
            return state.service.create_sampling_client(base_model=model).result()
        except (BadRequestError, NotFoundError, UnprocessableEntityError) as error:
            raise RecipeError(
                f"{str(error).rstrip('.')}. No folder named {model} exists here either."
            ) from None
    if "/weights/" in path:
        client = state.service.create_training_client_from_state(path).result()
        return client.save_weights_and_get_sampling_client().result()
    return state.service.create_sampling_client(model_path=path).result()


def context_of(state: State, client: SamplingClient) -> int | None:
    """Maximum number of tokens of prompt and completion, if the server reports it."""
    model = _served(state).get(client.get_base_model())
    return None if model is None else model.max_context_length


def _served(state: State) -> dict[str, SupportedModel]:
    """The models that the server offers, by name."""
    rest = state.service.create_rest_client()
    found = rest.get_server_capabilities().result().supported_models
    return {model.model_name: model for model in found if model.model_name}
