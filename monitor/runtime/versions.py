"""References of versions that are registered while the service runs."""

from __future__ import annotations

from monitor.config import Config
from monitor.config.agreement import reference_problems
from monitor.config.problems import path
from monitor.engine import Register
from monitor.engine.references import Standard
from monitor.errors import CodecError, ConfigError, NotFoundError
from monitor.exports.orders import Registration
from monitor.profiles.reference import Reference
from monitor.spec import ModelSpec


def registered(config: Config, specs: dict[str, ModelSpec], asked: Registration) -> Register:
    """What the loop is to do, with what takes long done here. ConfigError names every place where the reference is not
    one of the model.
    """
    model = config.models.get(asked.model)
    if model is None:
        raise NotFoundError(f"there is no model {asked.model!r}")
    try:
        reference = Reference.load(asked.reference)
    except CodecError as error:
        raise ConfigError(
            f"reference is no compiled profile ({error}): send the file that `monitor init` wrote"
        ) from None
    problems = reference_problems(model, "that was sent", reference)
    if problems:
        raise ConfigError(*(f"{path(where)} of model {asked.model!r} {text}" for where, text in problems))
    standard = Standard(specs[asked.model], asked.version, reference.of_version(asked.version), why="registered")
    for part in ("watch", "drift", "performance", "segmented", "counting"):
        getattr(standard, part)
    return Register(asked.model, standard)
