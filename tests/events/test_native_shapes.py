"""Shapes are learned from events, and events of the shape are parsed in bulk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from monitor.events.native_arrow import parse
from monitor.events.native_scores import CLASSES_MAX
from monitor.events.native_shapes import UNKNOWN_MAX, Shape
from tests.events.records import FRAUD, PRICE, SPECIES, TIME_ISO, TIME_MS, label, prediction

PREDICTIONS = Shape(FRAUD, "prediction", implied=False)


def parsed(shape: Shape, *events: Mapping[str, object]) -> pa.Table | None:
    return parse([json.dumps(event).encode() for event in events], shape)


def test_nothing_is_parsed_before_anything_is_learned() -> None:
    assert parsed(PREDICTIONS, prediction()) is None
    assert PREDICTIONS.learned([]) is PREDICTIONS


@pytest.mark.parametrize(
    ("shape", "learned", "others"),
    [
        (PREDICTIONS, prediction(), [prediction(), prediction(score=1), prediction(id=..., tags=..., features=None)]),
        (PREDICTIONS, prediction(id=1, timestamp=TIME_MS, version=1.5), [prediction(id=2, timestamp=3, version=2)]),
        (PREDICTIONS, prediction(features={"amount": 1, "country": 7}), [prediction(features={"amount": 0.5})]),
        (PREDICTIONS, prediction(features={"amount": "1", "country": True}), [prediction(features={"amount": "x"})]),
        (PREDICTIONS, prediction(new=[], other={"a": [{"b": 1}]}), [prediction(new=[None, 0.5], other={"a": None})]),
        (
            PREDICTIONS,
            prediction(score={"fraud": 1, "ok": 0}),
            [prediction(score={"fraud": 0.5}), prediction(score=None)],
        ),
        (PREDICTIONS, prediction(latency_ms=7), [prediction(latency_ms=0.5), prediction(latency_ms=None)]),
        (PREDICTIONS, prediction(latency_ms="7"), [prediction(latency_ms="x"), prediction()]),
        (PREDICTIONS, {"type": "prediction", "model": "fraud"}, [prediction(tags=..., latency_ms=1)]),
        (Shape(FRAUD, "label", implied=True), label(), [label(type=...), label(label="fraud")]),
        (
            Shape(SPECIES, "prediction", implied=False),
            {"type": "prediction", "model": "species", "score": {"cat": 1}, "features": {"length": 1, "wild": True}},
            [{"type": "prediction", "model": "species", "score": {"cat": 0.5}, "features": {"site": "lake"}}],
        ),
        (
            Shape(PRICE, "prediction", implied=False),
            {"type": "prediction", "model": "price", "timestamp": TIME_ISO, "prediction": 1, "features": [1, 2]},
            [{"type": "prediction", "model": "price", "prediction": 1.5, "features": [1.5, None]}],
        ),
    ],
)
def test_events_of_a_learned_shape_are_parsed_in_bulk(shape, learned, others) -> None:
    shape = shape.learned([learned])
    assert parsed(shape, learned, *others, learned) is not None


def test_a_shape_grows_with_the_events_that_it_met() -> None:
    first, second = prediction(new=1), prediction(other="x", features={"extra": 1})
    shape = PREDICTIONS.learned([first]).learned([second])
    assert parsed(shape, first, second) is not None


def test_events_of_a_type_that_changed_for_good_are_parsed_again() -> None:
    before, after = prediction(id=1, new=1), prediction(id="a", new="x")
    shape = PREDICTIONS.learned([before])
    assert parsed(shape, after) is None
    assert parsed(shape.learned([after]), after) is not None


@pytest.mark.parametrize(
    "odd",
    [
        [prediction(**{f"k{i}": 1 for i in range(UNKNOWN_MAX + 1)})],
        [prediction(score={f"c{i}": 0 for i in range(CLASSES_MAX + 1)})],
        [prediction(score={"a": 1, "a\x00": 0})],
        [prediction(columns=1)],
        [prediction(new={}), prediction(new=1)],
    ],
)
def test_what_has_no_usable_shape_is_not_learned(odd: Sequence[Mapping[str, object]]) -> None:
    shape = PREDICTIONS.learned([prediction()])
    assert shape.learned(odd) is shape


def test_keys_that_are_never_the_same_do_not_make_a_shape_grow_for_ever() -> None:
    shape = PREDICTIONS
    for i in range(10 * UNKNOWN_MAX):
        shape = shape.learned([prediction(tags={f"k{i}": 1})])
    assert shape.arrow is not None
    assert shape.arrow.field("tags").type.num_fields <= UNKNOWN_MAX
