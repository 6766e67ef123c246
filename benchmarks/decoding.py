"""Microseconds of CPU that decoding one event takes, by the form it comes in; beside `orjson.loads` alone.

Run as `python -m benchmarks.decoding`; takes a few seconds. Events have 14 numeric and 6 categorical features.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import orjson

from monitor.events.decoder import RawRecords
from monitor.events.native import NativeDecoder
from monitor.events.schema import Kind, Schema

EVENTS = 4000
ROUNDS = 7
FEATURES: Mapping[str, Kind] = {f"feature_{i:02d}": "numeric" if i < 14 else "categorical" for i in range(20)}
SCHEMA = Schema("fraud", "binary", FEATURES, positive="fraud")


def main() -> None:
    """Print one line a form."""
    draw = random.Random(20261123)
    events = [event(i, draw) for i in range(EVENTS)]
    single = [orjson.dumps(each) for each in events]
    iso = [orjson.dumps(each | {"timestamp": "2026-11-23T10:00:00.120Z"}) for each in events]
    broken = [*single[: EVENTS // 3], b'{"type": "prediction", "id": ', *single[EVENTS // 3 + 1 :]]
    lists = [orjson.dumps(events[i : i + 100]) for i in range(0, EVENTS, 100)]
    batches = [orjson.dumps(columnar(events[i : i + 100])) for i in range(0, EVENTS, 100)]
    print(f"{EVENTS} events of {sum(map(len, single)) // EVENTS} bytes, microseconds of CPU an event:")
    report("orjson.loads alone", lambda: [orjson.loads(payload) for payload in single])
    report("single events", decoding(single))
    report("single events, ISO 8601 timestamps", decoding(iso))
    report("single events, one of them malformed", decoding(broken))
    report("single events, read one by one", decoding(single, each=True))
    report("lists of 100", decoding(lists))
    report("columnar batches of 100", decoding(batches))


def event(i: int, draw: random.Random) -> dict[str, object]:
    """One prediction."""
    features = {
        name: draw.gauss(0.0, 1.0) if kind == "numeric" else draw.choice(["PL", "DE", "US", "FR"])
        for name, kind in FEATURES.items()
    }
    head = {"type": "prediction", "id": f"{draw.getrandbits(128):032x}", "model": "fraud", "version": "3"}
    body = {"timestamp": 1_764_000_000_000 + i, "features": features}
    return head | body | {"prediction": draw.choice(["fraud", "ok"]), "score": draw.random()}


def columnar(events: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The same events as one batch of columns."""
    columns = {name: [each[name] for each in events] for name in ("id", "timestamp", "prediction", "score")}
    rows = [each["features"] for each in events]
    features = {name: [row[name] for row in rows if isinstance(row, dict)] for name in FEATURES}
    return {"type": "predictions", "model": "fraud", "version": "3", "columns": columns | features}


def decoding(payloads: Sequence[bytes], *, each: bool = False) -> Callable[[], object]:
    """Decode one poll of `payloads`, with a decoder that has seen the like before."""
    decoder = NativeDecoder({"fraud": SCHEMA}, None)
    n = len(payloads)
    records = RawRecords(
        topic="predictions",
        values=payloads,
        partition=np.zeros(n, dtype=np.int32),
        offset=np.arange(n, dtype=np.int64),
        timestamp_ms=np.full(n, 1_764_000_000_000, dtype=np.int64),
        appended=np.zeros(n, dtype=np.bool_),
        keys=[None] * n,
        headers=[()] * n,
    )
    decode = decoder.decode_each if each else decoder.decode
    return lambda: decode(records)


def report(name: str, run: Callable[[], object]) -> None:
    """Print the best of several rounds."""
    run()
    best = min(_cpu_s(run) for _ in range(ROUNDS))
    print(f"{name:40s} {best / EVENTS * 1e6:6.2f}")


def _cpu_s(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    main()
