"""Every error the service raises on purpose.

MonitorError
├── ConfigError          the operator's file or arguments are wrong       exit 2: correct them and start again
├── RefusedError         what a person asked for cannot be done now       exit 1, HTTP 409: as the sentence says
│   └── NotFoundError        what a person named does not exist               exit 2, HTTP 404: name another
├── UnavailableError     a needed service does not answer                 exit 69, or retry where a loop can wait
├── StateError           the state directory cannot be used as it is      exit 70
│   ├── StateHeldError       another instance holds it                    exit 73: stop that one first
│   ├── StateDamagedError    what is on disk is not what was written      restore a backup, or rebuild from Kafka
│   └── CommitFailedError    a transaction kept nothing                   drop the engine, reload it, seek again
├── LayoutMismatchError  two summaries of different layouts were merged   a bug of the caller
└── CodecError           bytes are not a summary this version reads       rebuild the file with `monitor init`
    └── FormatError          they are one, of a format of another version     the same, or run that version

A record that cannot be used is no exception: it is a `monitor.events.reject.Reject`, counted and dead-lettered.
"""

from __future__ import annotations


class MonitorError(Exception):
    """Base of all errors; its text is one sentence: what is wrong, where, what to do."""

    exit_code = 70


class ConfigError(MonitorError):
    """The configuration, an argument or an input table is wrong; `problems` holds every one found."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RefusedError(MonitorError):
    """What a person asked of the running service cannot be done as things are; nothing has changed."""

    exit_code = 1


class NotFoundError(RefusedError):
    """What a person named does not exist; nothing has changed."""

    exit_code = 2


class UnavailableError(MonitorError):
    """A service that is needed now does not answer: the caller waits and tries again, or gives up."""

    exit_code = 69


class StateError(MonitorError):
    """The state directory cannot be used."""


class StateHeldError(StateError):
    """Another instance holds the state directory: one directory, one active instance."""

    exit_code = 73


class StateDamagedError(StateError):
    """The files on disk are not what was last committed; never start empty over them."""


class CommitFailedError(StateError):
    """A transaction failed and kept nothing: reload the engine from the store and seek to its offsets."""


class LayoutMismatchError(MonitorError):
    """Summaries of different layouts cannot be merged or compared."""


class CodecError(MonitorError):
    """These bytes are not a summary that this version can read."""


class FormatError(CodecError):
    """These bytes are a summary, in the format of another version of this program."""
