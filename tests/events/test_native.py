"""What native JSON means: one event, a list, a columnar batch a record."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from monitor.events.batch import MISSING, BatchEnd, Labels, Predictions
from monitor.events.decoder import BYTES_MAX, Decoded
from monitor.events.ids import digest, position_digests
from monitor.events.native import GROUP_MIN
from monitor.events.native_columns import LATENCY_MAX_MS
from monitor.events.native_rows import ROWS_MAX
from monitor.events.native_scores import CLASSES_MAX
from monitor.events.reject import Reason
from tests.events.records import (
    FRAUD,
    KAFKA_MS,
    SPECIES,
    TIME_ISO,
    TIME_MS,
    decode,
    decoder,
    label,
    plain,
    poll,
    prediction,
    values,
)


def predicted(decoded: Decoded) -> Predictions:
    assert not decoded.rejects
    (events,) = decoded.predictions
    return events


def labelled(decoded: Decoded) -> Labels:
    assert not decoded.rejects
    (events,) = decoded.labels
    return events


def refusal(decoded: Decoded) -> tuple[Reason, str]:
    assert (decoded.predictions, decoded.labels, decoded.ends) == ((), (), ())
    (reject,) = decoded.rejects
    assert decoded.read == 1
    return reject.reason, reject.detail


def feature(name: str, value: object) -> object:
    events = predicted(decode(prediction(features={name: value})))
    return values(events.features[name], 1)[0]


def test_a_prediction_becomes_a_row_of_columns() -> None:
    decoded = decode(prediction())
    events = predicted(decoded)
    assert (decoded.read, decoded.unknown_keys, len(events), events.model) == (1, 0, 1, "fraud")
    assert (events.time_ms.tolist(), events.received_ms.tolist()) == ([TIME_MS], [-1])
    assert (events.key.tolist(), events.identified.tolist()) == ([digest("b7e1")], [True])
    assert values(events.version, 1) == ["3"]
    assert values(events.prediction, 1) == ["fraud"]
    assert {name: values(column, 1) for name, column in events.scores.items()} == {"fraud": ["0.83"]}
    assert {name: values(column, 1) for name, column in events.features.items()} == {
        "amount": ["12.5"],
        "country": ["PL"],
    }
    assert (events.origin.topic, events.origin.partition.tolist(), events.origin.offset.tolist()) == (
        "events",
        [0],
        [100],
    )
    assert events.origin.row.tolist() == [0]


def test_a_label_becomes_a_row_of_columns() -> None:
    events = labelled(decode(label()))
    assert (events.model, events.time_ms.tolist(), events.key.tolist()) == ("fraud", [TIME_MS], [digest("b7e1")])
    assert values(events.value, 1) == ["ok"]


def test_columns_have_the_types_that_batches_promise() -> None:
    events = predicted(decode(prediction(), prediction(id=...), [prediction(score=1)]))
    kinds = {
        "partition": (events.origin.partition, np.int32),
        "offset": (events.origin.offset, np.int64),
        "row": (events.origin.row, np.int32),
        "time": (events.time_ms, np.int64),
        "received": (events.received_ms, np.int64),
        "key": (events.key, np.uint64),
        "identified": (events.identified, np.bool_),
        "codes": (events.version.codes, np.int32),
        "values": (events.scores["fraud"].values, np.float64),
        "state": (events.scores["fraud"].state, np.uint8),
    }
    assert {name: array.dtype.type for name, (array, _) in kinds.items()} == {
        name: kind for name, (_, kind) in kinds.items()
    }
    assert {array.shape for array, _ in kinds.values()} == {(3,)}


def test_the_brokers_time_is_kept_where_the_broker_set_it() -> None:
    assert predicted(decode(prediction(), appended=True)).received_ms.tolist() == [KAFKA_MS]


def test_a_list_and_a_columnar_batch_hold_what_single_events_hold() -> None:
    events = [
        prediction(id=f"e{i}", features={"amount": i, "country": "PL"}, score=i / 10, latency_ms=12.5 * i, tags=...)
        for i in range(4)
    ]
    names = ("id", "timestamp", "prediction", "score", "latency_ms")
    columns = {name: [event[name] for event in events] for name in names}
    columns |= {"amount": [0, 1, 2, 3], "country": ["PL"] * 4}
    batch = {"type": "predictions", "model": "fraud", "version": "3", "columns": columns}
    singles, listed, columnar = (_rows_without_place(decode(*each)) for each in (events, [events], [batch]))
    assert singles == listed == columnar
    events = [label(id=f"e{i}", label=i) for i in range(3)]
    columns = {name: [event[name] for event in events] for name in ("id", "timestamp", "label")}
    batch = {"type": "labels", "model": "fraud", "columns": columns}
    singles, listed, columnar = (_rows_without_place(decode(*each)) for each in (events, [events], [batch]))
    assert singles == listed == columnar


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (..., None),
        (None, None),
        (0, "0.0"),
        (-0.0, "0.0"),
        (12.5, "12.5"),
        (LATENCY_MAX_MS, "86400000.0"),
        (LATENCY_MAX_MS + 1, ...),
        (TIME_MS, ...),
        (-0.001, ...),
        (float("nan"), ...),
        (float("inf"), ...),
        (10**400, ...),
        ("12.5", ...),
        (True, ...),
        ([1], ...),
        ({"p50": 1}, ...),
    ],
)
def test_a_latency_that_can_be_none_is_invalid_and_no_flaw_of_its_event(said: object, meant: object) -> None:
    decoded = decode(prediction(latency_ms=said), prediction(latency_ms=1))
    assert values(predicted(decoded).latency, 2) == [meant, "1.0"]
    assert decoded.unknown_keys == 0
    columns = {"timestamp": [TIME_MS] * 2, "latency_ms": [None if said is ... else said, 1]}
    batch = {"type": "predictions", "model": "fraud", "columns": columns}
    assert values(predicted(decode(batch)).latency, 2) == [meant, "1.0"]


def test_events_that_carry_no_latency_have_no_column_of_it() -> None:
    assert predicted(decode(*[prediction()] * (GROUP_MIN + 1), [prediction(latency_ms=None)])).latency is None


def test_a_feature_keeps_the_name_of_the_latency_in_a_columnar_batch() -> None:
    schema = replace(FRAUD, features={"latency_ms": "numeric", "score": "numeric"})
    columns = {"timestamp": [TIME_MS], "latency_ms": [7], "score": [0.5]}
    batch = json.dumps({"type": "predictions", "model": "fraud", "columns": columns}).encode()
    event = json.dumps(prediction(features={"latency_ms": 7}, latency_ms=9)).encode()
    found = [predicted(decoder(schemas={"fraud": schema}).decode(poll(each))) for each in (batch, event)]
    assert [values(each.features["latency_ms"], 1) for each in found] == [["7.0"], ["7.0"]]
    assert [values(each.latency, 1) for each in found] == [[None], ["9.0"]]
    assert values(found[0].features["score"], 1) == [None], "what every event may have is never a feature's there"


def _rows_without_place(decoded: Decoded) -> list[object]:
    assert decoded.read == sum(map(len, (*decoded.predictions, *decoded.labels)))
    rows = plain(decoded)["predictions"] | plain(decoded)["labels"]
    return [row[4:] for row in rows["fraud"]]


def test_rows_of_a_record_are_told_apart_and_stand_in_order() -> None:
    batch = {"model": "fraud", "columns": {"timestamp": [TIME_MS] * 2}}
    events = predicted(decode(prediction(), batch, [prediction(), prediction()], prediction(), kind="prediction"))
    assert events.origin.offset.tolist() == [100, 100, 100, 101, 101, 101]
    assert events.origin.partition.tolist() == [0, 1, 1, 0, 0, 1]
    assert events.origin.row.tolist() == [0, 0, 1, 0, 1, 0]


def test_a_batch_may_have_versions_by_row_or_one_for_all() -> None:
    columns = {"timestamp": [TIME_MS] * 3, "version": [3, None, "4"]}
    events = predicted(decode({"type": "predictions", "model": "fraud", "version": "1", "columns": columns}))
    assert values(events.version, 3) == ["3", "", "4"]
    del columns["version"]
    events = predicted(decode({"type": "predictions", "model": "fraud", "version": 1.0, "columns": columns}))
    assert values(events.version, 3) == ["1", "1", "1"]


def test_a_bad_row_of_a_list_or_batch_is_rejected_alone() -> None:
    good, bad = prediction(), prediction(timestamp="yesterday")
    batch = {"type": "predictions", "model": "fraud", "columns": {"timestamp": [TIME_MS, 5, None], "score": [2, 0, 0]}}
    decoded = decode([good, bad, good, 7, prediction(model="other")], batch)
    assert decoded.read == 8
    assert [(reject.record, reject.row, reject.reason) for reject in decoded.rejects] == [
        (0, 1, Reason.BAD_TIMESTAMP),
        (0, 3, Reason.WRONG_TYPE),
        (0, 4, Reason.UNKNOWN_MODEL),
        (1, 0, Reason.WRONG_TYPE),
        (1, 1, Reason.BAD_TIMESTAMP),
        (1, 2, Reason.BAD_TIMESTAMP),
    ]
    assert decoded.predictions[0].origin.row.tolist() == [0, 2]


@pytest.mark.parametrize("columns", [{}, {"timestamp": []}, {"timestamp": None}])
def test_an_empty_list_or_batch_holds_nothing(columns: object) -> None:
    assert plain(decode([], {"type": "predictions", "model": "fraud", "columns": columns})) == plain(decode())


def test_a_batch_end_is_counted_and_handed_on() -> None:
    end = {"type": "batch_end", "model": "fraud", "id": "2026-11-23"}
    decoded = decode(end, [end | {"id": 7}, prediction()])
    assert decoded.ends == (BatchEnd("fraud", "2026-11-23", 0, 100), BatchEnd("fraud", "7", 1, 100))
    assert (decoded.read, decoded.unknown_keys) == (3, 0)


def test_models_and_kinds_of_one_topic_are_kept_apart() -> None:
    price = {"type": "prediction", "model": "price", "timestamp": TIME_MS, "features": [3, "x"], "prediction": 1e5}
    decoded = decode(price, prediction(), label(), price | {"type": "label", "id": 1, "label": 2})
    assert [(events.model, len(events)) for events in decoded.predictions] == [("fraud", 1), ("price", 1)]
    assert [(events.model, len(events)) for events in decoded.labels] == [("fraud", 1), ("price", 1)]


def test_the_type_may_be_left_out_where_the_topic_says_it() -> None:
    assert predicted(decode(prediction(type=...), kind="prediction")).model == "fraud"
    assert labelled(decode(label(type=None), kind="label")).model == "fraud"
    assert labelled(decode(label(), kind="prediction")).model == "fraud"
    assert refusal(decode(label(type=...)))[0] is Reason.MISSING_FIELD


def test_an_id_is_a_string_or_an_integer() -> None:
    ids = ["7", 7, 2**64 - 1, "e\u0301"]
    events = predicted(decode(*(prediction(id=each) for each in ids)))
    assert events.key.tolist() == [digest("7"), digest("7"), digest(str(2**64 - 1)), digest("\u00e9")]


@pytest.mark.parametrize("nothing", [..., None, "", "\x00"])
def test_a_prediction_without_id_is_identified_by_its_place(nothing: object) -> None:
    events = predicted(decode([prediction(id=nothing), prediction()], prediction(id=nothing)))
    assert events.identified.tolist() == [False, True, False]
    assert events.key.tolist()[::2] == position_digests(events.origin).tolist()[::2]
    assert len(set(events.key.tolist())) == 3


def test_the_records_time_stands_in_only_where_the_configuration_allows_it() -> None:
    species = {"type": "prediction", "model": "species", "prediction": "cat"}
    assert predicted(decode(species)).time_ms.tolist() == [KAFKA_MS]
    assert predicted(decode(species | {"timestamp": TIME_ISO})).time_ms.tolist() == [TIME_MS]
    assert refusal(decode(species, timestamp_ms=-1)) == (Reason.BAD_TIMESTAMP, "The event has no timestamp.")
    assert refusal(decode(species, timestamp_ms=5))[0] is Reason.BAD_TIMESTAMP
    assert refusal(decode(species | {"timestamp": "soon"}))[0] is Reason.BAD_TIMESTAMP
    assert refusal(decode(prediction(timestamp=...)))[0] is Reason.BAD_TIMESTAMP


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (12.5, "12.5"),
        (True, "1.0"),
        ("12.5", "12.5"),
        ("many", ...),
        (float("nan"), ...),
        (float("-inf"), ...),
        ([1], ...),
        ({"a": 1}, ...),
        (10**400, ...),
        (None, None),
    ],
)
def test_a_numeric_feature_is_a_number_missing_or_invalid(value: object, number: object) -> None:
    assert feature("amount", value) == number
    assert feature("country", "PL") == "PL"


def test_a_number_that_overflows_is_invalid_and_its_event_is_kept() -> None:
    payload = json.dumps(prediction()).encode().replace(b"12.5", b"1e999")
    assert values(predicted(decode(payload)).features["amount"], 1) == [...]


@pytest.mark.parametrize(
    ("value", "category"),
    [("PL", "PL"), (True, "true"), (1.0, "1"), (0.5, "0.5"), (float("nan"), ...), ([], ...), ({}, ...), (None, None)],
)
def test_a_categorical_feature_has_a_canonical_form_is_missing_or_invalid(value: object, category: object) -> None:
    assert feature("country", value) == category


def test_a_lone_surrogate_is_replaced() -> None:
    payload = json.dumps(prediction(features={"country": "?"})).encode().replace(b"?", rb"a\ud800")
    assert values(predicted(decode(payload)).features["country"], 1) == ["a\ufffd"]


@pytest.mark.parametrize("features", [..., None, {}])
def test_features_that_are_not_sent_are_missing(features: object) -> None:
    events = predicted(decode(prediction(features=features)))
    assert [values(column, 1) for column in events.features.values()] == [[None], [None]]


def test_features_may_come_as_an_array_where_their_order_is_configured() -> None:
    species = {"type": "prediction", "model": "species", "features": [1.5, "lake", True]}
    events = predicted(decode(species))
    assert [values(column, 1) for column in events.features.values()] == [["1.5"], ["lake"], ["1.0"]]
    for wrong in ([1.5, "lake"], [1.5, "lake", 1, 1], "x", 5):
        assert refusal(decode(species | {"features": wrong}))[0] is Reason.WRONG_TYPE
    assert refusal(decode(prediction(features=[1, "PL"])))[0] is Reason.WRONG_TYPE


@pytest.mark.parametrize("wrong", [[], {"a": 1}, float("nan"), float("inf")])
def test_a_class_that_is_none_rejects_its_event(wrong: object) -> None:
    for event, field in ((prediction(prediction=wrong), "prediction"), (label(label=wrong), "label")):
        reason, detail = refusal(decode(event))
        assert reason is Reason.WRONG_TYPE
        assert field in detail


@pytest.mark.parametrize("wrong", ["1", True, [], {"a": 1}, float("nan"), float("inf")])
def test_a_number_that_is_none_rejects_its_event_in_regression(wrong: object) -> None:
    event = {"model": "price", "id": "a", "timestamp": TIME_MS}
    assert refusal(decode(event | {"type": "prediction", "prediction": wrong}))[0] is Reason.WRONG_TYPE
    assert refusal(decode(event | {"type": "label", "label": wrong}))[0] is Reason.WRONG_TYPE


def test_predictions_may_be_absent() -> None:
    events = predicted(decode(prediction(prediction=...), prediction(prediction=None, score=...)))
    assert events.prediction is None
    assert values(events.scores["fraud"], 2) == ["0.83", None]
    assert predicted(decode(prediction(score=...))).scores == {}
    assert values(predicted(decode(prediction(prediction=...), prediction())).prediction, 2) == [None, "fraud"]


def test_a_binary_score_is_that_of_the_positive_class() -> None:
    sent = [0, 1.0, {"fraud": 0.25, "ok": 0.75}, {"ok": 0.75}, {"fraud": None}, {}, {"fraud": 1, "ok": "x"}]
    events = predicted(decode(*(prediction(score=score) for score in sent)))
    assert values(events.scores["fraud"], 7) == ["0.0", "1.0", "0.25", None, None, None, "1.0"]
    assert list(events.scores) == ["fraud"]


def test_a_multiclass_score_is_by_class() -> None:
    species = {"type": "prediction", "model": "species"}
    events = predicted(decode(*(species | {"score": score} for score in ({"cat": 0.25, "dog": 0.75}, {"1": 1}, {}))))
    told = {name: values(column, 3) for name, column in events.scores.items()}
    assert told == {"cat": ["0.25", None, None], "dog": ["0.75", None, None], "1": [None, "1.0", None]}


def test_a_regression_has_no_score() -> None:
    price = {"type": "prediction", "model": "price", "timestamp": TIME_MS, "prediction": 1, "score": "high"}
    assert predicted(decode(price)).scores == {}


@pytest.mark.parametrize(
    "score", [1.5, -0.1, float("nan"), float("inf"), True, "0.5", [0.5], {"fraud": 2}, {"fraud": "1"}]
)
def test_a_score_that_is_no_probability_rejects_its_event(score: object) -> None:
    assert refusal(decode(prediction(score=score)))[0] is Reason.WRONG_TYPE
    species = {"type": "prediction", "model": "species", "score": score}
    assert refusal(decode(species))[0] is Reason.WRONG_TYPE


def test_more_classes_than_anyone_has_reject_their_event() -> None:
    species = {"type": "prediction", "model": "species"}
    many = {f"c{i}": 0 for i in range(CLASSES_MAX)}
    assert len(predicted(decode(species | {"score": many})).scores) == CLASSES_MAX
    assert refusal(decode(species | {"score": many | {"another": 1}}))[0] is Reason.WRONG_TYPE


def test_scores_of_classes_that_nobody_knows_are_passed_over_however_many_there_are() -> None:
    """Names are the producer's to invent, and each would cost a column of all that is stored."""
    of = decoder("prediction", {"species": replace(SPECIES, classes=frozenset({"cat"}))})
    scores = [{"cat": 0.25, f"a{i}": 0.5, f"b{i}": "no probability"} for i in range(3 * CLASSES_MAX)]
    records = poll(*(json.dumps({"model": "species", "score": score}).encode() for score in scores))
    alike = poll(*[json.dumps({"model": "species", "score": {"cat": 0.25, "dog": 0.75}}).encode()] * (2 * GROUP_MIN))
    for decoded in (of.decode(records), of.decode_each(records), of.decode(alike), of.decode(alike)):
        (events,) = decoded.predictions
        assert not decoded.rejects
        assert list(events.scores) == ["cat"]
        assert set(values(events.scores["cat"], len(events))) == {"0.25"}


def test_unknown_keys_are_counted_unless_they_are_null() -> None:
    decoded = decode(
        prediction(label="x", other={"a": 1}, nothing=None, features={"amount": 1, "new": 0, "old": None}),
        label(version="3", features={}, prediction=1),
        {
            "type": "predictions",
            "model": "fraud",
            "extra": 1,
            "columns": {"timestamp": [TIME_MS] * 3, "new": [1, None, 2]},
        },
        {"type": "batch_end", "model": "fraud", "id": 1, "rows": 5},
    )
    assert not decoded.rejects
    assert decoded.unknown_keys == 3 + 2 + 3 + 1


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (prediction(type="metric"), Reason.UNKNOWN_TYPE),
        (prediction(type=5), Reason.UNKNOWN_TYPE),
        (prediction(type=[]), Reason.UNKNOWN_TYPE),
        (prediction(model=...), Reason.MISSING_FIELD),
        (prediction(model=5), Reason.WRONG_TYPE),
        (prediction(model={}), Reason.WRONG_TYPE),
        (prediction(model="other"), Reason.UNKNOWN_MODEL),
        (prediction(id=1.0), Reason.WRONG_TYPE),
        (prediction(id=True), Reason.WRONG_TYPE),
        (prediction(id={}), Reason.WRONG_TYPE),
        (prediction(id=10**30), Reason.WRONG_TYPE),
        (prediction(timestamp=True), Reason.BAD_TIMESTAMP),
        (prediction(timestamp="2026-11-23T10:00:00"), Reason.BAD_TIMESTAMP),
        (prediction(timestamp=TIME_MS // 1000), Reason.BAD_TIMESTAMP),
        (prediction(version=[]), Reason.WRONG_TYPE),
        (prediction(features="x"), Reason.WRONG_TYPE),
        (label(id=...), Reason.MISSING_FIELD),
        (label(id=""), Reason.MISSING_FIELD),
        (label(id=1.5), Reason.WRONG_TYPE),
        (label(label=...), Reason.MISSING_FIELD),
        (label(label=None), Reason.MISSING_FIELD),
        ({"type": "batch_end", "model": "fraud"}, Reason.MISSING_FIELD),
        ({"type": "batch_end", "model": "fraud", "id": "\x00"}, Reason.MISSING_FIELD),
        ({"type": "batch_end", "model": "fraud", "id": True}, Reason.WRONG_TYPE),
        ({"type": "batch_end", "model": "fraud", "id": {}}, Reason.WRONG_TYPE),
        ({"type": "predictions", "model": "fraud"}, Reason.MISSING_FIELD),
        ({"type": "predictions", "model": "fraud", "columns": []}, Reason.WRONG_TYPE),
        ({"type": "predictions", "model": "fraud", "columns": {"id": "ab"}}, Reason.WRONG_TYPE),
        ({"type": "predictions", "model": "fraud", "columns": {"id": ["a"], "amount": [1, 2]}}, Reason.WRONG_TYPE),
        ([{"type": "predictions", "model": "fraud", "columns": {}}], Reason.WRONG_TYPE),
        (None, Reason.MALFORMED),
        (b"", Reason.MALFORMED),
        (b"{", Reason.MALFORMED),
        (b"null", Reason.WRONG_TYPE),
        (b'"prediction"', Reason.WRONG_TYPE),
        (b"[" * 10_000 + b"]" * 10_000, Reason.TOO_DEEP),
        (b" " * (50 << 20), Reason.TOO_LARGE),
        ([1] * (ROWS_MAX + 1), Reason.TOO_LARGE),
        ({"type": "predictions", "model": "fraud", "columns": {"amount": [1] * (ROWS_MAX + 1)}}, Reason.TOO_LARGE),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_record_that_cannot_be_used_is_rejected_with_the_reason(event: object, reason: Reason) -> None:
    found, detail = refusal(decode(event))
    assert found is reason
    assert detail.endswith(".")


def test_a_record_of_one_event_is_rejected_whole() -> None:
    (single,) = decode(prediction(id=1.5)).rejects
    (listed,) = decode([prediction(id=1.5)]).rejects
    assert (single.row, listed.row) == (-1, 0)


def test_an_object_of_many_keys_is_an_event_of_many_unknown_keys() -> None:
    features = {f"{i:05d}": 1 for i in range(100_000)}
    payload = json.dumps(prediction(features=features), separators=(",", ":")).encode()
    assert len(payload) < BYTES_MAX
    decoded = decode(*[payload] * 2)
    assert (len(predicted(decoded)), decoded.unknown_keys) == (2, 200_000)


def test_a_topic_of_single_events_is_parsed_in_bulk_to_the_same() -> None:
    events = [prediction(id=i, features={"amount": i / 8, "country": f"c{i % 5}"}, new=i) for i in range(5 * GROUP_MIN)]
    payloads = [json.dumps(event).encode() for event in events]
    payloads[100] = b"{}}"
    of = decoder()
    whole = plain(of.decode_each(poll(*payloads)))
    assert plain(of.decode(poll(*payloads))) == whole
    assert plain(of.decode(poll(*payloads))) == whole
    assert (whole["read"], len(whole["predictions"]["fraud"]), len(whole["rejects"])) == (
        5 * GROUP_MIN,
        5 * GROUP_MIN - 1,
        1,
    )


def test_no_detail_quotes_the_payload() -> None:
    secret = "4111-1111"
    events = [prediction(**{field: secret}) for field in ("type", "model", "timestamp", "features", "score")]
    decoded = decode(*events, secret.encode(), label(id=..., label=secret))
    assert len(decoded.rejects) == 7
    assert not any(secret in reject.detail for reject in decoded.rejects)


def test_numeric_columns_hold_zero_where_they_hold_nothing() -> None:
    column = predicted(decode(prediction(features={"amount": None}))).features["amount"]
    assert (column.values.tolist(), column.state.tolist()) == ([0.0], [MISSING])
