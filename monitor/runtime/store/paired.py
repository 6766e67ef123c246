"""What two versions answered to the same requests, beside what turned out. For any thread."""

from __future__ import annotations

import pyarrow as pa

from monitor.events.batch import Pairs
from monitor.runtime.store import columns
from monitor.runtime.store.database import Database

PAIRS_MAX = 200_000
"""The oldest pairs that are still kept are read, no newer ones: a comparison of these takes some 2 s and 150 MB. They
decide on a gain of 0.003 in accuracy where two models disagree on a tenth of the rows. Of a class rarer than one in
2,000 they hold too few to begin.
"""

# Of each id the first answer of either version counts, as in performance, and the newest label.
_PAIRED = """
WITH label AS (
    SELECT key, class AS label_class, number AS label_number FROM labels_{number}
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY time_ms DESC, digest DESC) = 1),
first AS (
    SELECT * FROM predictions_{number} WHERE version IN ($champion, $challenger) AND key IN (SELECT key FROM label)
    QUALIFY row_number() OVER (PARTITION BY version, key ORDER BY window_end_ms, partition, log_offset, log_row) = 1),
common AS (
    SELECT key, max(time_ms) AS at_ms FROM first GROUP BY key HAVING count(*) = 2 ORDER BY at_ms, key LIMIT {most})
SELECT first.*, label_class, label_number FROM first JOIN common USING (key) JOIN label USING (key)
ORDER BY first.version = $challenger, at_ms, key
"""


def paired(database: Database, model: str, champion: str, challenger: str) -> tuple[Pairs, Pairs]:
    """Labelled requests that both answered, the same rows in both, in order of time."""
    known = database.committed("SELECT number, classes FROM model WHERE name = ?", [model])
    if not known:
        return columns.to_pairs(_NOTHING, ()), columns.to_pairs(_NOTHING, ())
    ((number, classes),) = known
    sql = _PAIRED.format(number=number, most=PAIRS_MAX)
    rows = database.committed_table(sql, {"champion": champion, "challenger": challenger})
    half = len(rows) // 2
    return columns.to_pairs(rows.slice(0, half), classes), columns.to_pairs(rows.slice(half), classes)


_NOTHING = pa.table(
    {
        **dict.fromkeys(("class", "label_class"), pa.array([], pa.string())),
        **dict.fromkeys(("number", "label_number"), pa.array([], pa.float64())),
    }
)
