from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitor.runtime.frames import Values
from monitor.runtime.inference import Inferred, as_numbers, guess_task, infer

N = 1000
RANDOM = np.random.default_rng(20261123)
NUMERIC, CATEGORICAL = Inferred("numeric"), Inferred("categorical")


def both(values: object) -> list[tuple[Values, bool]]:
    """A column as a typed file and as a CSV file have it."""
    typed = pa.array(values, from_pandas=True)
    cells = pd.Series(values).astype(object)
    text = [None if pd.isna(cell) else str(cell) for cell in cells]
    return [(typed, True), (pa.array(text, pa.string()), False)]


def inferred(name: str, values: object) -> Inferred:
    """What a column is; the same in typed files and in CSV."""
    first, second = (infer(name, column, typed=typed) for column, typed in both(values))
    assert first == second
    return first


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("amount", RANDOM.lognormal(size=N)),
        ("age", RANDOM.integers(17, 90, N)),
        ("capital_gain", np.where(RANDOM.random(N) < 0.9, 0, RANDOM.integers(1, 99_999, N))),
        ("income", RANDOM.integers(10_000, 900_000, N)),
        ("tenths", RANDOM.choice([0.1, 0.25], N)),
        ("years", [None if RANDOM.random() < 0.3 else float(year) for year in RANDOM.integers(0, 40, N)]),
        ("YearBuilt", RANDOM.integers(1900, 2020, N)),
        ("hours per day", RANDOM.integers(0, 24, N)),
        ("daytime minutes", RANDOM.normal(180, 50, N)),
    ],
)
def test_amounts_are_numeric(name: str, values: object) -> None:
    assert inferred(name, values) == NUMERIC


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("country", RANDOM.choice(["PL", "DE", "NO"], N)),
        ("flag", RANDOM.choice([True, False], N)),
        ("grade", RANDOM.integers(0, 10, N)),
        ("dependents", [None if RANDOM.random() < 0.3 else float(n) for n in RANDOM.integers(0, 5, N)]),
        ("zip_code", RANDOM.integers(10_000, 10_300, N)),
        ("storeId", RANDOM.integers(0, 30, N)),
        ("postal", [f"{code:05d}" for code in RANDOM.integers(0, 300, N)]),
        ("city", [f"city {code}" for code in RANDOM.integers(0, 300, N)]),
    ],
)
def test_names_and_codes_are_categorical(name: str, values: object) -> None:
    assert inferred(name, values) == CATEGORICAL


@pytest.mark.parametrize(
    ("why", "name", "values"),
    [
        ("holds no values", "empty", [None, None]),
        ("names rows", "customer_id", RANDOM.permutation(N) * 7_919),
        ("names rows", "customerID", RANDOM.integers(0, 400, N)),
        ("names rows", "n", np.arange(N)),
        ("names rows", "n", RANDOM.permutation(N) + 5_000),
        ("names rows: nearly every value differs", "ref", [f"APP-{row}" for row in range(N)]),
        ("holds free text", "note", [f"the customer called about loan {row}" for row in range(N)]),
        ("holds times", "created_at", 1_764_000_000 + np.arange(N) // 50),
        ("holds times", "x", 1_764_000_000_000 + RANDOM.permutation(N) * 997),
        ("holds times", "sale date", RANDOM.choice([20_250_101, 20_250_630, 20_251_231], N)),
        ("holds times", "d", pd.date_range("2026-01-01", periods=N).strftime("%Y-%m-%d")),
        ("holds times", "d", pd.date_range("2026-01-01", periods=N).strftime("%m/%d/%Y %H:%M")),
    ],
)
def test_what_cannot_drift_is_switched_off_with_its_reason(why: str, name: str, values: object) -> None:
    assert inferred(name, values).why == why


@pytest.mark.parametrize(("kind", "value"), [("categorical", "x"), ("categorical", 7), ("numeric", 1.5)])
def test_what_never_changed_is_watched_all_the_same(kind: str, value: object) -> None:
    found = inferred("constant", [value] * N)
    assert (found.kind, found.why) == (kind, "")
    assert found.note == "always holds the same value: any other is reported as never seen"


def test_times_and_nested_values_of_typed_files_are_switched_off() -> None:
    times = pa.array(pd.date_range("2026-01-01", periods=5))
    assert infer("x", times, typed=True).why == "holds times"
    assert infer("x", pa.array([[1], [2]]), typed=True).why == "holds nested values"


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_a_word_for_missing_does_not_make_amounts_categories(share: float) -> None:
    cells = ["?" if RANDOM.random() < share else str(value) for value in RANDOM.lognormal(size=N).round(3)]
    found = infer("income", pa.array(cells), typed=False)
    assert (found.kind, found.why) == ("numeric", "")
    assert found.note == f"{cells.count('?')} of its {N} values are no numbers and count as invalid"


@pytest.mark.parametrize("share", [0.01, 0.2, 0.4])
def test_infinities_do_not_make_amounts_categories(share: float) -> None:
    infinite = np.where(RANDOM.random(N) < 0.5, np.inf, -np.inf)
    cells = np.where(RANDOM.random(N) < share, infinite, RANDOM.lognormal(size=N))
    cells[:50] = np.nan
    invalid = np.count_nonzero(np.isinf(cells))
    found = inferred("amount", cells)
    assert found == Inferred("numeric", note=f"{invalid} of its {N - 50} values are no numbers and count as invalid")


def test_text_beside_many_numbers_makes_categories() -> None:
    cells = [f"{row % 300}" if row % 3 else f"x{row % 7}" for row in range(N)]
    assert infer("x", pa.array(cells), typed=False).kind == "categorical"


def test_values_of_differing_types_are_inferred_too() -> None:
    assert infer("x", [True, False, None] * 10, typed=True) == CATEGORICAL
    assert infer("x", [1.5, 2.5, "?"] * 10 + [0.25 * row for row in range(60)], typed=True).kind == "numeric"


def test_digits_with_leading_zeros_are_no_numbers() -> None:
    assert as_numbers(pa.array(["01", "2"])) is None
    assert as_numbers(pa.array(["0", "0.5"])) is not None


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("binary", RANDOM.integers(0, 2, N)),
        ("binary", RANDOM.choice([0.0, 1.0], N)),
        ("binary", RANDOM.choice(["yes", "no"], N)),
        ("binary", RANDOM.choice([True, False], N)),
        ("multiclass", RANDOM.integers(0, 10, N)),
        ("multiclass", RANDOM.choice(list("abc"), N)),
        ("multiclass", [f"city {code}" for code in RANDOM.integers(0, 300, N)]),
        ("regression", RANDOM.normal(size=N)),
        ("regression", RANDOM.integers(0, 500, N)),
        ("regression", RANDOM.choice([0.5, 1.5, 2.5], N)),
    ],
)
def test_the_task_is_that_of_its_target(task: str, target: object) -> None:
    for column, typed in both(target):
        assert guess_task(column, typed=typed) == task
