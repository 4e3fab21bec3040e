"""The methods that users know from pydantic models, and the functions of `dataclasses`, for attrs classes.

Written by hand. `codegen.sh` copies it into the generated package. The generated models and the handwritten types of
`tinker` have it as their base.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import datetime
import html
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

import attrs
import orjson

DumpMode = Literal["python", "json"]


class _Fields:
    """`model_fields` of a class: name -> attribute, which has a `default` and a `type`."""

    def __get__(self, instance: object, owner: type[Model]) -> dict[str, attrs.Attribute[Any]]:
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(owner)  # type: ignore[arg-type]
        arguments = ((field.alias or field.name, field) for field in fields)
        return {owner._dump_names.get(name, name): field for name, field in arguments}


class _DataclassFields:
    """What `dataclasses.replace`, `asdict`, `fields` and `is_dataclass` ask of a class."""

    def __init__(self) -> None:
        self._known: dict[type[Model], dict[str, dataclasses.Field[Any]]] = {}

    def __get__(self, instance: object, owner: type[Model]) -> dict[str, dataclasses.Field[Any]]:
        if owner not in self._known:
            arguments = [name for name, _ in owner._arguments()]
            self._known[owner] = vars(dataclasses.make_dataclass(owner.__name__, arguments))[
                "__dataclass_fields__"
            ]
        return self._known[owner]


class Model:
    """Base of the value types: dump, validate and copy, with the results pydantic would give.

    The functions of `dataclasses` take them too, so that `dataclasses.replace(span, length=2)` works.
    A field has the name of its constructor argument. Bytes are dumped as base64, arrays as lists.
    In JSON a NaN or an infinity is null. `dict(model)` has the fields as they are.
    """

    __slots__ = ()

    model_fields: ClassVar[_Fields] = _Fields()
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]] = _DataclassFields()  # type: ignore[assignment]
    _dump_names: ClassVar[Mapping[str, str]] = {}
    """Constructor argument -> name under which the field is dumped, where they differ."""
    _ignores_unknown: ClassVar[bool] = False
    """Whether `model_validate` ignores unknown fields. It does for results, but not for requests."""

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
        by_alias: bool | None = None,  # no field has an alias
    ) -> dict[str, Any]:
        """The fields as plain Python values, nested models as dicts.

        `mode="json"` turns tuples into lists and times into strings. `exclude_unset` leaves out fields that
        have their default, as `exclude_defaults` does. `include` and `exclude` apply to the fields of this
        model only, the other options also to those of nested models.
        """

        def nested(model: Model) -> dict[str, Any]:
            return model.model_dump(
                mode=mode,
                exclude_none=exclude_none,
                exclude_defaults=exclude_defaults,
                exclude_unset=exclude_unset,
            )

        dumped = {}
        for name, value, default in self._values():
            if include is not None and name not in include:
                continue
            if exclude is not None and name in exclude:
                continue
            if exclude_none and value is None:
                continue
            if (exclude_defaults or exclude_unset) and _is_default(value, default):
                continue
            dumped[name] = _plain(value, mode, nested)
        return dumped

    def model_dump_json(self, *, indent: int | None = None, **dump: Any) -> str:
        """`model_dump` as JSON text: compact, or over several lines with `indent` spaces."""
        text = orjson.dumps(self.model_dump(**{**dump, "mode": "json"}))
        if indent is None:
            return text.decode()
        return json.dumps(orjson.loads(text), indent=indent, ensure_ascii=False)

    def _repr_html_(self) -> str:
        """The fields as a table, for notebooks; a list of models is a table inside it."""
        return _html(self)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, value, _ in self._values())

    # ---- in ---------------------------------------------------------------------------------

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Build from a mapping of field names; an instance is returned as it is.

        Raises:
            ValueError: `obj` is neither, a required field is missing, or a field is unknown or has
                an invalid value.
        """
        if isinstance(obj, cls):
            return obj
        if not isinstance(obj, Mapping):
            raise ValueError(  # as pydantic does
                f"expected {cls.__name__} or a mapping of its fields, not {type(obj).__name__}."
            )
        known = {cls._dump_names.get(name, name): required for name, required in cls._arguments()}
        for name, required in known.items():
            if required and name not in obj:
                raise ValueError(f"{cls.__name__} needs {name!r}.")
        if not cls._ignores_unknown:
            for name in obj:
                if name not in known:
                    raise ValueError(
                        f"{cls.__name__} has no field {name!r}; its fields are {', '.join(sorted(known))}."
                    )
        return cls._of_values(obj)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """Build from JSON text; see `model_validate`."""
        return cls.model_validate(orjson.loads(json_data))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with the fields in `update` (by constructor argument) replaced and checked."""
        if update:
            return attrs.evolve(copy.deepcopy(self) if deep else self, **update)  # type: ignore[misc]
        return copy.deepcopy(self) if deep else copy.copy(self)

    # ---- inside -----------------------------------------------------------------------------

    @classmethod
    def _of_values(cls, values: Mapping[str, Any]) -> Self:
        """Build from fields whose names were checked."""
        names = [(name, cls._dump_names.get(name, name)) for name, _ in cls._arguments()]
        return cls(**{name: values[field] for name, field in names if field in values})

    @classmethod
    def _arguments(cls) -> list[tuple[str, bool]]:
        """Constructor arguments, and whether each is required."""
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)  # type: ignore[arg-type]
        return [(field.alias or field.name, field.default is attrs.NOTHING) for field in fields]

    def _values(self) -> list[tuple[str, Any, Any]]:
        """Name, value and default of each field."""
        fields = self.model_fields.items()
        return [(name, getattr(self, name), field.default) for name, field in fields]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let users' pydantic models have fields of this type. Called by pydantic, if it is installed."""
        from pydantic_core import core_schema  # noqa: PLC0415  # only pydantic users have it

        def dump(value: Any, info: Any) -> Any:
            return value.model_dump(mode=info.mode, exclude_none=info.exclude_none)

        return core_schema.no_info_plain_validator_function(
            cls.model_validate,
            serialization=core_schema.plain_serializer_function_ser_schema(dump, info_arg=True),
        )


class Schema(Model):
    """Base of the models that are generated from the contract's schemas."""

    __slots__ = ()

    _ignores_unknown = True  # a newer server may send more

    # Once for all: making them for each class would take half the time of importing it.

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._attributes().items())
        return f"{type(self).__qualname__}({fields})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schema) or type(other) is not type(self):
            return NotImplemented
        return self._attributes() == other._attributes()

    def __hash__(self) -> int:
        return hash((type(self), *self._attributes().values()))

    def _attributes(self) -> dict[str, Any]:
        return attrs.asdict(self, recurse=False)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """The fields as they are sent, without optional fields that are null."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        """Build from the fields as they are received."""
        raise NotImplementedError

    @classmethod
    def _of_values(cls, values: Mapping[str, Any]) -> Self:
        sent = {name: _as_sent(value) for name, value in values.items()}
        for name, field in cls.model_fields.items():
            if isinstance(field.default, str | int):  # such as a tag, which is optional here
                sent.setdefault(name, field.default)
        try:
            return cls.from_dict(sent)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{cls.__name__}: {error!r} while reading {values!r}.") from error

    @classmethod
    def _arguments(cls) -> list[tuple[str, bool]]:
        return [argument for argument in super()._arguments() if argument[0] != _OTHERS]

    def _values(self) -> list[tuple[str, Any, Any]]:
        values = super()._values()
        if values and values[-1][0] == _OTHERS:
            values += [(name, value, attrs.NOTHING) for name, value in values.pop()[1].items()]
        return values


_OTHERS = "additional_properties"
"""The attribute with the fields that an open schema does not name."""


def _as_sent(value: Any) -> Any:
    match value:
        case Schema():
            return value.to_dict()
        case Mapping():
            return {key: _as_sent(item) for key, item in value.items()}
        case list() | tuple():
            return [_as_sent(item) for item in value]
        case datetime.datetime():
            return value.isoformat()
        case _:
            return value


def _plain(value: Any, mode: DumpMode, nested: Callable[[Model], dict[str, Any]]) -> Any:
    match value:
        case Model():
            return nested(value)
        case Mapping():
            return {key: _plain(item, mode, nested) for key, item in value.items()}
        case bytes():
            return base64.b64encode(value).decode()
        case datetime.datetime() if mode == "json":
            return value.isoformat().replace("+00:00", "Z")
        case tuple() if mode == "python":
            return tuple(_plain(item, mode, nested) for item in value)
        case list() | tuple():
            return [_plain(item, mode, nested) for item in value]
        case _ if hasattr(value, "tolist"):  # a numpy array; numpy is not imported for this
            return value.tolist()
        case _:
            return value


def _is_default(value: Any, default: Any) -> bool:
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    return default is not attrs.NOTHING and bool(value == default)


def tag(value: str) -> Any:
    """A field `type` whose only value is the tag."""

    def check(instance: object, attribute: object, given: object) -> None:
        if given != value:
            raise ValueError(f"{type(instance).__name__}.type is {given!r}; it must be {value!r}.")

    return attrs.field(default=value, validator=check)


_HTML_ROWS = 50
_HTML_TEXT = 200


def _html(value: object) -> str:
    """A value as HTML: models and mappings as tables of two columns, models of one kind as rows."""
    if isinstance(value, Model | Mapping):
        fields = value.items() if isinstance(value, Mapping) else value
        rows = [[html.escape(str(name)), _html(item)] for name, item in fields if item is not None]
        return _html_table(type(value).__name__ if isinstance(value, Model) else "", rows)
    if isinstance(value, list) and value and all(isinstance(item, Model) for item in value):
        shown = [dict(item) for item in value[:_HTML_ROWS]]
        names = list(dict.fromkeys(name for row in shown for name in row))
        names = [name for name in names if any(row.get(name) is not None for row in shown)]
        rows = [[_html(row.get(name)) for name in names] for row in shown]
        more = len(value) - len(shown)
        return _html_table(f"and {more} more" if more else "", rows, names)
    text = "" if value is None else str(value)
    if isinstance(value, list) and len(text) > _HTML_TEXT:
        text = f"{len(value)} items: {text}"
    return html.escape(text if len(text) <= _HTML_TEXT else f"{text[:_HTML_TEXT]}…")


def _html_table(caption: str, rows: list[list[str]], names: Iterable[str] = ()) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    top = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{top}{f'<tr>{head}</tr>' if head else ''}{body}</table>"
