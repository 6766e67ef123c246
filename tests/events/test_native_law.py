"""How events are batched changes nothing: decoding together is decoding one by one."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events import native
from monitor.events.native import NativeDecoder
from tests.events.records import SCHEMAS, decoder, joined, one, plain, poll

SPELLINGS = r"""
0 -0 1 -1 1.0 1.5 0.5 -0.0 1e0 1E+2 1e-400 1e999 -1e999 NaN -NaN Infinity -Infinity Inf -Inf nan 01 1. .5 +1 - 0x1
9007199254740992 9007199254740993 9223372036854775807 9223372036854775808 18446744073709551616 -9223372036854775809
12345678901234567890123 0.1 0.30000000000000004 5e-324 1795428000120 1795428000120.0 1795428000 1795428000120000
1795428000120000000 true false null tru "" "a" "A" "1" "1.0" "12.5" "+.5" "1_0" "nan" "Inf" "-NaN" "NaN" "true" "ok"
"fraud" "\ud800" "\udc00\ud83d" "\ud83d\ude00" "\u0000" "a\u0007b" "\u00e9" "e\u0301" "\x" "\"" "}{" "é" "é"
"2026-11-23T10:00:00Z" "2026-11-23T10:00:00.1234567+01:00" "2026-11-23T10:00:00" "1850-01-01T00:00Z" "2026-02-30T00:00Z"
[] [1] [1.5,"a",true] [1,2] [1.5,2,3] ["1",2] [null,null,null] [[1],[{}],1] {} {"a":1} {"fraud":0.5} {"fraud":2}
{"fraud":0.5,"ok":"x"} {"a":0.25,"b":0.75} {"a":{"b":[{"c":1}]}} {"fraud\u0000":1,"fraud":0} {"x":{"x":{}}}
{"amount":1,"country":"PL"} {"amount":"7","country":1} {"amount":true,"extra":1} {"rooms":3} {"amount":1,"amount":2}
{"amount":1,"country":9007199254740993} {"amount":1,"country":0.5} "species" "price" "prediction" "label" "predictions"
"labels" "batch_end" "other" {"fraud":NaN}
"""
LITERALS = st.sampled_from(SPELLINGS.split())
NAMES = (
    r"type id model version timestamp features features prediction score latency_ms tags label columns new mo\u0064el"
)
KEYS = st.sampled_from(NAMES.split())
WHITESPACE = st.sampled_from([" ", "\n", "\t", "\r\n", "\f"])

BASES = [
    {"type": '"prediction"', "id": '"a"', "model": '"fraud"', "timestamp": "1795428000120", "score": "0.5"},
    {"type": '"prediction"', "id": "7", "model": '"fraud"', "timestamp": '"2026-11-23T10:00:00.120Z"', "version": '"3"',
     "features": '{"amount":1.5,"country":"PL"}', "prediction": '"ok"'},
    {"model": '"fraud"', "timestamp": "1795428000120", "features": '{"amount":"7","country":1}', "extra": '{"a":[1]}',
     "latency_ms": "12.5"},
    {"type": '"prediction"', "model": '"species"', "prediction": '"cat"', "score": '{"a":0.25,"b":0.75}',
     "features": "[1,2,0]"},
    {"type": '"prediction"', "model": '"price"', "timestamp": "1795428000120", "prediction": "1.5",
     "features": "[1,2.5]"},
    {"type": '"label"', "id": '"a"', "model": '"fraud"', "timestamp": "1795428000120", "label": '"ok"'},
    {"type": '"label"', "id": "5", "model": '"price"', "timestamp": "1795428000120", "label": "1"},
    {"type": '"batch_end"', "id": "5", "model": '"price"'},
    {"type": '"predictions"', "model": '"fraud"', "version": "3",
     "columns": '{"id":["a","b",7],"timestamp":[1795428000120,null,1795428000120],"amount":[1,"x",null],'
     '"new":[1,null,2],"score":[0.5,{"fraud":1},2],"latency_ms":[1,"x",-1]}'},
    {"type": '"labels"', "model": '"price"',
     "columns": '{"id":["a",null],"timestamp":[1795428000120,1795428000120],"label":[1,"a"]}'},
]  # fmt: skip


Pairs = list[tuple[str, str]]


def changed(draw: st.DrawFn, pairs: Pairs) -> Pairs:
    """The pairs with one more, or with another value in one of them."""
    key, literal = draw(KEYS), draw(LITERALS)
    if key == "features" and draw(st.booleans()):
        literal = f'{{"amount":{literal},"country":{draw(LITERALS)}}}'
    if draw(st.booleans()):
        return [*pairs, (key, literal)]
    return [(name, literal if name == key else said) for name, said in pairs]


def written(pairs: Pairs, space: str = "") -> str:
    return space + "{" + ",".join(f'"{key}":{space}{literal}' for key, literal in pairs) + "}"


@st.composite
def polls(draw: st.DrawFn) -> list[bytes | None]:
    """Records of one or two shapes, as in a topic of few models, and here and there something else."""
    shapes = [list(draw(st.sampled_from(BASES)).items()) for _ in range(draw(st.integers(1, 2)))]
    shapes = [changed(draw, pairs) if draw(st.booleans()) else pairs for pairs in shapes]
    oddity = draw(st.sampled_from([0, 1, 4]))
    usual = st.sampled_from([written(pairs).encode() for pairs in shapes])
    return [
        draw(payloads(shapes) if draw(st.integers(0, 9)) < oddity else usual) for _ in range(draw(st.integers(1, 16)))
    ]


@st.composite
def payloads(draw: st.DrawFn, shapes: list[Pairs]) -> bytes | None:
    pairs = changed(draw, draw(st.sampled_from(shapes)))
    match draw(st.integers(0, 9)):
        case 0:
            return draw(
                st.sampled_from([None, b"", b" ", b"null", b"5", b"[]", b"{}", b"[5]", b'{"id":"\xed\xa0\x80"}'])
            )
        case 1:
            return f"[{written(pairs)},{written(shapes[0])},7]".encode()
        case 2:
            tail = draw(st.sampled_from([b"{}", b"}", b"\n", b" ", b",", b"\x00", b"\n{}"]))
            return written(pairs).encode() + tail
        case 3:
            return written(draw(st.permutations(pairs)), draw(WHITESPACE)).encode()
        case 4:
            return written(pairs).encode().replace(b"a", b"\xff")
        case _:
            return written(pairs).encode()


@pytest.fixture(autouse=True, scope="module")
def _small_groups() -> Iterator[None]:
    with mock.patch.multiple(native, GROUP_MIN=2, PART_MIN=2):
        yield


USUAL = {
    "type": '"prediction"',
    "id": '"a"',
    "model": '"fraud"',
    "version": '"3"',
    "timestamp": "1795428000120",
    "features": '{"amount":1.5,"country":"PL"}',
    "score": "0.5",
}
FIELDS = {
    "id": "%s",
    "version": "%s",
    "timestamp": "%s",
    "prediction": "%s",
    "score": "%s",
    "latency_ms": "%s",
    "tags": '{"a":[%s]}',
    "amount": '{"amount":%s,"country":"PL"}',
    "country": '{"amount":1.5,"country":%s}',
}


def with_value(field: str, literal: str) -> bytes:
    key = field if field in USUAL or field in ("prediction", "latency_ms", "tags") else "features"
    return written(list((USUAL | {key: FIELDS[field] % literal}).items())).encode()


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("usual", ["0.5", "1", '"x"'])
def test_an_odd_value_of_a_field_means_the_same_among_usual_ones(field, usual) -> None:
    usually = [with_value(field, usual)] * 4
    for literal in SPELLINGS.split():
        values = [with_value(field, literal)] * 2
        learned = decoder()
        learned.decode(poll(*usually))
        assert plain(learned.decode(poll(*values))) == one_by_one(learned, values), literal


EVENT = written(list(USUAL.items())).encode()
UNTYPED = EVENT.replace(b'"type":"prediction",', b"")


TRAPS = {
    "two events in one record": (None, [EVENT + EVENT, EVENT]),
    "two events in one record and none in another": (None, [EVENT + EVENT, b" "]),
    "an event across two records": (None, [EVENT[:40], EVENT[40:]]),
    "an event across two records and two in another": (
        "prediction",
        [EVENT.removesuffix(b',"score":0.5}'), b',"score":0.5}', EVENT + EVENT],
    ),
    "an event and its features and two in another": (
        "prediction",
        [EVENT[: EVENT.index(b'{"amount"')], EVENT[EVENT.index(b'{"amount"') :], EVENT + EVENT],
    ),
    "bytes that are not UTF-8": (None, [EVENT.replace(b'"a"', b'"\xff"'), EVENT]),
    "an encoded surrogate": (None, [EVENT.replace(b'"a"', b'"\xed\xa0\x80"'), EVENT]),
    "a type that stands elsewhere": (None, [UNTYPED.replace(b"0.5", b'{"fraud":1}') + b" ", UNTYPED]),
    "no type but in the tags": (
        None,
        [part[:-1] + b',"tags":{"type":"prediction"}}' for part in (EVENT, EVENT, UNTYPED, UNTYPED)],
    ),
    "a label among predictions": ("prediction", [EVENT, EVENT.replace(b'"prediction"', b'"label"')] * 3),
    "no type where the topic says it": ("prediction", [UNTYPED, EVENT] * 3),
    "no type where the topic says another": ("label", [UNTYPED, EVENT] * 3),
    "columns that make a batch of an event": (
        "prediction",
        [part[:-1] + b',"columns":5}' for part in (EVENT, EVENT, UNTYPED, UNTYPED)],
    ),
    "another model": (None, [EVENT, EVENT.replace(b'"fraud"', b'"price"')] * 3),
    "a model that stands elsewhere": (None, [b'{"tags":{"model":"price"},' + EVENT[1:]] * 3),
    "classes that share a name": (
        None,
        [EVENT.replace(b"fraud", b"species").replace(b'"score":0.5', b'"score":' + score)
         for score in (b'{"a":0.1,"a\\u0000":0.9}', b'{"a\\u0000":0.9,"a":0.1}') * 2],
    ),
    "arrays of another length": (
        None,
        [EVENT.replace(b"fraud", b"price").replace(b'{"amount":1.5,"country":"PL"}', features)
         for features in (b"[1,2]", b"[1,2]", b"[3,4]", b"[1]", b"[1,2,3]", b"null")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "values"), TRAPS.values(), ids=TRAPS)
@pytest.mark.parametrize("models", [("fraud",), tuple(SCHEMAS)], ids=len)
def test_what_a_parse_in_bulk_could_get_wrong_is_read_right(models, kind, values) -> None:
    learned = decoder(kind, {model: SCHEMAS[model] for model in models})
    learned.decode(poll(*[EVENT] * 4))
    expected = one_by_one(learned, values)
    assert plain(learned.decode(poll(*values))) == expected
    assert plain(learned.decode(poll(*values))) == expected


def one_by_one(of: NativeDecoder, values: list[bytes | None]) -> dict[str, object]:
    records = poll(*values)
    return joined([of.decode_each(one(records, index)) for index in range(len(records))])


@settings(max_examples=250)
@given(
    values=polls(),
    kind=st.sampled_from([None, "prediction", "label"]),
    models=st.sampled_from([("fraud",), tuple(SCHEMAS)]),
)
def test_a_poll_decodes_to_what_its_records_decode_to_one_by_one(values, kind, models) -> None:
    schemas = {model: SCHEMAS[model] for model in models}
    expected = one_by_one(decoder(kind, schemas), values)
    learned = decoder(kind, schemas)
    assert plain(learned.decode(poll(*values))) == expected
    assert plain(learned.decode(poll(*values))) == expected
    assert plain(learned.decode_each(poll(*values))) == expected
