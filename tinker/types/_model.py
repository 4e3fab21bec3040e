"""The methods that users know from pydantic models, for attrs classes."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal, Self

import attrs
import numpy as np
import orjson

DumpMode = Literal["python", "json"]


class Model:
    """Base of the value types: dump, validate and copy, with the results pydantic would give.

    A member's name is that of its constructor argument. Bytes are dumped as base64, arrays as lists.
    In JSON a NaN or an infinity is null.
    """

    __slots__ = ()

    _dump_names: ClassVar[Mapping[str, str]] = {}
    """Constructor argument -> name under which the member is dumped, where they differ."""
    _ignores_unknown: ClassVar[bool] = False
    """Whether `model_validate` passes over unknown members: so in results, not in requests."""

    # ---- out --------------------------------------------------------------------------------

    def model_dump(
        self,
        *,
        mode: DumpMode = "python",
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        exclude_none: bool = False,
        exclude_defaults: bool = False,
        exclude_unset: bool = False,
    ) -> dict[str, Any]:
        """The members as plain Python values, nested models as dicts.

        `mode="json"` makes lists of tuples. `exclude_unset` leaves out what equals its default, as
        `exclude_defaults` does; both look at this model only, `exclude_none` at nested ones too.
        """
        dumped = {}
        for name, value, default in self._members():
            if include is not None and name not in include:
                continue
            if exclude is not None and name in exclude:
                continue
            if exclude_none and value is None:
                continue
            if (exclude_defaults or exclude_unset) and _is_default(value, default):
                continue
            dumped[name] = _plain(value, mode, exclude_none)
        return dumped

    def model_dump_json(self, *, indent: int | None = None, **dump: Any) -> str:
        """`model_dump` as JSON text: compact, or over several lines with `indent` spaces."""
        text = orjson.dumps(self.model_dump(**{**dump, "mode": "json"}))
        if indent is None:
            return text.decode()
        return json.dumps(orjson.loads(text), indent=indent, ensure_ascii=False)

    # ---- in ---------------------------------------------------------------------------------

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Build from a mapping of member names; an instance is returned as it is.

        Raises:
            TypeError: `obj` is neither.
            ValueError: A required member is missing, or one is unknown or has a wrong value.
        """
        if isinstance(obj, cls):
            return obj
        if not isinstance(obj, Mapping):
            raise TypeError(
                f"expected a {cls.__name__} or a mapping of its members, not {type(obj).__name__}."
            )
        arguments = {}
        for name, required in cls._arguments():
            dump_name = cls._dump_names.get(name, name)
            if dump_name in obj:
                arguments[name] = obj[dump_name]
            elif required:
                raise ValueError(f"{cls.__name__} needs {dump_name!r}.")
        if not cls._ignores_unknown:
            known = {cls._dump_names.get(name, name) for name, _ in cls._arguments()}
            if unknown := [name for name in obj if name not in known]:
                raise ValueError(
                    f"{cls.__name__} has no {unknown[0]!r}; it has {', '.join(sorted(known))}."
                )
        return cls(**arguments)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """Build from JSON text; see `model_validate`."""
        return cls.model_validate(orjson.loads(json_data))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with the members in `update` (by constructor argument) replaced and checked."""
        duplicate = copy.deepcopy(self) if deep else copy.copy(self)
        return attrs.evolve(duplicate, **update) if update else duplicate  # type: ignore[misc]

    # ---- inside -----------------------------------------------------------------------------

    @classmethod
    def _arguments(cls) -> list[tuple[str, bool]]:
        """Constructor arguments, and whether each is required."""
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)  # type: ignore[arg-type]
        return [(field.alias or field.name, field.default is attrs.NOTHING) for field in fields]

    def _members(self) -> list[tuple[str, Any, Any]]:
        """Name, value and default of each member."""
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(type(self))  # type: ignore[arg-type]
        members = []
        for field in fields:
            argument = field.alias or field.name
            name = self._dump_names.get(argument, argument)
            members.append((name, getattr(self, name), field.default))
        return members

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let users' pydantic models have members of this type; pydantic calls it, if it is there."""
        from pydantic_core import core_schema  # noqa: PLC0415  # only pydantic users have it

        def dump(value: Any, info: Any) -> Any:
            return value.model_dump(mode=info.mode, exclude_none=info.exclude_none)

        return core_schema.no_info_plain_validator_function(
            cls._validate_for_pydantic,
            serialization=core_schema.plain_serializer_function_ser_schema(dump, info_arg=True),
        )

    @classmethod
    def _validate_for_pydantic(cls, obj: Any) -> Self:
        try:
            return cls.model_validate(obj)
        except TypeError as error:
            raise ValueError(str(error)) from error  # pydantic lets a TypeError through


def _plain(value: Any, mode: DumpMode, exclude_none: bool) -> Any:
    match value:
        case Model():
            return value.model_dump(mode=mode, exclude_none=exclude_none)
        case Mapping():
            return {key: _plain(item, mode, exclude_none) for key, item in value.items()}
        case bytes():
            return base64.b64encode(value).decode()
        case np.ndarray():
            return value.tolist()
        case tuple() if mode == "python":
            return tuple(_plain(item, mode, exclude_none) for item in value)
        case list() | tuple():
            return [_plain(item, mode, exclude_none) for item in value]
        case _:
            return value


def _is_default(value: Any, default: Any) -> bool:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    return default is not attrs.NOTHING and bool(value == default)


def tag(value: str) -> Any:
    """The field `type`, whose only value is the tag of the union's member."""

    def check(instance: object, attribute: object, given: object) -> None:
        if given != value:
            raise ValueError(f"{type(instance).__name__}.type is {given!r}; it must be {value!r}.")

    return attrs.field(default=value, validator=check)
