"""`python -m monitor.demo BOOTSTRAP`: the simulated model alone, for ever, on a broker of the user's."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from monitor.actions.signing import parse_secret
from monitor.demo.program import run, say
from monitor.demo.receiver import RetrainReceiver
from monitor.demo.simulation import LABEL_DELAY_S, LABELS, PREDICTIONS, Simulation
from monitor.demo.topics import missing_topics
from monitor.demo.traffic import Traffic
from monitor.errors import ConfigError, UnavailableError

LOOK_S = 0.5


def main(
    bootstrap: Annotated[str, typer.Argument(help="Kafka's address, as in localhost:9092.")],
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="Predictions a second.")] = 50.0,
    drift_after: Annotated[float, typer.Option(min=0, help="Seconds until the world changes.")] = 300.0,
    secret_file: Annotated[
        Path | None, typer.Option(help="Receive retrain requests, too: those signed with what this file holds.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where they are received.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where they are received; 0: any free one.")] = 9000,
) -> None:
    """Send the predictions of a simulated model, and their labels a few seconds later, to Kafka's topics `predictions`
    and `labels`, until it is ended. An outage of the broker is waited for.
    """
    try:
        with ExitStack() as stack:
            receiver = None
            if secret_file is not None:
                receiver = stack.enter_context(RetrainReceiver([_key(secret_file)], port, host=host))
                say(f"retrain requests are received at {receiver.url}")
            missing = missing_topics(bootstrap, (PREDICTIONS, LABELS), say)
            if missing:
                raise UnavailableError(f"{bootstrap} has no topic {', '.join(missing)}: create it, and start again")
            # A run of its own has ids of its own: what the one before it sent may still wait for labels.
            simulation = Simulation(bootstrap, drift_after, Traffic(int(time.time())), rate)
            simulation.start()
            stack.callback(simulation.stop)
            say(
                f"a credit model sends {rate:g} predictions a second to {bootstrap}; its labels follow "
                f"{LABEL_DELAY_S[0]:g} to {LABEL_DELAY_S[1]:g} s later; in {drift_after:g} s the world changes"
            )
            _tell(simulation, receiver)
    except KeyboardInterrupt:
        say("stopping")


def _key(secret_file: Path) -> bytes:
    try:
        return parse_secret(secret_file.read_text(), str(secret_file))
    except OSError as error:
        raise ConfigError(f"--secret-file: {secret_file} cannot be read ({error.strerror})") from None


def _tell(simulation: Simulation, receiver: RetrainReceiver | None) -> None:
    """What happens, for as long as the model answers."""
    told, changed = 0, False
    while simulation.is_alive():
        simulation.join(LOOK_S)
        if simulation.drifted.is_set() and not changed:
            changed = True
            say("the world has changed: incomes rise and protect from default no more, but a job does")
        for request in receiver.received()[told:] if receiver else ():
            told += 1
            say(f"retrain request {request['data']['trigger']} received: {request['data']['summary']}")
    raise UnavailableError("the simulated model stopped: the reason is above; start it again")


if __name__ == "__main__":
    run(main, "python -m monitor.demo")
