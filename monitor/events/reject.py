"""Why a record could not be used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a record or an event inside it was rejected; the value is what the dead-letter topic says."""

    MALFORMED = "malformed"  # no JSON, or not UTF-8
    TOO_DEEP = "too_deep"  # nested deeper than DEPTH_MAX
    TOO_LARGE = "too_large"  # a payload of more than BYTES_MAX
    WRONG_TYPE = "wrong_type"  # JSON, but a field has a type that cannot be what it is named for
    MISSING_FIELD = "missing_field"  # a field that every event of its type needs is not there
    UNKNOWN_MODEL = "unknown_model"  # a model that the configuration does not name
    UNKNOWN_TYPE = "unknown_type"  # a `type` that is none of ours
    BAD_TIMESTAMP = "bad_timestamp"  # no time, a time without offset, or one outside years 1970 to 9999
    FUTURE_TIMESTAMP = "future_timestamp"  # later than its broker received it, by more than the tolerance


@dataclass(frozen=True, slots=True)
class Reject:
    """One record, or one event of a record, that cannot be used.

    `record` is the index of the record in the poll that was decoded; `row` the event's index inside it, or -1
    where the whole record is meant. `detail` is one sentence and never quotes the payload.
    """

    record: int
    row: int
    reason: Reason
    detail: str
