from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import datasets
from sklearn.metrics import mean_absolute_error

from monitor.config import Columns, Config, load
from monitor.errors import ConfigError
from monitor.profiles.reference import Reference
from monitor.runtime.initialise import initialise
from monitor.runtime.tables import read_table
from monitor.statistics.performance import performance
from monitor.windows.window import WindowSpec

N = 300
HOUR_MS = 3_600_000


def credit(seed: int = 1) -> pd.DataFrame:
    """Rows of a model that scores loan applications, as a warehouse exports them."""
    random = np.random.default_rng(seed)
    bad = random.random(N) < 0.2
    return pd.DataFrame(
        {
            "application id": [f"APP-{row:06d}" for row in range(N)],
            "applied at": pd.date_range("2026-01-01", periods=N, freq="30s").strftime("%Y-%m-%d %H:%M:%S"),
            "amount: total": random.lognormal(8, 1, N),
            "été 😀": random.normal(size=N),
            "on": random.choice(["PL", "NO", "DE"], N),
            "notes": [f"called about the loan number {row}" for row in range(N)],
            "status": np.where(bad, "bad", "good"),
            "decision": np.where(random.random(N) < 0.9, np.where(bad, "bad", "good"), "good"),
            "p": np.clip(np.where(bad, 0.6, 0.2) + random.normal(0, 0.1, N), 0, 1),
        }
    )


ROLES = {"prediction": "decision", "score": "p", "label": "status", "timestamp": "applied at", "id": "application id"}

Init = Callable[..., tuple[Config, list[str]]]


@pytest.fixture
def init(tmp_path: Path) -> Init:
    def run(
        frame: pd.DataFrame,
        *,
        task: str | None = None,
        name: str = "m",
        force: bool = False,
        ending: str = "csv",
        window: str | None = None,
        **roles: object,
    ) -> tuple[Config, list[str]]:
        file = tmp_path / f"history.{ending}"
        frame.to_parquet(file) if ending == "parquet" else frame.to_csv(file, index=False)
        columns = Columns.model_validate(roles)
        said = initialise(file, name, task, columns, tmp_path, window=window, force=force)  # type: ignore[arg-type]
        return load(tmp_path / "monitor.yaml"), said

    return run


def test_what_is_written_runs_and_knows_its_reference(init: Init, tmp_path: Path) -> None:
    config, said = init(credit(), name="credit risk", **ROLES)
    spec = config.specs()["credit risk"]
    reference = config.references()["credit risk"][""]
    assert (spec.schema.task, spec.schema.positive) == ("binary", "bad")
    assert spec.schema.features == {"amount: total": "numeric", "été 😀": "numeric", "on": "categorical"}
    assert spec.features["notes"].monitor == "off"
    assert spec.window == WindowSpec(6 * HOUR_MS)
    assert list(reference.layout.features) == [*spec.schema.features, "@prediction", "@score"]
    assert (reference.rows, reference.outcome is not None) == (N, True)
    assert (tmp_path / "references" / "credit-risk.profile").exists()
    assert "took the task as binary" in said
    assert "switched off notes: holds free text" in said


def test_the_table_can_be_back_tested_with_what_is_written(init: Init, tmp_path: Path) -> None:
    config, _ = init(credit(), **ROLES)
    model = config.models["m"]
    table = read_table(tmp_path / "history.csv", config.specs()["m"].schema, model.columns, model.timezone)
    windows = ("ms", config.specs()["m"].window.size)
    again = Reference.build(config.specs()["m"].schema, table.predictions, table.pairs, windows=windows)
    assert again.digest == config.references()["m"][""].digest


def test_the_file_teaches(init: Init, tmp_path: Path) -> None:
    init(credit(), **ROLES)
    text = (tmp_path / "monitor.yaml").read_text()
    assert "notes: {type: categorical, monitor: off}  # holds free text" in text
    assert '      "amount: total": numeric\n' in text
    assert "# compiled from" not in text.splitlines()[0]
    assert all(len(line) < 160 for line in text.splitlines())
    assert sum("#" in line for line in text.splitlines()) > 20


def test_doing_it_twice_changes_nothing(init: Init, tmp_path: Path) -> None:
    init(credit(), **ROLES)
    before = (tmp_path / "monitor.yaml").read_bytes()
    init(credit(), **ROLES)
    assert (tmp_path / "monitor.yaml").read_bytes() == before


def test_what_an_earlier_init_wrote_unedited_is_replaced(init: Init) -> None:
    first, _ = init(credit(1), **ROLES)
    second, _ = init(credit(2), **ROLES)
    assert first.references()["m"][""].digest != second.references()["m"][""].digest


def test_an_edited_file_is_kept_unless_forced(init: Init, tmp_path: Path) -> None:
    init(credit(1), **ROLES)
    path = tmp_path / "monitor.yaml"
    edited = path.read_text().replace("window: 6h", "window: 2h")
    path.write_text(edited)
    before = (tmp_path / "references" / "m.profile").read_bytes()
    with pytest.raises(ConfigError, match=r"was edited or written by hand: use --force"):
        init(credit(2), **ROLES)
    assert path.read_text() == edited
    assert (tmp_path / "references" / "m.profile").read_bytes() == before
    config, _ = init(credit(2), force=True, **ROLES)
    assert config.specs()["m"].window == WindowSpec(6 * HOUR_MS)


def test_a_reference_that_init_did_not_write_is_kept_unless_forced(init: Init, tmp_path: Path) -> None:
    init(credit(1), **ROLES)
    (tmp_path / "monitor.yaml").unlink()
    with pytest.raises(ConfigError, match=r"m\.profile exists and is not of"):
        init(credit(2), **ROLES)
    (tmp_path / "references" / "m.profile").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"m\.profile exists and is not of"):
        init(credit(2), **ROLES)
    init(credit(2), force=True, **ROLES)


def test_a_checkout_with_other_line_ends_is_still_unedited(init: Init, tmp_path: Path) -> None:
    init(credit(1), **ROLES)
    path = tmp_path / "monitor.yaml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    init(credit(2), **ROLES)


def test_scores_without_decisions_get_a_threshold(init: Init) -> None:
    config, said = init(credit().drop(columns="decision"), score="p", label="status")
    spec = config.specs()["m"]
    assert spec.performance.threshold == 0.5
    assert config.references()["m"][""].layout.outcome.threshold == 0.5
    assert "took scores of 0.5 or more as 'bad', as there are no predictions" in said


def test_decisions_without_scores_are_judged_by_f1(init: Init) -> None:
    config, _ = init(credit().drop(columns="p"), prediction="decision", label="status")
    spec = config.specs()["m"]
    assert (spec.performance.metric, spec.performance.threshold) == ("f1", None)


def test_columns_with_the_names_of_roles_need_no_options(init: Init) -> None:
    frame = credit().rename(columns={column: role for role, column in ROLES.items()})
    config, said = init(frame)
    assert config.models["m"].columns == Columns()
    assert "took column 'prediction' as prediction" in said
    assert list(config.specs()["m"].schema.features) == ["amount: total", "été 😀", "on"]


@pytest.mark.parametrize(("share", "positive"), [(0.2, "u"), (0.8, "v")])
def test_without_scores_the_rarer_class_is_positive(init: Init, share: float, positive: str) -> None:
    classes = np.where(np.random.default_rng(0).random(N) < share, "u", "v")
    config, said = init(pd.DataFrame({"a": np.arange(N) * 0.5, "prediction": classes}))
    assert config.specs()["m"].schema.positive == positive
    assert f"took {positive!r} as the positive class: it is the rarer one" in said


@pytest.mark.parametrize(
    ("classes", "positive"),
    [(("yes", "no"), "yes"), ((0, 1), "1"), ((True, False), "true"), (("<=50K", ">50K"), ">50K")],
)
def test_a_class_with_a_telling_name_is_positive(init: Init, classes: tuple[object, object], positive: str) -> None:
    column = [classes[row % 3 == 0] for row in range(N)]
    flipped = [classes[row % 3 != 0] for row in range(N)]
    for prediction in (column, flipped):
        config, _ = init(pd.DataFrame({"a": np.arange(N) * 0.5, "prediction": prediction}))
        assert config.specs()["m"].schema.positive == positive


def test_the_class_that_scores_higher_is_positive_whatever_its_name(init: Init) -> None:
    frame = credit()
    config, _ = init(frame.assign(p=1 - frame["p"]), **ROLES)
    assert config.specs()["m"].schema.positive == "good"


def test_one_version_names_the_reference(init: Init, tmp_path: Path) -> None:
    config, _ = init(credit().assign(version="2.10"), **ROLES)
    assert list(config.references()["m"]) == ["2.10"]
    assert (tmp_path / "references" / "m-2.10.profile").exists()


def test_of_several_versions_the_reference_is_of_any(init: Init) -> None:
    config, said = init(credit().assign(version=np.arange(N) % 2), **ROLES)
    assert list(config.references()["m"]) == [""]
    assert "the table has several versions, so the reference is of any version" in said


@pytest.mark.parametrize(
    ("period", "window"),
    [("1s", "1h"), ("10s", "1h"), ("60s", "6h"), ("100s", "1d"), ("1D", "7d")],
    ids=lambda value: value,
)
def test_windows_are_days_where_hours_hold_few_rows(init: Init, period: str, window: str) -> None:
    times = pd.date_range("2026-01-01", periods=N, freq=period, tz="UTC").astype(str)
    config, _ = init(credit().assign(**{"applied at": times}), **ROLES)
    assert config.effective()["window"] == window


def test_without_times_windows_are_by_rows(init: Init) -> None:
    config, said = init(credit().drop(columns="applied at"), **{**ROLES, "timestamp": None})
    assert config.specs()["m"].window == WindowSpec(500, "rows")
    assert any("name the column with --timestamp" in sentence for sentence in said)


@pytest.mark.parametrize(("offset", "told"), [("", True), ("+01:00", False)])
def test_times_without_offset_are_pointed_out(init: Init, offset: str, told: bool) -> None:
    frame = credit()
    _, said = init(frame.assign(**{"applied at": frame["applied at"] + offset}), **ROLES)
    assert any("without an offset" in sentence for sentence in said) == told


def test_the_drop_of_a_regression_is_a_tenth_of_its_error(init: Init) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=N), "y": random.normal(1e5, 1e4, N)})
    frame["prediction"] = frame["y"] + random.normal(0, 3000, N)
    config, _ = init(frame, label="y")
    performance = config.specs()["m"].performance
    assert performance.metric == "mae"
    assert performance.drop == pytest.approx(mean_absolute_error(frame["y"], frame["prediction"]) / 10, rel=0.05)


def test_without_labels_the_drop_of_a_regression_is_a_tenth_of_its_spread(init: Init) -> None:
    random = np.random.default_rng(0)
    config, said = init(pd.DataFrame({"a": random.normal(size=N), "prediction": random.normal(0, 500, N)}))
    assert config.specs()["m"].performance.drop == pytest.approx(50, rel=0.1)
    assert any("name them with --label" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("name", "task", "features"),
    [
        ("iris", "multiclass", 4),
        ("wine", "multiclass", 13),
        ("breast_cancer", "binary", 30),
        ("diabetes", "regression", 10),
    ],
)
def test_well_known_tables_are_understood(init: Init, name: str, task: str, features: int) -> None:
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    config, _ = init(
        frame.assign(y_pred=frame["target"].sample(frac=1, random_state=0).to_numpy()),
        prediction="y_pred",
        label="target",
    )
    spec = config.specs()["m"]
    assert spec.schema.task == task
    assert len(spec.schema.features) == features
    assert set(spec.schema.features.values()) <= {"numeric", "categorical"}


@pytest.mark.parametrize(
    ("changed", "options", "sentence"),
    [
        ({}, {}, r"has no column of predictions: name it with --prediction"),
        ({}, {"prediction": "decison"}, r"has no column 'decison' for prediction"),
        ({}, {"prediction": ""}, r"has no column '' for prediction"),
        ({"decision": "good"}, {"prediction": "decision", "label": "notes", "task": "binary"}, r"has 300 classes"),
        ({"decision": None}, {"prediction": "decision", "task": "binary"}, r"holds no classes"),
        ({}, {"prediction": "decision", "score": "p", "task": "multiclass"}, r"map columns: {score: {class: column}}"),
        ({}, {"prediction": "p", "score": "p", "task": "regression"}, r"a regression model has none of"),
        ({}, {"prediction": "decision", "timestamp": "notes"}, r"'notes', row 1: the timestamp is neither"),
        ({}, {"prediction": "status", "label": "status"}, r"'status': is named as prediction and as label: name anoth"),
        ({"@score": 0.5}, {"prediction": "decision"}, r"'@score': a feature cannot have this name.*with --score$"),
        ({"@prediction": "a"}, {"label": "status"}, r"'@prediction': a feature cannot have this name"),
    ],
)
def test_a_table_that_does_not_do_is_one_sentence(
    init: Init, tmp_path: Path, changed: dict[str, object], options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        init(credit().assign(**changed), **options)
    assert not (tmp_path / "monitor.yaml").exists()


@pytest.mark.parametrize("rows", [1, 2, 19])
def test_a_handful_of_rows_is_no_reference(init: Init, rows: int) -> None:
    with pytest.raises(ConfigError, match=rf"history.csv has {rows} rows?: name a table of at least 20$"):
        init(credit().head(rows), **ROLES)


def test_a_table_with_nothing_to_watch_is_refused_with_what_its_columns_are(init: Init) -> None:
    with pytest.raises(ConfigError, match=r"nothing to watch: name a table with .*\(of its columns, notes holds free"):
        init(credit()[["notes", "status"]], label="status")
    _, said = init(credit()[["notes", "status", "p"]], label="status", score="p")
    assert "watches 0 features" in " ".join(said)


def test_a_column_is_taken_by_its_name_only_where_it_was_not_named_for_something_else(init: Init) -> None:
    config, _ = init(credit().rename(columns={"decision": "label"}), prediction="label")
    assert config.models["m"].columns == Columns(prediction="label")
    assert config.references()["m"][""].outcome is None


def test_a_column_of_bytes_is_switched_off(init: Init) -> None:
    config, said = init(credit().assign(photo=[b"\xff"] * N), ending="parquet", **ROLES)
    assert "photo" not in config.specs()["m"].schema.features
    assert "switched off photo: holds bytes" in " ".join(said)


def test_numbers_with_decimal_commas_are_said_to_be_categories(init: Init) -> None:
    size = [f"{number},{number % 10}" for number in range(100, 110)] * (N // 10)
    _, said = init(credit().assign(size=size), **ROLES)
    assert "column 'size': its numbers have decimal commas" in " ".join(said)


def test_a_table_whose_times_nobody_named_is_told_which_column_may_hold_them(init: Init) -> None:
    _, said = init(credit(), **{role: name for role, name in ROLES.items() if role != "timestamp"})
    assert "name the column with --timestamp (applied at may be it)" in " ".join(said)


def test_training_data_without_predictions_is_a_reference_of_features_alone(init: Init) -> None:
    config, said = init(credit().drop(columns=["decision", "p"]), label="status")
    assert "the reference has no predictions" in " ".join(said)
    reference = config.references()["m"][""]
    assert reference.rows == N
    assert reference.outcome is not None
    assert reference.outcome.rows == N
    assert performance(reference.layout.outcome, reference.outcome, config.specs()["m"].performance.metric)[1] is None
    assert "status" not in reference.layout.features


def test_scores_by_class_make_a_multiclass_model(init: Init) -> None:
    frame = pd.DataFrame({"a": np.arange(N) * 0.5, "p1": [0.2] * N, "p2": [0.8] * N})
    config, _ = init(frame, score={"x": "p1", "y": "p2"})
    assert config.specs()["m"].schema.task == "multiclass"
    assert config.references()["m"][""].layout.outcome.classes == ("x", "y")


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    credit().to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ConfigError, match=r"cannot be written \(.*\): name another --out"):
        initialise(tmp_path / "t.csv", "m", None, Columns.model_validate(ROLES), tmp_path / "t.csv" / "out")


def test_a_column_with_the_name_of_a_role_that_another_one_has_is_a_feature(init: Init) -> None:
    config, _ = init(credit().assign(label=np.arange(N) * 0.5), **ROLES)
    assert config.specs()["m"].schema.features["label"] == "numeric"
    assert config.models["m"].columns.label == "status"


ROLE_NAMES = ("id", "timestamp", "version", "prediction", "score", "label")
NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name not in ROLE_NAMES)
MODELS = NAMES.filter(lambda name: name.isprintable() and name not in (".", ".."))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=NAMES.filter(lambda name: name.isprintable() and name not in (".", "..")),
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
)
def test_any_names_of_models_and_columns_survive_the_file(model: str, names: list[str], tmp_path: Path) -> None:
    columns = {name: np.arange(40) % 7 + position / 8 for position, name in enumerate(names)}
    frame = pd.DataFrame({**columns, "the prediction": np.arange(40) % 2})
    path = tmp_path / "names.parquet"
    frame.to_parquet(path)
    initialise(path, model, None, Columns(prediction="the prediction"), tmp_path, force=True)
    config = load(tmp_path / "monitor.yaml")
    assert list(config.models) == [model]
    assert set(config.specs()[model].schema.features) == set(names)


def test_why_a_window_is_as_long_as_it_is_is_said_and_written(init: Init, tmp_path: Path) -> None:
    _, said = init(credit(), **ROLES)
    # 300 rows, 30 seconds apart: 720 in six hours, had they come all the time, and 120 in one.
    why = "at the table's pace it holds about 722 rows, and is the shortest of 1h, 6h, 1d, 7d to hold 300"
    assert f"windows of 6h: {why}" in said
    assert f"# {why}:\nwindow: 6h  #" in (tmp_path / "monitor.yaml").read_text()
    rare = credit().assign(
        **{"applied at": pd.date_range("2026-01-01", periods=N, freq="3h").strftime("%Y-%m-%d %H:%M")}
    )
    _, said = init(rare, **ROLES)
    assert "windows of 7d: at the table's pace it holds about 56 rows; 300 would be better" in " ".join(said)
    _, said = init(credit(), **{role: name for role, name in ROLES.items() if role != "timestamp"})
    assert "windows of 500 rows: the table has no times" in " ".join(said)


def test_the_window_can_be_named(init: Init) -> None:
    config, said = init(credit(), window="12h", **ROLES)
    assert "windows of 12h: as --window says" in said
    assert config.specs()["m"].window.size == config.references()["m"][""].history.size == 12 * 3_600_000  # type: ignore[union-attr]
    for window, why in (("1 parsec", "is not a window"), ("500 rows", "does not fit the table, which has times")):
        with pytest.raises(ConfigError, match=rf"--window '{window}' {why}"):
            init(credit(), window=window, force=True, **ROLES)


def test_a_model_that_is_replaced_is_named_and_what_to_do_next_is_said(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    credit().to_csv(table, index=False)
    columns = Columns(**{key: ROLES[key] for key in ROLES if key in Columns.model_fields})
    said = initialise(table, "wage", None, columns, tmp_path)
    assert not [line for line in said if "before" in line]
    assert said[-1].startswith("next: `monitor plan`")
    said = initialise(table, "wage: 2", None, columns, tmp_path)
    assert "it described model 'wage' before: --out DIR keeps both" in said
    assert not [line for line in initialise(table, "wage: 2", None, columns, tmp_path) if "before" in line]


@pytest.mark.parametrize("name", ["", "..", "a\nb", "x" * 201])
def test_a_name_that_cannot_stand_in_an_address_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--model must be a name of at most 200 printable characters"):
        initialise(tmp_path / "table.csv", name, None, Columns(), tmp_path)
