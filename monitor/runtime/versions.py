"""Versions of a running service: registered with a reference, and compared with each other."""

from __future__ import annotations

from collections.abc import Collection

from monitor.config import Config
from monitor.config.agreement import reference_problems
from monitor.config.problems import path
from monitor.engine import Register
from monitor.engine.references import References, Standard
from monitor.errors import CodecError, ConfigError, NotFoundError, RefusedError
from monitor.exports.orders import Registration
from monitor.profiles.reference import Reference
from monitor.runtime.store import Store
from monitor.spec import ModelSpec
from monitor.statistics.comparison import Comparison, compare
from monitor.statistics.performance import METRICS
from monitor.windows.streams import FOREVER


def compared(
    spec: ModelSpec, references: References, seen: Collection[str], store: Store, champion: str, challenger: str
) -> Comparison:
    """Two versions on the labelled requests that both answered and that are still kept. seen: versions that have come.
    NotFoundError where one has not; RefusedError where the model has no labels, or its metric tells of no two models
    which is better.
    """
    metric = spec.performance.metric
    if not spec.labelled:
        raise RefusedError(f"model {spec.name!r} has no labels (labels: none), so which version is better is not known")
    if METRICS[metric].better == "zero":
        raise RefusedError(f"{metric} does not tell which model is better: name another metric under performance")
    if champion == challenger:
        raise RefusedError("champion and challenger are the same version: name two")
    known = {*seen, *(each.version for each in references.values())}
    for version in (champion, challenger):
        if version not in known:
            raise NotFoundError(
                f"model {spec.name!r} has no version {version!r}: none was registered, and none has come"
            )
    layout = references.found(champion, FOREVER)[1].reference.layout.outcome
    return compare(layout, *store.paired(spec.name, champion, challenger), metric, spec.performance.drop)


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
