"""Rows of a data file, with the line each one came from.

JSON Lines, a JSON array, CSV (comma or tab), plain text and parquet; any of them gzipped; `-` is standard input and
`hf://NAME:SPLIT` a dataset of the Hugging Face hub. What a row means is decided in `examples`.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

from tinker.recipes.errors import DataError, Problem, missing_extra

STDIN = "-"
HUB = "hf://"
_TEXT_ENDINGS = (".txt", ".md")
_CSV_ENDINGS = {".csv": ",", ".tsv": "\t"}


@frozen
class Row:
    """One row of a data file."""

    line: int
    """Line it begins at, from 1; the number of the row where rows have no lines of their own, as in a JSON array on one
    line, parquet and hub datasets."""
    value: Any
    """The parsed JSON value, a dict of columns, or the text of a paragraph."""


@frozen
class Rows:
    """All rows of one source."""

    source: str
    """The path as given, `standard input`, or the `hf://` name."""
    container: str
    """How the rows are stored: `jsonl`, `json`, `csv`, `txt`, `parquet` or `hub`."""
    rows: Sequence[Row]
    sha256: str
    """Of the content, so that a resumed run can tell that its data changed."""


def read(source: str | Path) -> Rows:
    """Read all rows of a source.

    Args:
        source: A path, `-` for standard input, or `hf://NAME:SPLIT` (needs the package `datasets`).

    Raises:
        DataError: The source does not exist, is empty, is not UTF-8, or has lines that do not parse. It lists them.
    """
    name = str(source)
    if name.startswith(HUB):
        return _read_hub(name)
    if name == STDIN:
        return _parse("standard input", "", sys.stdin.buffer.read())
    path = Path(name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{name} does not exist.") from None
    except IsADirectoryError:
        raise DataError(f"{name} is a folder; give the path of a data file.") from None
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}.") from None
    return _parse(name, path.name.removesuffix(".gz").lower(), content)


def _parse(source: str, file_name: str, content: bytes) -> Rows:
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{source} is not a complete gzip file: {error}.") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if content[:4] == b"PAR1":
        return Rows(source, "parquet", _parquet(source, content), sha256)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source} is not UTF-8: byte {error.start} on line {line}. Convert it, for example with "
            "`iconv -f LATIN1 -t UTF-8`."
        ) from None
    if not text.strip():
        raise DataError(f"{source} is empty.")
    ending = Path(file_name).suffix
    if ending in _TEXT_ENDINGS:
        return Rows(source, "txt", list(_paragraphs(text)), sha256)
    if ending in _CSV_ENDINGS:
        return Rows(source, "csv", list(_csv(source, text, _CSV_ENDINGS[ending])), sha256)
    beginning = text.lstrip()[0]
    if beginning == "[" and ending != ".jsonl":
        return Rows(source, "json", _json_array(source, text), sha256)
    if beginning in "{[" or ending in (".json", ".jsonl"):
        return Rows(source, "jsonl", _json_lines(source, text), sha256)
    return Rows(source, "txt", list(_paragraphs(text)), sha256)


def _json_lines(source: str, text: str) -> list[Row]:
    rows: list[Row] = []
    problems: list[Problem] = []
    # Not splitlines(): JSON strings may hold U+2028, which it takes for a line's end.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(Row(number, orjson.loads(line)))
        except orjson.JSONDecodeError as error:
            problems.append(Problem(number, f"not valid JSON: {error.msg} at column {error.colno}"))
    if problems and not rows:  # one value over several lines
        try:
            return [Row(1, orjson.loads(text))]
        except orjson.JSONDecodeError:
            pass
    if problems:
        raise DataError(f"{source} has lines that are not JSON.", problems)
    return rows


def _json_array(source: str, text: str) -> list[Row]:
    decoder = json.JSONDecoder()
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "\n" in text.strip():  # rows that are arrays, one a line
            return _json_lines(source, text)
        raise DataError(
            f"{source} is not valid JSON.",
            [Problem(error.lineno, f"{error.msg} at column {error.colno}")],
        ) from None
    if not values:
        raise DataError(f"{source} is an empty list.")
    rows = []
    position, line, counted = text.index("[") + 1, 1, 0
    for value in values:
        while text[position] in " \t\r\n,":
            position += 1
        line += text.count("\n", counted, position)
        counted = position
        _, position = decoder.raw_decode(text, position)
        rows.append(Row(line, value))
    if len({row.line for row in rows}) < len(rows):
        return [Row(number, value) for number, value in enumerate(values, 1)]
    return rows


def _csv(source: str, text: str, delimiter: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    previous = 1
    try:
        for columns in reader:
            if None in columns or None in columns.values():
                count = len(reader.fieldnames or ())
                raise DataError(
                    f"{source} has rows of different lengths.",
                    [Problem(previous + 1, f"the header names {count} columns")],
                )
            yield Row(previous + 1, dict(columns))
            previous = reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{source} is not valid CSV.", [Problem(reader.line_num, str(error))]
        ) from None


def _paragraphs(text: str) -> Iterator[Row]:
    """Texts separated by blank lines."""
    begin, lines = 0, list[str]()
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.strip():
            begin = begin or number
            lines.append(line)
        elif lines:
            yield Row(begin, "\n".join(lines))
            begin, lines = 0, []


def _parquet(source: str, content: bytes) -> list[Row]:
    try:
        from pyarrow import parquet  # noqa: PLC0415  # optional
    except ModuleNotFoundError as error:
        raise missing_extra("reading parquet files", error, "data") from None
    try:
        table = parquet.read_table(io.BytesIO(content))
    except Exception as error:  # noqa: BLE001  # pyarrow raises many kinds
        raise DataError(f"{source} is not a valid parquet file: {error}") from None
    return [Row(number, value) for number, value in enumerate(table.to_pylist(), 1)]


def _read_hub(name: str) -> Rows:
    try:
        import datasets  # noqa: PLC0415  # optional
    except ModuleNotFoundError as error:
        raise missing_extra("reading hf:// datasets", error, "data") from None
    dataset, _, split = name.removeprefix(HUB).partition(":")
    try:
        rows = list(datasets.load_dataset(dataset, split=split or "train"))
    except Exception as error:  # noqa: BLE001  # the library's own tree of errors
        raise DataError(f"{name} cannot be loaded: {error}") from None
    sha256 = hashlib.sha256(repr(rows).encode()).hexdigest()
    return Rows(name, "hub", [Row(number, row) for number, row in enumerate(rows, 1)], sha256)
