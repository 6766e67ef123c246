from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config import describe, load, load_server
from monitor.errors import ConfigError
from monitor.spec import AlarmSpec, CalendarSpec, FeatureSpec, MadeSpec, RetrainSpec
from monitor.windows.window import WindowSpec
from tests.config.conftest import Write

HERE = Path(__file__).parent
SMALLEST = (HERE / "good" / "smallest.yaml").read_text()
WHOLE = (HERE / "good" / "whole.yaml").read_text()
HOUR_MS = 3_600_000
SMALLEST_MADE = (
    "kafka: {bootstrap_servers: 'localhost:9092'}\n"
    "models: [{name: m, task: regression, reference: REFERENCE, features: {a: numeric}, performance: {drop: 1}}]\n"
)


def problems(write: Write, text: str) -> list[str]:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("file", sorted((HERE / "bad").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_problem_of_a_file_is_said_at_once_with_its_line(file: Path, write: Write) -> None:
    assert problems(write, file.read_text()) == file.with_suffix(".txt").read_text().splitlines()


@pytest.mark.parametrize("file", sorted((HERE / "bad").glob("*.yaml")), ids=lambda file: file.stem)
def test_no_problem_quotes_a_secret(file: Path, write: Write) -> None:
    assert not any("hunter2" in problem for problem in problems(write, file.read_text()))


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist: write it with `monitor init`"):
        load(tmp_path / "monitor.yaml")


def test_the_smallest_file_takes_the_rest_from_its_reference(write: Write) -> None:
    config = load(write(SMALLEST))
    spec = config.specs()["fraud"]
    assert (spec.schema.task, spec.schema.positive) == ("binary", "fraud")
    assert spec.schema.features == {"amount": "numeric", "country": "categorical"}
    assert (spec.performance.metric, spec.performance.drop, spec.performance.threshold) == ("roc_auc", 0.03, None)
    assert spec.window == WindowSpec(HOUR_MS)
    assert spec.retrain is None
    assert list(config.references()["fraud"]) == ["3"]


def test_the_threshold_is_the_one_that_the_reference_was_compiled_with(write: Write) -> None:
    config = load(write(SMALLEST.replace("fraud.profile", "scored.profile")))
    assert config.specs()["fraud"].performance.threshold == 0.5


def test_values_of_a_model_win_over_those_of_the_file(write: Write) -> None:
    specs = load(write(WHOLE)).specs()
    fraud, digits = specs["fraud"], specs["digits"]
    assert fraud.window == WindowSpec(500, "rows")
    assert (fraud.lateness_ms, fraud.idle_after_ms, fraud.timezone) == (60_000, 600_000, "UTC")
    assert fraud.alarms == AlarmSpec(persistence=1, learning_ms=0, tolerances={"country": 0.1})
    assert digits.window == WindowSpec(HOUR_MS // 2)
    assert (digits.lateness_ms, digits.idle_after_ms, digits.timezone) == (0, 90_000, "Europe/Warsaw")
    assert digits.alarms == AlarmSpec(budget=0.5, tolerance=0.05, persistence=3, learning_ms=21 * 24 * HOUR_MS)


def test_a_model_without_labels_keeps_none_and_needs_none(write: Write) -> None:
    digits = load(write(WHOLE)).specs()["digits"]
    assert not digits.labelled
    assert digits.retrain == RetrainSpec("pipeline", frozenset({"drift"}), 24 * HOUR_MS, labels_min=0)


def test_when_a_model_is_retrained_is_told(write: Write) -> None:
    text = WHOLE.replace("labels_min: 100}", "labels_min: 100, budget: 2, approval: manual, expires: 0s}")
    config = load(write(text))
    fraud, digits = config.specs()["fraud"].retrain, config.specs()["digits"].retrain
    assert fraud == RetrainSpec("airflow", frozenset({"performance"}), 12 * HOUR_MS, 100, 2, "manual", 0)
    assert digits is not None
    assert (digits.budget, digits.approval, digits.expires_ms) == (3, "automatic", 24 * HOUR_MS)
    lines = [line.strip() for line in describe(config).splitlines()]
    assert {"budget: 3  # default", "approval: automatic  # default", "expires: 1d  # default"} <= {*lines}
    assert {"budget: 2", "approval: manual", "expires: 0s"} <= {*lines}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("budget: 0", "models[0].retrain.budget must be at least 1"),
        ("approval: never", "models[0].retrain.approval is 'never', not one of automatic, manual"),
        ("expires: soon", "models[0].retrain.expires is not a duration"),
    ],
)
def test_settings_of_retraining_that_mean_nothing_are_refused(write: Write, key: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(write(WHOLE.replace("labels_min: 100}", f"labels_min: 100, {key}}}")))
    assert said in str(raised.value)


def test_dates_of_the_calendar_begin_at_the_midnight_of_the_models_time_zone(write: Write) -> None:
    """Warsaw is an hour ahead of UTC in November."""
    entries = "[{name: a, from: 2026-11-27, to: 2026-11-27T06:00}, {name: a, from: 2027-06-01T00:00Z, to: 2027-06-02}]"
    text = SMALLEST.replace("}]", f", calendar: {entries}}}]") + "timezone: Europe/Warsaw\n"
    first, second = load(write(text)).specs()["fraud"].calendar
    midnight = 1_795_734_000_000  # date -u -d 2026-11-26T23:00Z +%s
    assert first == CalendarSpec("a", midnight, midnight + 6 * HOUR_MS)
    assert second == CalendarSpec("a", 1_811_808_000_000, 1_811_808_000_000 + 22 * HOUR_MS)


def test_references_are_by_version(write: Write) -> None:
    assert list(load(write(WHOLE)).references()["fraud"]) == ["3", "4"]


def test_only_features_that_the_reference_has_cells_for_are_decoded(write: Write) -> None:
    spec = load(write(WHOLE)).specs()["fraud"]
    assert list(spec.schema.features) == ["amount", "country"]
    assert spec.features == {
        "amount": FeatureSpec("quality", importance=2.0),
        "country": FeatureSpec("drift"),
        "session": FeatureSpec("off"),
    }
    assert [spec.alarms.tolerance_of(name) for name in ("amount", "country")] == [0.02, 0.1]


def test_only_scores_of_classes_that_the_reference_knows_are_read(write: Write) -> None:
    specs = load(write(WHOLE)).specs()
    assert specs["digits"].schema.classes == {"ok", "fraud"}
    assert specs["fraud"].schema.classes is None


def test_a_feature_that_is_switched_off_later_is_still_decoded(write: Write) -> None:
    features = "features: {amount: numeric, country: {type: categorical, monitor: off}}"
    spec = load(write(SMALLEST.replace("}]", f", {features}}}]"))).specs()["fraud"]
    assert list(spec.schema.features) == ["amount", "country"]
    assert spec.features["country"] == FeatureSpec("off")


def test_on_off_and_no_are_words_as_in_yaml_1_2(write: Write) -> None:
    text = SMALLEST.replace("}]", ", retrain: {webhook: off, on: [drift]}}]") + (
        "webhooks: {off: {url: 'http://localhost/', secret_file: no}}\n"
    )
    config = load(write(text))
    assert config.file.models[0].retrain is not None
    assert config.file.models[0].retrain.on == ("drift",)
    assert config.file.webhooks["off"].files == ("no",)


def test_anchors_and_merges_are_understood(write: Write) -> None:
    text = """
kafka: {bootstrap_servers: b}
models:
  - &base {name: a, window: 2h, reference: references/fraud.profile}
  - {<<: *base, name: b}
"""
    specs = load(write(text)).specs()
    assert specs["b"].window == specs["a"].window == WindowSpec(2 * HOUR_MS)


def test_an_alias_of_itself_is_refused(write: Write) -> None:
    assert "nested too deep" in problems(write, "kafka: &a [*a]\n")[0]


def test_the_digest_is_of_what_a_file_means_not_of_how_it_is_written(write: Write) -> None:
    config = load(write(SMALLEST))
    spelled = "# a comment\nwindow: 60m\n" + SMALLEST.replace("broker:9092", '["broker:9092"]') + "lateness: 300s\n"
    assert load(write(spelled)).digest == config.digest
    assert load(write(SMALLEST + "lateness: 301s\n")).digest != config.digest
    assert config.digest.startswith("sha256:")


def test_the_digest_does_not_depend_on_the_order_of_features(write: Write) -> None:
    one, other = "amount: numeric", "country: categorical"
    orders = [f"features: {{{first}, {second}}}}}]" for first, second in ((one, other), (other, one))]
    digests = {load(write(SMALLEST.replace("}]", f", {order}"))).digest for order in orders}
    assert digests == {load(write(SMALLEST)).digest}


def test_the_digest_does_not_depend_on_the_directory(write: Write, tmp_path: Path) -> None:
    here = load(write(SMALLEST)).digest
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(tmp_path / "references", elsewhere)
    shutil.move(tmp_path / "monitor.yaml", elsewhere)
    assert load(elsewhere / "monitor.yaml").digest == here


@pytest.mark.parametrize("text", [SMALLEST, WHOLE.replace("?token=abc", "")], ids=["smallest", "whole"])
def test_what_check_prints_is_a_configuration_that_means_the_same(text: str, write: Write) -> None:
    config = load(write(text))
    again = load(write(describe(config)))
    assert again.effective() == config.effective()
    assert again.specs() == config.specs()
    assert "# default" not in describe(again)


def test_check_says_where_a_value_that_is_not_in_the_file_comes_from(write: Write) -> None:
    lines = describe(load(write(SMALLEST + "lateness: 1m\n"))).splitlines()
    assert "lateness: 1m" in lines
    assert "  lateness: 1m  # as above" in lines
    assert "  task: binary  # from the reference" in lines
    assert "  retention: 90d  # default" in lines


def secrets(directory: Path, mode: int = 0o600) -> None:
    for name in ("secret-1", "secret-2", "kafka-password"):
        path = directory / name
        path.write_text(f"\n  {name}-hunter2 \n")
        path.chmod(mode)


def test_secrets_are_read_from_files_and_stripped(write: Write, tmp_path: Path) -> None:
    config = load(write(WHOLE))
    secrets(tmp_path)
    airflow, pipeline = config.webhooks()
    assert (airflow.name, airflow.secrets) == ("airflow", ("secret-1-hunter2",))
    assert airflow.settings.url == "https://airflow.example/run?token=abc"
    assert pipeline.secrets == ("secret-2-hunter2", "secret-1-hunter2")
    assert config.kafka_settings()["sasl_plain_password"] == "kafka-password-hunter2"
    assert config.warnings() == []


def test_secrets_are_never_shown(write: Write, tmp_path: Path) -> None:
    config = load(write(WHOLE))
    secrets(tmp_path)
    shown = f"{config!r} {config} {config.webhooks()!r} {describe(config)} {config.warnings()}"
    assert "hunter2" not in shown
    assert "token=abc" not in shown


def test_every_secret_that_cannot_be_used_is_named_with_its_line(write: Write, tmp_path: Path) -> None:
    config = load(write(WHOLE))
    (tmp_path / "secret-1").write_text(" \n")
    (tmp_path / "secret-2").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        config.webhooks()
    assert [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems] == [
        "monitor.yaml:52: webhooks.airflow names secret-1, which is empty: put the secret there",
        "monitor.yaml:53: webhooks.pipeline names secret-1, which is empty: put the secret there",
        "monitor.yaml:53: webhooks.pipeline names secret-2, which is not text: put the secret there as UTF-8",
    ]
    with pytest.raises(ConfigError, match=r"kafka-password, which cannot be read \(No such file"):
        config.kafka_settings()


def test_secrets_that_every_user_can_read_are_warned_of(write: Write, tmp_path: Path) -> None:
    config = load(write(WHOLE))
    secrets(tmp_path, 0o644)
    assert [warning.partition("names ")[2].partition(",")[0] for warning in config.warnings()] == [
        "kafka-password",
        "secret-1",
        "secret-1",
        "secret-2",
    ]


def test_client_settings_are_passed_through_beside_the_file(write: Write, tmp_path: Path) -> None:
    secrets(tmp_path)
    assert load(write(WHOLE)).kafka_settings() == {
        "bootstrap_servers": ["broker-1:9092", "[::1]:9093"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "monitor",
        "sasl_plain_password": "kafka-password-hunter2",
        "ssl_cafile": str(tmp_path / "ca.pem"),
        "request_timeout_ms": 40000,
        "api_version": (2, 1),
    }


def test_relative_paths_are_relative_to_the_file(write: Write, tmp_path: Path) -> None:
    assert load(write(SMALLEST)).state == tmp_path / "state"
    assert load(write(WHOLE)).state == Path("/var/lib/monitor")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("server: {host: 0.0.0.0}", "server.host is not a loopback address"),
        ("server: {host: '::'}", "server.host is not a loopback address"),
        ("server: {host: monitor.example}", "server.host is not a loopback address"),
        ("timezone: Mars/Olympus", "timezone is not a time zone"),
        ("window: 0s", "window is an empty window"),
        ("window: 3600", "window is not a window"),
        ("idle_after: 0s", "idle_after must be longer than 0s"),
        ("lateness: 99999d", "lateness is longer than 3650d"),
        ("alarms: {persistence: 1.5}", "alarms.persistence must be a whole number"),
        ("alarms: {budget: 0}", "alarms.budget must be greater than 0"),
        ("alarms: {tolerance: 1.5}", "alarms.tolerance must be at most 1"),
        ("alarms: {learning: 14}", "alarms.learning is not a duration"),
        ("webhooks: {a: {url: 'http://a/'}}", "webhooks.a must have either secret_file or secret_files"),
        ("webhooks: {a: {url: 'http://a/#x', secret_file: s}}", "webhooks.a.url holds a fragment"),
        ("webhooks: {a: {url: 'http:// a/', secret_file: s}}", "webhooks.a.url is not an address"),
        ("webhooks: {a: {url: 'http://[a/', secret_file: s}}", "webhooks.a.url is not an address"),
    ],
)
def test_a_wrong_value_is_refused(setting: str, sentence: str, write: Write) -> None:
    (problem,) = problems(write, f"{SMALLEST}{setting}\n")
    assert problem.startswith(f"monitor.yaml:3: {sentence}")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_loopback_host_is_accepted(host: str, write: Write) -> None:
    assert load(write(f"{SMALLEST}server: {{host: '{host}'}}\n")).server.host == host


@pytest.mark.parametrize("end", ["/monitor", "/monitor/", "?a=b", "//"])
def test_pages_are_behind_no_path(end: str, write: Write) -> None:
    (problem,) = problems(write, f"{SMALLEST}server: {{public_url: 'https://x.example{end}'}}\n")
    assert "server.public_url holds a path or a query, and pages link to each other from / on: write scheme" in problem
    assert load(write(f"{SMALLEST}server: {{public_url: 'https://x.example:81/'}}\n")).server.public_url


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["off", "1h"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, child in pairs for place in places(child, (*at, key)))]


def replaced(value: Any, at: tuple[Any, ...], other: Any) -> Any:
    if not at:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(copy[at[0]], at[1:], other)
    return copy


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_gives_a_configuration_or_sentences(data: st.DataObject, write: Write) -> None:
    content = yaml.safe_load(WHOLE)
    place = data.draw(st.sampled_from(places(content)))
    path = write(yaml.safe_dump(replaced(content, place, data.draw(_VALUES))))
    config, problems = None, ()
    try:
        config = load(path)
    except ConfigError as error:
        problems = error.problems
    assert (config is None) == bool(problems)
    assert all(problem.startswith(f"{path}:") and "\n" not in problem for problem in problems)
    if config is not None:
        assert config.specs().keys() == config.references().keys()
        assert describe(config)


@pytest.mark.parametrize("where", ["top", "model"])
def test_a_number_of_rows_to_learn_from_goes_with_a_window_of_rows_wherever_that_is_written(
    write: Write, where: str
) -> None:
    text = SMALLEST_MADE.replace("REFERENCE", "{learn: 5000 rows}")
    window = "window: 500 rows"
    given = {"top": f"{window}\n{text}", "model": text.replace("{name: m", f"{{{window}, name: m")}[where]
    assert load(write(given)).specs()["m"].made == MadeSpec(5000, "rows")
    assert problems(write, text) == [
        "monitor.yaml:2: models[0].reference.learn is a number of rows, but windows are spans of time: write as in 14d"
    ]


@pytest.mark.parametrize(
    ("reference", "made", "persistence"),
    [
        ("{learn: 14d}", MadeSpec(14 * 24 * HOUR_MS), 2),
        ("{rolling: 24}", MadeSpec(3 * 24 * HOUR_MS, "ms", "rolling", 24), 2),
        ("{rolling: 200, learn: 1d}", MadeSpec(24 * HOUR_MS, "ms", "rolling", 200), 2),
        ("{rolling: 200}", MadeSpec(200 * HOUR_MS, "ms", "rolling", 200), 2),
        ("{previous: 1}", MadeSpec(3 * 24 * HOUR_MS, "ms", "previous", 1), 1),
    ],
)
def test_references_that_are_made_of_what_arrives(
    write: Write, reference: str, made: MadeSpec, persistence: int
) -> None:
    config = load(write(SMALLEST_MADE.replace("REFERENCE", reference)))
    spec = config.specs()["m"]
    assert (spec.made, spec.alarms.persistence) == (made, persistence)
    assert config.references() == {"m": {}}
    assert yaml.safe_load(describe(config))["models"][0]["reference"] == yaml.safe_load(reference)


def test_segments_are_told_to_the_core_with_their_limit(write: Write) -> None:
    text = SMALLEST.replace("references/fraud.profile", "references/split.profile, segments: [country]")
    spec = load(write(text)).specs()["fraud"]
    assert (spec.segments, spec.segments_max) == (("country",), 50)
    spec = load(write(text + "segments_max: 7\n")).specs()["fraud"]
    assert (spec.segments, spec.segments_max) == (("country",), 7)
    assert load(write(SMALLEST)).specs()["fraud"].segments == ()


@pytest.mark.parametrize("token", ["0123456789abcdef", "mmt_" + "x" * 60])
def test_a_server_for_other_machines_has_a_token(token: str, write: Write, tmp_path: Path) -> None:
    config = load(write(SMALLEST + "server: {host: 0.0.0.0, token_file: token}\n"))
    (tmp_path / "token").write_text(f"{token}\n")
    (tmp_path / "token").chmod(0o600)
    assert config.token() == token
    assert load_server(config.path)[1] == token
    assert token not in f"{config!r} {describe(config)}"
    (warning,) = config.warnings()
    assert "server.public_url is missing, so links in messages lead nowhere elsewhere" in warning


@pytest.mark.parametrize("token", ["short", "0123456789 abcdef", "0123456789abcde\u0142", ""])
def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused(token: str, write: Write, tmp_path: Path) -> None:
    config = load(write(SMALLEST + "server: {token_file: token}\n"))
    (tmp_path / "token").write_text(token)
    with pytest.raises(ConfigError, match=r"server\.token_file names token, which"):
        config.token()
    with pytest.raises(ConfigError, match=r"server\.token_file names token, which"):
        load_server(config.path)
