"""Decodes the results of operations into generated models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import httpx
from attrs import fields

from tinker._protocol.polling import Decoder
from tinker.types._numbers import with_nan
from tinker_api.model import Schema
from tinker_api.types import loads

M = TypeVar("M", bound=Schema)


def result_of(
    model: type[M],
    tag: str,
    *,
    needs: Sequence[str] = (),
    may_be_empty: Callable[[], bool] = lambda: False,
) -> Decoder[M]:
    """Return a decoder for a generated model. Some servers leave the tag out or set it to null; `tag` replaces it.

    A metric that is not finite is null in JSON and NaN here.

    Args:
        model: Class of the result.
        tag: Tag of the result.
        needs: Fields of which at least one must have a value.
        may_be_empty: Whether `{}` is a result of this server.
    """
    known = {attribute.name for attribute in fields(model)}  # type: ignore[arg-type]  # attrs makes them

    def decode(response: httpx.Response) -> M:
        body = loads(response.content)
        if needs and not any(body.get(name) is not None for name in needs):
            raise ValueError(f"it has no {' or '.join(needs)}")
        if known.isdisjoint(body) and (body or not may_be_empty()):
            raise ValueError(f"it has none of the fields of {tag}")
        if isinstance(metrics := body.get("metrics"), dict):
            body["metrics"] = with_nan(metrics)
        return model.from_dict({**body, "type": body.get("type") or tag})

    return decode
