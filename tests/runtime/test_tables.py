from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from monitor.config import Columns
from monitor.errors import ConfigError
from monitor.events.batch import CategoricalColumn, Column, NumericColumn
from monitor.events.ids import digest
from monitor.events.schema import Schema
from monitor.runtime.tables import Table, read_labels, read_table

SCHEMA = Schema("fraud", "binary", {"amount": "numeric", "country": "categorical"}, "1")
ROWS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "timestamp": [f"2026-11-23T10:00:0{second}Z" for second in (3, 1, 2, 0)],
        "version": ["1.10", "1.10", "1.9", None],
        "amount": [1.5, None, 3.0, -4.0],
        "country": ["PL", "DE", "PL", None],
        "prediction": [1, 0, 1, 0],
        "score": [0.9, 0.1, None, 0.4],
        "label": [1, 0, None, 1],
    }
)
FIRST_MS = int(pd.Timestamp("2026-11-23T10:00:00Z").value // 1_000_000)


def written(path: Path, frame: pd.DataFrame) -> Path:
    match path.name.partition(".")[2]:
        case "csv":
            frame.to_csv(path, index=False)
        case "parquet":
            frame.to_parquet(path)
        case _:
            frame.to_json(path, orient="records", lines=True)
    return path


def table(directory: Path, frame: pd.DataFrame, schema: Schema = SCHEMA, **columns: object) -> Table:
    return read_table(written(directory / "t.csv", frame), schema, Columns.model_validate(columns))


def plain(column: Column | None) -> list[object]:
    if isinstance(column, NumericColumn):
        states = zip(column.values.tolist(), column.state.tolist(), strict=True)
        return [value if state == 0 else (None, "invalid")[state - 1] for value, state in states]
    assert isinstance(column, CategoricalColumn)
    return [column.values[code] if code >= 0 else None for code in column.codes.tolist()]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_a_table_is_read_alike_from_every_format(tmp_path: Path, name: str) -> None:
    found = read_table(written(tmp_path / name, ROWS), SCHEMA, Columns())
    events = found.predictions
    assert not found.by_row
    assert (events.time_ms - FIRST_MS).tolist() == [3000, 1000, 2000, 0]
    assert events.key.tolist() == [digest(text) for text in "abcd"]
    assert events.identified.all()
    assert plain(events.version) == ["1.10", "1.10", "1.9", ""]
    assert plain(events.features["amount"]) == [1.5, None, 3.0, -4.0]
    assert plain(events.features["country"]) == ["PL", "DE", "PL", None]
    assert plain(events.prediction) == ["1", "0", "1", "0"]
    assert {name: plain(score) for name, score in events.scores.items()} == {"1": [0.9, 0.1, None, 0.4]}
    assert events.origin.offset.tolist() == [0, 1, 2, 3]
    assert (events.received_ms == -1).all()


def test_a_version_is_what_is_written(tmp_path: Path) -> None:
    assert plain(table(tmp_path, ROWS.assign(version=["1.0", "2.0", "2.0", "3.0"])).predictions.version)[0] == "1.0"


def test_an_empty_text_is_no_label(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", ROWS.assign(label=["ok", "", "bad", "ok"]))
    labels = read_table(path, SCHEMA, Columns()).labels
    assert labels is not None
    assert plain(labels.value) == ["ok", "bad", "ok"]


def test_labels_are_those_of_the_rows_that_have_one(tmp_path: Path) -> None:
    labels = table(tmp_path, ROWS).labels
    assert labels is not None
    assert plain(labels.value) == ["1", "0", "1"]
    assert labels.key.tolist() == [digest(text) for text in "abd"]
    assert (labels.time_ms - FIRST_MS).tolist() == [3000, 1000, 0]


def test_pairs_stand_beside_their_own_predictions(tmp_path: Path) -> None:
    pairs = table(tmp_path, ROWS).pairs
    assert pairs is not None
    assert plain(pairs.prediction) == ["1", "0", "0"]
    assert plain(pairs.label) == ["1", "0", "1"]
    assert plain(pairs.scores["1"]) == [0.9, 0.1, 0.4]


def test_a_table_without_labels_has_none(tmp_path: Path) -> None:
    found = table(tmp_path, ROWS.drop(columns="label"))
    assert found.labels is None
    assert found.pairs is None


def test_without_timestamps_the_row_number_is_the_time(tmp_path: Path) -> None:
    found = table(tmp_path, ROWS.drop(columns="timestamp"))
    assert found.by_row
    assert found.predictions.time_ms.tolist() == [0, 1, 2, 3]


def test_rows_without_an_id_are_known_by_their_position(tmp_path: Path) -> None:
    events = table(tmp_path, ROWS.assign(id=["a", None, "", "a"])).predictions
    assert events.identified.tolist() == [True, False, False, True]
    assert len(np.unique(events.key)) == 3
    without = table(tmp_path, ROWS.drop(columns="id"))
    assert not without.predictions.identified.any()
    assert without.labels is not None
    assert np.isin(without.labels.key, without.predictions.key).all()


def test_ids_that_are_numbers_are_those_of_events(tmp_path: Path) -> None:
    for ids in ([7, 8, 9, 10], [7.0, 8.0, 9.0, 10.0]):
        events = table(tmp_path, ROWS.assign(id=ids)).predictions
        assert events.key.tolist() == [digest(str(number)) for number in (7, 8, 9, 10)]


def test_columns_are_mapped_by_role(tmp_path: Path) -> None:
    mapping = {
        "id": "key",
        "timestamp": "event time",
        "prediction": "y_pred",
        "score": "p:1",
        "label": "y",
        "version": "v",
    }
    frame = ROWS.rename(columns=mapping)
    mapped, direct = table(tmp_path, frame, **mapping), table(tmp_path, ROWS)
    assert mapped.predictions.key.tolist() == direct.predictions.key.tolist()
    assert mapped.predictions.time_ms.tolist() == direct.predictions.time_ms.tolist()
    assert plain(mapped.predictions.prediction) == plain(direct.predictions.prediction)
    assert plain(mapped.predictions.scores["1"]) == plain(direct.predictions.scores["1"])
    assert plain(mapped.predictions.version) == plain(direct.predictions.version)
    assert mapped.labels is not None
    assert len(mapped.labels) == 3


def test_a_feature_with_the_name_of_a_role_is_a_feature(tmp_path: Path) -> None:
    schema = Schema("fraud", "binary", {"score": "numeric", "label": "categorical"}, "1")
    found = table(tmp_path, ROWS, schema)
    assert plain(found.predictions.features["score"]) == [0.9, 0.1, None, 0.4]
    assert found.predictions.scores == {}
    assert found.labels is None


def test_a_multiclass_model_has_a_score_column_a_class(tmp_path: Path) -> None:
    schema = Schema("m", "multiclass", {})
    frame = ROWS.assign(p_a=[0.1, 0.2, 0.3, 0.4], p_b=[0.9, 0.8, 0.7, 0.6])
    found = table(tmp_path, frame, schema, score={"a": "p_a", "b": "p_b"})
    assert {name: plain(score) for name, score in found.predictions.scores.items()} == {
        "a": [0.1, 0.2, 0.3, 0.4],
        "b": [0.9, 0.8, 0.7, 0.6],
    }


def test_a_regression_predicts_numbers(tmp_path: Path) -> None:
    frame = ROWS.assign(prediction=[1.5, 2.5, None, 4], label=[1, 2, 3, None])
    found = table(tmp_path, frame, Schema("m", "regression", {}))
    assert plain(found.predictions.prediction) == [1.5, 2.5, None, 4.0]
    assert found.predictions.scores == {}
    assert found.labels is not None
    assert plain(found.labels.value) == [1.0, 2.0, 3.0]


def test_a_bad_cell_of_a_numeric_feature_is_invalid_and_no_failure(tmp_path: Path) -> None:
    events = table(tmp_path, ROWS.assign(amount=["1.5", "oops", None, "2"])).predictions
    assert plain(events.features["amount"]) == [1.5, "invalid", None, 2.0]


def test_features_without_a_column_have_missing_values_and_are_named(tmp_path: Path) -> None:
    schema = Schema("m", "binary", {"amuont": "numeric", "x": "categorical"}, "1")
    found = table(tmp_path, ROWS[["amount", "country"]], schema)
    assert found.absent == {"amuont": "amount", "x": ""}
    assert {name: plain(column) for name, column in found.predictions.features.items()} == {
        "amuont": [None] * len(ROWS),
        "x": [None] * len(ROWS),
    }


@pytest.mark.parametrize(
    ("changed", "columns", "sentence"),
    [
        (
            {"timestamp": ["2026-11-23", "2026-11-23", "tomorrow", "x"]},
            {},
            r"'timestamp', row 3: the timestamp is neither",
        ),
        ({"timestamp": ["2026-11-23", None, "2026-11-23", "x"]}, {}, r"'timestamp', row 2: the event has no timestamp"),
        ({"timestamp": [1764000000] * 4}, {}, r"'timestamp', row 1: the timestamp is in seconds"),
        ({"score": [0.1, 1.5, 0.1, 7]}, {}, r"'score', row 2: is no probability from 0 to 1"),
        ({"score": [0.1, 0.5, "high", 0]}, {}, r"'score', row 3: is no number"),
        ({"p": [0.1, -0.5, 1, 0]}, {"score": "p"}, r"'p', row 2: is no probability"),
        ({}, {"score": "p"}, r"has no column 'p'"),
        ({}, {"label": "labels"}, r"has no column 'labels': did you mean 'label'\?"),
    ],
)
def test_a_wrong_cell_is_named_with_column_and_row(
    tmp_path: Path, changed: dict[str, object], columns: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        table(tmp_path, ROWS.assign(**changed), **columns)  # type: ignore[arg-type]


def test_text_where_a_number_is_predicted_is_named_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"column 'label', row 2: is no number: correct it"):
        table(tmp_path, ROWS.assign(label=["1", "?", "2", "3"]), Schema("m", "regression", {}))


def labels_of(directory: Path, frame: pd.DataFrame, found: Table, **columns: object) -> list[tuple[int, object, int]]:
    labels = read_labels(written(directory / "labels.csv", frame), SCHEMA, Columns.model_validate(columns), found)
    return list(zip(labels.key.tolist(), plain(labels.value), (labels.time_ms - FIRST_MS).tolist(), strict=True))


def test_labels_of_a_file_of_their_own_have_their_own_times(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["b", "zz"], "label": [1, 0], "timestamp": ["2026-11-23T10:01:00Z"] * 2})
    found = table(tmp_path, ROWS)
    assert labels_of(tmp_path, frame, found) == [(digest("b"), "1", 60_000), (digest("zz"), "0", 60_000)]


def test_labels_without_a_time_take_that_of_their_first_prediction(tmp_path: Path) -> None:
    found = table(tmp_path, ROWS.assign(id=["a", "b", "a", "d"]))
    frame = pd.DataFrame({"id": ["d", "a", "zz", "b", None], "label": [1, 0, 1, None, 1]})
    assert labels_of(tmp_path, frame, found) == [
        (digest("d"), "1", 0),
        (digest("a"), "0", 2000),
        (digest("zz"), "1", 3000),
    ]


def test_a_file_of_labels_may_use_the_names_of_the_roles_or_the_mapped_ones(tmp_path: Path) -> None:
    found = table(tmp_path, ROWS.rename(columns={"id": "request"}), id="request")
    expected = [(digest("a"), "1", 3000)]
    assert labels_of(tmp_path, pd.DataFrame({"id": ["a"], "label": [1]}), found, id="request", label="y") == expected
    assert labels_of(tmp_path, pd.DataFrame({"request": ["a"], "y": [1]}), found, id="request", label="y") == expected


def test_labels_of_a_table_by_row_take_the_row_of_their_prediction(tmp_path: Path) -> None:
    found = table(tmp_path, ROWS.drop(columns="timestamp"))
    frame = pd.DataFrame({"id": ["c"], "label": [1], "timestamp": ["2026-11-23T10:01:00Z"]})
    assert labels_of(tmp_path, frame, found) == [(digest("c"), "1", 2 - FIRST_MS)]


def test_a_file_of_labels_needs_ids_and_labels(tmp_path: Path) -> None:
    found = table(tmp_path, ROWS)
    with pytest.raises(ConfigError) as caught:
        labels_of(tmp_path, pd.DataFrame({"key": ["a"]}), found)
    assert [problem.partition("labels.csv ")[2] for problem in caught.value.problems] == [
        "has no column 'id': it has key",
        "has no column 'label': it has key",
    ]
