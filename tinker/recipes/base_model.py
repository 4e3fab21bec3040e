"""Which model a run trains: its name on the server, its tokenizer and its context."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import tinker
from tinker.recipes.errors import RecipeError
from tinker.recipes.settings import TrainSettings
from tinker.tokenizers import Tokenizer
from tinker.tokenizers._files import model_name


def resolve(service: tinker.ServiceClient, settings: TrainSettings) -> tuple[str, Tokenizer, int]:
    """The base model, its tokenizer, and its context in tokens."""
    rest = service.create_rest_client()
    name = settings.model_name
    if settings.load_checkpoint_path:
        info = rest.get_weights_info_by_tinker_path(settings.load_checkpoint_path).result()
        if name is not None and served_name(name, (info.base_model,)) != info.base_model:
            raise RecipeError(
                f"{settings.load_checkpoint_path} is of {info.base_model}; model_name is {name!r}."
            )
        name = info.base_model
    served = {
        model.model_name: model
        for model in rest.get_server_capabilities().result().supported_models
        if model.model_name
    }
    if name is None:
        if len(served) != 1:
            raise RecipeError(
                f"model_name is missing; the server offers {', '.join(sorted(served)) or 'none'}."
            )
        name = next(iter(served))
    elif served and (name := served_name(name, served)) not in served:
        raise RecipeError(
            f"The server does not offer {name!r}; it offers {', '.join(sorted(served))}."
        )
    length = getattr(served.get(name), "max_context_length", None)
    tokenizer = service.create_sampling_client(base_model=name).result().get_tokenizer()
    return name, tokenizer, length or 32768


def served_name(model: str, served: Container[str]) -> str:
    """The name under which a server offers the model of a folder or GGUF file; other names, and those served, stay."""
    path = Path(model)
    return model if model in served or not path.exists() else model_name(path)
