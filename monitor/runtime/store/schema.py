"""Tables of the store. No index and no key anywhere: they made loading predictions thirty times slower."""

from __future__ import annotations

VERSION = 3
"""Of these tables; a store with a higher one is refused."""

CREATE = """
CREATE TABLE store (id VARCHAR, version INTEGER, sequence BIGINT);

CREATE TABLE piece (name VARCHAR, payload BLOB, checksum UBIGINT);
CREATE TABLE position (topic VARCHAR, partition INTEGER, next_offset BIGINT, topic_id VARCHAR);

CREATE TABLE model (number INTEGER, name VARCHAR, classes VARCHAR[]);

CREATE TABLE reading (
    end_ms BIGINT, model VARCHAR, version VARCHAR, segment VARCHAR, start_ms BIGINT, feature VARCHAR, statistic VARCHAR,
    rows BIGINT, status VARCHAR, value DOUBLE, lower DOUBLE, upper DOUBLE, revision INTEGER);
CREATE SEQUENCE history_number;
CREATE TABLE incident_change (
    number BIGINT DEFAULT nextval('history_number'), incident VARCHAR, model VARCHAR, end_ms BIGINT, body BLOB);
CREATE TABLE trigger (
    number BIGINT DEFAULT nextval('history_number'), id VARCHAR, model VARCHAR, end_ms BIGINT, body BLOB);

CREATE TABLE kept_counts (
    model VARCHAR, version VARCHAR, end_ms BIGINT, start_ms BIGINT, basis VARCHAR, size BIGINT, body BLOB);
CREATE TABLE basis_counts (model VARCHAR, name VARCHAR, size BIGINT, body BLOB);
CREATE TABLE kept_rows (
    model VARCHAR, version VARCHAR, end_ms BIGINT, start_ms BIGINT, basis VARCHAR, size BIGINT, body BLOB);
CREATE TABLE basis_rows (model VARCHAR, name VARCHAR, size BIGINT, body BLOB);

CREATE TABLE message (
    id VARCHAR, receiver VARCHAR, subject VARCHAR, body BLOB, created_ms BIGINT, attempts INTEGER, due_ms BIGINT,
    state VARCHAR, changed_ms BIGINT, detail VARCHAR, run VARCHAR);

CREATE SEQUENCE dead_letter_number;
CREATE TABLE dead_letter (
    number BIGINT DEFAULT nextval('dead_letter_number'), topic VARCHAR, partition INTEGER, log_offset BIGINT,
    log_row INTEGER, reason VARCHAR, detail VARCHAR, timestamp_ms BIGINT, key BLOB, value BLOB, size BIGINT,
    headers STRUCT(name VARCHAR, value BLOB)[]);

CREATE SEQUENCE control_number;
CREATE TABLE control (
    number BIGINT DEFAULT nextval('control_number'), kind VARCHAR, payload BLOB, at_ms BIGINT);
"""

# A model's tables carry its number: identifiers ignore case in DuckDB, so "Fraud" and "fraud" would be one table.
# A score column belongs to one class for good; a class that comes later gets the next one.
CREATE_MODEL = """
CREATE TABLE predictions_{number} (
    key UBIGINT, time_ms BIGINT, window_end_ms BIGINT, partition INTEGER, log_offset BIGINT, log_row INTEGER,
    version VARCHAR, class VARCHAR, number DOUBLE);
CREATE TABLE labels_{number} (
    key UBIGINT, time_ms BIGINT, known_ms BIGINT, digest UBIGINT, partition INTEGER, log_offset BIGINT,
    class VARCHAR, number DOUBLE);
"""

ADD_SCORE = "ALTER TABLE predictions_{number} ADD COLUMN score_{position} DOUBLE"
