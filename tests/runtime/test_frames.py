from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.runtime.frames import Frame, read_frame

FRAME = pd.DataFrame({"a": [1.5, None, 3.0], "b": ["x", "é", None], "c": [1, 2, 3]})


def values(frame: Frame, name: str) -> list[object]:
    column = frame.columns[name]
    return column.to_pylist() if isinstance(column, pa.Array) else list(column)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "T.CSV", "t.tsv"])
def test_cells_of_csv_are_text(tmp_path: Path, name: str) -> None:
    FRAME.to_csv(tmp_path / name, index=False, sep="\t" if name.endswith("tsv") else ",", compression="infer")
    frame = read_frame(tmp_path / name)
    assert not frame.typed
    assert frame.rows == 3
    assert [values(frame, column) for column in "abc"] == [["1.5", None, "3.0"], ["x", "é", None], ["1", "2", "3"]]


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "t.jsonl.gz", "t.ndjson"])
def test_cells_of_typed_files_keep_their_types(tmp_path: Path, name: str) -> None:
    if name == "t.parquet":
        FRAME.to_parquet(tmp_path / name)
    else:
        FRAME.to_json(tmp_path / name, orient="records", lines=True, compression="infer")
    frame = read_frame(tmp_path / name)
    assert frame.typed
    assert [values(frame, column) for column in "abc"] == [[1.5, None, 3.0], ["x", "é", None], [1, 2, 3]]


def test_one_list_of_all_rows_is_read_as_json(tmp_path: Path) -> None:
    FRAME.to_json(tmp_path / "t.json", orient="records")
    assert values(read_frame(tmp_path / "t.json"), "a") == [1.5, None, 3.0]


def test_rows_of_json_may_differ_in_keys_and_types(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1, "b": true}\n\n{"a": "x", "c": [1]}\n')
    frame = read_frame(tmp_path / "t.jsonl")
    assert {name: values(frame, name) for name in frame.columns} == {
        "a": [1, "x"],
        "b": [True, None],
        "c": [None, [1]],
    }


def test_text_of_json_that_looks_like_a_time_stays_text(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": "2026-11-23"}\n')
    assert values(read_frame(tmp_path / "t.jsonl"), "a") == ["2026-11-23"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "t.csv").write_text(f"a{delimiter}b\n1{delimiter}2\n")
    assert list(read_frame(tmp_path / "t.csv").columns) == ["a", "b"]


def test_what_pandas_reads_as_missing_is_missing(tmp_path: Path) -> None:
    words = ["", "NA", "NaN", "nan", "null", "None", "N/A", "<NA>", "#N/A", "x", "na", "?", "-", " "]
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f'"{word}",1\n' for word in words))
    expected = pd.read_csv(tmp_path / "t.csv")["a"]
    assert values(read_frame(tmp_path / "t.csv"), "a") == expected.astype(object).where(expected.notna(), None).tolist()


def test_cells_may_hold_quotes_delimiters_and_line_ends(tmp_path: Path) -> None:
    cells = ['a,"b"', "line\nend", "\r\n", "é😀"]
    pd.DataFrame({'h"1,\n': cells, "n": 1}).to_csv(tmp_path / "t.csv", index=False)
    assert values(read_frame(tmp_path / "t.csv"), 'h"1,\n') == cells


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False, encoding="utf-8-sig")
    assert list(read_frame(tmp_path / "t.csv").columns) == ["a", "b", "c"]


def test_columns_without_a_name_and_repeated_ones_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",a,b,a\n0,1,2,3\n")
    frame = read_frame(tmp_path / "t.csv")
    assert {name: values(frame, name) for name in frame.columns} == {"a": ["1"], "b": ["2"]}
    assert frame.left_out == ("", "a")


def test_the_index_that_pandas_writes_to_parquet_is_no_column(tmp_path: Path) -> None:
    FRAME.set_index(pd.Index([7, 5, 9])).to_parquet(tmp_path / "t.parquet")
    assert list(read_frame(tmp_path / "t.parquet").columns) == ["a", "b", "c"]


def test_dictionaries_decimals_and_large_text_become_plain(tmp_path: Path) -> None:
    table = pa.table(
        {
            "dictionary": pa.array(["x", None, "x"]).dictionary_encode(),
            "decimal": pa.array([1, 2, None], pa.decimal128(10, 2)),
            "large": pa.array(["x", "y", None], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    frame = read_frame(tmp_path / "t.parquet")
    assert values(frame, "dictionary") == ["x", None, "x"]
    assert values(frame, "decimal") == [1.0, 2.0, None]
    assert values(frame, "large") == ["x", "y", None]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", b"a,b,c\n1,2,3\n1,2\n", r"t\.csv, row 2: has 2 cells where the header has 3: correct that row"),
        ("t.csv", b'a,b\n"x\ny",2\n1,2\n1,2,3\n', r"t\.csv, row 3: has 3 cells where the header has 2"),
        ("t.csv", b"", r"t\.csv is empty: the first row must name the columns"),
        ("t.csv", b"a,b\n", r"t\.csv holds no rows"),
        ("t.csv", b"a,b\n1,\xff\n", r"t\.csv is not UTF-8"),
        ("t.csv", b"a,\xff\n1,2\n", r"t\.csv is not UTF-8"),
        ("t.csv.gz", b"not gzip", r"t\.csv\.gz cannot be read"),
        ("t.jsonl", b'{"a": 1}\n[1]\n', r"t\.jsonl, line 2: is not a JSON object"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', r"t\.jsonl, line 2: is not a JSON object"),
        ("t.jsonl", b"\n", r"t\.jsonl holds no rows"),
        ("t.json", b'[{"a": 1}, 2]', r"t\.json, row 2: is not a JSON object"),
        ("t.json", b'[{"a": 1},\n', r"t\.json, line 2: is not JSON"),
        ("t.parquet", b"PAR1", r"t\.parquet cannot be read as parquet"),
        ("t.xlsx", b"", r"t\.xlsx: tables end in csv, json, jsonl"),
        ("table", b"", r"table: tables end in csv"),
    ],
)
def test_a_file_that_is_no_table_is_one_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_frame(tmp_path / name)
    assert len(caught.value.problems) == 1
    assert "\n" not in caught.value.problems[0]


def test_a_file_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    for name in ("t.csv", "t.parquet", "t.jsonl"):
        with pytest.raises(ConfigError, match=r"cannot be read \("):
            read_frame(tmp_path / name)


@settings(max_examples=200, deadline=None)
@given(
    ending=st.sampled_from(["csv", "jsonl", "csv.gz"]),
    content=st.binary(max_size=60) | st.text(alphabet='ab,"\n{}[]:1;', max_size=60).map(str.encode),
)
def test_any_bytes_are_a_table_or_sentences(
    tmp_path_factory: pytest.TempPathFactory, ending: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    problems: tuple[str, ...] = ()
    try:
        frame = read_frame(path)
    except ConfigError as error:
        problems = error.problems
    assert problems or all(len(column) == frame.rows for column in frame.columns.values())
