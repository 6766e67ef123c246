"""The commands. Errors are one sentence each on standard error; exit codes are those of `monitor.errors`."""

from __future__ import annotations

import gc
import json
import logging
import signal
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from monitor import __version__
from monitor.cli_parts import DEFAULT, Commands, ConfigFile, put
from monitor.cli_state import state
from monitor.errors import ConfigError, MonitorError

app = typer.Typer(
    name="monitor",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
triggers = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Requests to retrain: what became of them, by hand, and what would be sent.",
)
app.add_typer(triggers, name="triggers")
versions = typer.Typer(cls=Commands, no_args_is_help=True, help="Versions of a model that a running service watches.")
app.add_typer(versions, name="versions")
notify = typer.Typer(cls=Commands, no_args_is_help=True, help="Who is told of incidents.")
app.add_typer(notify, name="notify")
app.add_typer(state, name="state")
grafana = typer.Typer(cls=Commands, no_args_is_help=True, help="Dashboards and annotations for Grafana, by its API.")
app.add_typer(grafana, name="grafana")

GC_THRESHOLD = 100_000
"""New objects from one look for reference cycles to the next; Python's own default is 700 to 2,000."""


class TaskName(StrEnum):
    """What a model does."""

    binary = "binary"
    multiclass = "multiclass"
    regression = "regression"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"model-monitor {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Know whether your machine-learning models are still right."""


@app.command()
def demo(
    duration: Annotated[float | None, typer.Option(min=5, help="Seconds; without it, until you interrupt.")] = None,
    port: Annotated[int, typer.Option(help="Port of pages and metrics; 0 takes any free one.")] = 8000,
    loop: Annotated[
        bool, typer.Option("--loop", help="With a pipeline that retrains, validates, registers and promotes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object that says what happened.")] = False,
) -> None:
    """Show the whole service at work on an embedded broker, with a model that goes wrong part-way."""
    from monitor.demo.demo import run_demo
    from monitor.demo.story import ending

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ends in order, as Ctrl-C does.
    summary = run_demo(duration, port, lambda text: typer.echo(text, err=as_json), loop=loop)
    typer.echo(json.dumps(summary) if as_json else ending(summary))


@app.command()
def run(config: ConfigFile = DEFAULT) -> None:
    """Run the service."""
    from monitor.config import load
    from monitor.runtime.service import Service

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    service = Service(load(config))

    def stop(number: int, frame: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)  # A second one, be it the other, ends the process at once.
        service.stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    typer.echo(f"model-monitor is up: pages at {service.server.url}", err=True)
    service.run()


@app.command()
def backtest(
    predictions: Annotated[Path, typer.Option(help="Table of predictions: CSV, Parquet or JSON Lines.")],
    config: ConfigFile = DEFAULT,
    labels: Annotated[Path | None, typer.Option(help="Table of labels, where the first has none.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model, where the configuration names several.")] = None,
    window: Annotated[str | None, typer.Option(help="Another window: 1h, or '500 rows'.")] = None,
    budget: Annotated[float | None, typer.Option(help="Another number of false alarms a month.")] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Another change that nobody cares about; a feature's own stands.")
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="Draw features by windows to this file: .svg or .html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Run the same engine over a file: what would have been read, alarmed and triggered."""
    from monitor.runtime.trial import Trial, trial_lines
    from monitor.runtime.trial_text import trial_report

    trial = Trial(config, predictions, labels, model, window, budget, tolerance, chart)
    put((trial_lines if as_json else trial_report)(trial, _progress))


@app.command()
def validate(
    config: ConfigFile = DEFAULT,
    model: Annotated[str | None, typer.Option(help="Which model, where the configuration names several.")] = None,
    champion: Annotated[Path | None, typer.Option(help="Table of what the model in use answered.")] = None,
    challenger: Annotated[Path | None, typer.Option(help="Table of what the new one answered to the same ids.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Table of labels, where neither has them.")] = None,
    training: Annotated[Path | None, typer.Option(help="Table that the new model is trained on.")] = None,
    live: Annotated[Path | None, typer.Option(help="Table of recent rows to compare its features with.")] = None,
    metric: Annotated[str | None, typer.Option(help="What decides; the model's own where it is left out.")] = None,
    margin: Annotated[
        float | None, typer.Option(help="The difference that matters; the model's drop where it is left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Is a new model better than the one in use? Ends with 0 to promote it, 1 to keep the other or to wait."""
    from monitor.runtime.validation import Validation
    from monitor.runtime.validation_text import validation_json, validation_report

    asked = Validation(config, model, champion, challenger, labels, training, live, metric, margin)
    result = asked.run()
    put([validation_json(result)] if as_json else validation_report(asked, result))
    raise typer.Exit(0 if result.passed else 1)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="A training or history table: CSV, Parquet or JSON Lines.")],
    model: Annotated[str, typer.Option(help="Name of the model.")],
    task: Annotated[TaskName | None, typer.Option(help="Inferred where it is left out.")] = None,
    prediction: Annotated[str | None, typer.Option(help="Column of the prediction.")] = None,
    score: Annotated[
        list[str] | None,
        typer.Option(help="Column of the positive class's probability; of a multiclass model CLASS=COLUMN, repeated."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the ground truth.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Column of the event time.")] = None,
    identity: Annotated[str | None, typer.Option("--id", help="Column of the prediction's id.")] = None,
    window: Annotated[str | None, typer.Option(help="1h, or '500 rows'; chosen where it is left out.")] = None,
    segments: Annotated[
        str | None,
        typer.Option(help="Categorical features whose values are watched each by itself, with commas between them."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory to write to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that were edited.")] = False,
) -> None:
    """Write a whole configuration, and the compiled reference, from a table."""
    from monitor.config import Columns
    from monitor.runtime.initialise import initialise, score_columns

    scores = score_columns(score or [])
    columns = Columns(prediction=prediction, score=scores, label=label, timestamp=timestamp, id=identity)
    by = [] if segments is None else segments.split(",")
    put(initialise(file, model, task.value if task else None, columns, out, window=window, segments=by, force=force))


@app.command()
def check(
    config: ConfigFile = DEFAULT,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try the broker and the receivers.")] = False,
) -> None:
    """Validate everything, and print every value that is in force."""
    from monitor.runtime.commands import check as lines

    put(lines(config, offline))


@app.command()
def plan(
    config: ConfigFile = DEFAULT,
    rows: Annotated[
        float | None, typer.Option(help="Rows that a window is expected to hold, where the reference is not to say.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a model version.")] = False,
) -> None:
    """Say what will be found and what cannot be, at the traffic of the references; the false alarms; the resources."""
    from monitor.runtime.plan_text import plan as lines

    put(lines(config, rows, as_json))


@app.command()
def report(
    model: Annotated[str, typer.Option(help="Name of the model.")],
    config: ConfigFile = DEFAULT,
    version: Annotated[str | None, typer.Option(help="Of this version; the newest without.")] = None,
    window: Annotated[str | None, typer.Option(help="Its end, as in 2026-11-23T10:00:00Z; the newest without.")] = None,
    incident: Annotated[
        str | None, typer.Option(help="Or the id of an incident: the newest window that it was seen in.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; named after model, version and window without.")
    ] = None,
) -> None:
    """Write Evidently's HTML report on a window: of a sample of its rows, which a running service keeps."""
    from monitor.runtime.reporting import report as lines

    put(lines(config, model, version, window, incident, out))


@app.command()
def rebaseline(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    config: ConfigFile = DEFAULT,
    features: Annotated[str | None, typer.Option(help="Only these, with commas between them.")] = None,
    version: Annotated[str | None, typer.Option(help="Only this version.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Of windows from this time on, as in 2026-11-23T10:00:00Z.")
    ] = None,
) -> None:
    """Accept a new normal: recent data becomes the reference of a model that a running service watches."""
    from monitor.runtime.asking import rebaseline as lines

    put(lines(config, model, reason, [] if features is None else features.split(","), version, since))


@versions.command("register")
def register_version(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[str, typer.Argument(help="The version, as its predictions name it.")],
    config: ConfigFile = DEFAULT,
    reference: Annotated[Path | None, typer.Option(help="Its compiled profile.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Or rows that it answered, such as those held out of its training.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Where the service is reached, if not where it listens.")] = None,
) -> None:
    """Give a new version a reference of its own, from its next window on."""
    from monitor.runtime.registering import register_version as lines

    put(lines(config, model, version, reference, table, url))


@triggers.command("list")
def list_triggers(
    config: ConfigFile = DEFAULT,
    model: Annotated[str | None, typer.Option(help="Of this model only.")] = None,
    state: Annotated[str | None, typer.Option(help="In this state only, such as withheld or running.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what a running service has asked pipelines, or withheld, and what became of it."""
    from monitor.runtime.requests import list_triggers as lines

    put(lines(config, model, state, as_json))


@triggers.command("send")
def send_trigger(
    target: Annotated[str, typer.Argument(metavar="TRIGGER|MODEL", help="A withheld trigger's id, or a model.")],
    config: ConfigFile = DEFAULT,
    reason: Annotated[str | None, typer.Option(help="Why the model is to be retrained; it is sent, too.")] = None,
    version: Annotated[str | None, typer.Option(help="Whose newest window is to be learned from.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Although its data is wrong.")] = False,
) -> None:
    """Send a trigger that waits for approval or was withheld; or ask for a retrained MODEL by hand, with --reason."""
    from monitor.runtime.requests import send_trigger as lines

    put(lines(config, target, reason, version, force))


@triggers.command("dry-run")
def dry_run(
    config: ConfigFile = DEFAULT,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    receiver: Annotated[str | None, typer.Option(help="To this one of `webhooks`, whomever the model asks.")] = None,
) -> None:
    """Print the exact requests that a trigger would bring, with *** for secrets; none is sent."""
    from monitor.runtime.dry_run import dry_run as lines

    put(lines(config, model, receiver))


@notify.command("test")
def notify_test(
    config: ConfigFile = DEFAULT,
    receiver: Annotated[str | None, typer.Option(help="Only this one of `notify`.")] = None,
) -> None:
    """Send one message that says it is a test to everybody under `notify`, and say what came of it."""
    from monitor.runtime.notify_test import notify_test as lines

    put(lines(config, receiver))


@grafana.command("push")
def push_dashboards(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Directory with the dashboards, as JSON.")] = Path(
        "dashboards"
    ),
    config: ConfigFile = DEFAULT,
    prometheus_url: Annotated[
        str | None, typer.Option(help="Also have a data source of this Prometheus, where Grafana reaches it.")
    ] = None,
) -> None:
    """Create or update each dashboard, and the folder that they are in."""
    from monitor.runtime.grafana_push import push as lines

    put(lines(config, directory, prometheus_url))


@grafana.command("annotate")
def annotate(
    config: ConfigFile = DEFAULT,
    every: Annotated[
        str | None, typer.Option(help="Again and again, as in 60s, until you interrupt; once where it is left out.")
    ] = None,
) -> None:
    """Write incidents, retrain requests and versions of a running service as annotations; nothing is doubled."""
    from monitor.runtime.grafana_annotate import annotate as lines

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ends in order, as Ctrl-C does.
    with suppress(KeyboardInterrupt):
        put(lines(config, every))


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done:,} of {total:,} rows" + ("\n" if done >= total else ""))


def main() -> None:
    """The console command `monitor`."""
    # Windows make and drop many small objects, none of them in cycles: looking for these less often saves a fifth.
    gc.set_threshold(GC_THRESHOLD)
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"monitor: {problem}\n")
        sys.exit(error.exit_code)
    except MonitorError as error:
        sys.stderr.write(f"monitor: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # The reader of our output has gone; there is nobody left to tell.
        sys.exit(0)
    except Exception:  # A bug of ours: the supervisor starts the service again from its durable state.
        logging.getLogger("monitor").exception("monitor: internal error; please report it with these lines")
        sys.exit(MonitorError.exit_code)


if __name__ == "__main__":
    main()
