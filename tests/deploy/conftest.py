"""The stack of docker-compose.yml, started once for its tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.alerts.promtool import tool
from tests.brokers import real_broker_possible
from tests.deploy.native import Native, whole


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    for name in ("prometheus", "prometheus-alertmanager"):
        tool(name)
    if not real_broker_possible() and os.environ.get("MODEL_MONITOR_REQUIRE_KAFKA") != "1":
        pytest.skip("Apache Kafka needs Java and Maven")
    with whole(tmp_path_factory.mktemp("stack")) as native:
        yield native
