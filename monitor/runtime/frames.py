"""Tables in files: CSV, Parquet and JSON Lines become Arrow columns; a file that cannot be read becomes one sentence.

Cells of a CSV file stay text, as the file says nothing of their types; what pandas reads as missing is null in it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from monitor.errors import ConfigError

Values: TypeAlias = "pa.Array | Sequence[object]"
"""One column: an Arrow array, or Python values where rows differ in type."""

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_DELIMITERS = ",;\t|"
_MISSING = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"]
_MISSING += ["N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]


@dataclass(frozen=True, slots=True)
class Frame:
    """The columns of a table by name, n > 0 rows each. typed: False where all cells are text that may mean numbers.

    left_out: names of columns that are not here: repetitions of a name, and columns without one.
    """

    path: Path
    columns: Mapping[str, Values]
    rows: int
    typed: bool
    left_out: tuple[str, ...] = ()


def read_frame(path: Path) -> Frame:
    """The table of a file, by the ending of its name; ConfigError says what is wrong with it, and in which row."""
    ending = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    reader = _READERS.get(ending)
    if reader is None:
        raise ConfigError(f"{path}: tables end in {', '.join(sorted(_READERS))}, or one of these and .gz")
    try:
        frame = reader(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror or error}): check the path and the file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8: save it as UTF-8") from None
    except pa.ArrowException as error:
        raise ConfigError(f"{path} cannot be read as {ending}: {_first_line(error)}") from None
    if frame.rows == 0:
        raise ConfigError(f"{path} holds no rows: name a table with some")
    return frame


def _csv(path: Path) -> Frame:
    header, delimiter = _header(path)
    wrong: list[Any] = []

    def note(row: Any) -> str:
        wrong.append(row)
        return "error"

    # Names are positions, so that repeated and empty ones do no harm.
    positions = [str(index) for index in range(len(header))]

    def parse(threads: bool) -> pa.Table:
        return pa.csv.read_csv(
            path,
            pa.csv.ReadOptions(column_names=positions, skip_rows_after_names=1, use_threads=threads),
            pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(positions, pa.string()),
                null_values=_MISSING,
                strings_can_be_null=True,
            ),
        )

    try:
        table = parse(threads=True)
    except pa.ArrowInvalid as error:
        if not wrong:
            raise ConfigError(f"{path} is not UTF-8 text with one row a line: {_first_line(error)}") from None
        wrong.clear()
        try:  # Once more: only a single thread knows the number of the row.
            parse(threads=False)
        except pa.ArrowInvalid:
            row = wrong[0]
        raise ConfigError(
            f"{path}, row {row.number - 1}: has {row.actual_columns} cells where the header has "
            f"{row.expected_columns}: correct that row"
        ) from None
    return _frame(path, header, [column.combine_chunks() for column in table.columns], typed=False)


def _header(path: Path) -> tuple[list[str], str]:
    """The names in the first row, and what stands between them."""
    with pa.input_stream(str(path), compression="detect") as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        start = lines.readline()
        delimiter = max(_DELIMITERS, key=lambda mark: len(next(csv.reader([start], delimiter=mark), [])))
        rest: io.TextIOBase = lines
        names = next(csv.reader(_chained(start, rest), delimiter=delimiter), [])
    if not names:
        raise ConfigError(f"{path} is empty: the first row must name the columns")
    return names, delimiter


def _chained(first: str, rest: io.TextIOBase) -> Any:
    yield first
    yield from rest


def _parquet(path: Path) -> Frame:
    table = pa.parquet.ParquetFile(path).read()
    names = ["" if _PANDAS_INDEX.fullmatch(name) else name for name in table.column_names]
    return _frame(path, names, [_plain(column.combine_chunks()) for column in table.columns], typed=True)


def _plain(column: pa.Array) -> pa.Array:
    """A column of the few types that cells are made from."""
    if isinstance(column, pa.ChunkedArray):  # Of no chunk at all.
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type) or pa.types.is_float16(column.type):
        return column.cast(pa.float64())
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.string())
    return column


def _json_lines(path: Path) -> Frame:
    def parse(kinds: Mapping[str, pa.DataType]) -> pa.Table:
        options = pa.json.ParseOptions(explicit_schema=pa.schema(list(kinds.items())))
        with pa.input_stream(str(path), compression="detect") as stream:
            return pa.json.read_json(stream, parse_options=options)

    try:
        table = parse({})
        # Arrow takes text that looks like a time for one; here it is text until its column is known to hold times.
        times = {field.name: pa.string() for field in table.schema if pa.types.is_timestamp(field.type)}
        table = parse(times) if times else table
    except pa.ArrowInvalid:
        return _mixed_json(path)
    return _frame(path, table.column_names, [column.combine_chunks() for column in table.columns], typed=True)


def _mixed_json(path: Path) -> Frame:
    """As `_json_lines`, slower: for columns whose values differ in type, and for one list of all rows."""
    with pa.input_stream(str(path), compression="detect") as stream:
        text = stream.read()
    rows = _list_of_rows(path, text) if text.lstrip().startswith(b"[") else _rows(path, text.splitlines())
    names = dict.fromkeys(name for row in rows for name in row)
    return _frame(path, list(names), [[row.get(name) for row in rows] for name in names], typed=True)


def _list_of_rows(path: Path, text: bytes) -> list[dict[str, object]]:
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}, line {error.lineno}: is not JSON: correct it") from None
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ConfigError(f"{path}, row {number}: is not a JSON object: write {{column: value, ...}}")
    return list(rows)


def _rows(path: Path, lines: Sequence[bytes]) -> list[dict[str, object]]:
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = orjson.loads(line) if line.strip() else {}
        except orjson.JSONDecodeError:
            row = None
        if not isinstance(row, dict):
            raise ConfigError(f"{path}, line {number}: is not a JSON object: write {{column: value, ...}}")
        if row:
            rows.append(row)
    return rows


def _frame(path: Path, names: Sequence[str], columns: Sequence[Values], *, typed: bool) -> Frame:
    named: dict[str, Values] = {}
    left_out = []
    for name, column in zip(names, columns, strict=True):
        if not name or name in named:
            left_out.append(name)
        else:
            named[name] = column
    rows = len(columns[0]) if columns else 0
    return Frame(path, named, rows, typed, tuple(left_out))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


_READERS: Mapping[str, Callable[[Path], Frame]] = {
    "csv": _csv,
    "tsv": _csv,
    "parquet": _parquet,
    "pq": _parquet,
    "jsonl": _json_lines,
    "ndjson": _json_lines,
    "json": _json_lines,
}
