"""docker-compose.yml: the Compose tool understands it, and it starts nothing that should not be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.promtool import run, tool
from tests.brokers import KAFKA
from tests.deploy.files import COMPOSE, ROOT, mounts, services

SERVICES = services()
OURS = ("prepare", "model", "monitor")
UNTIL_DONE = "service_completed_successfully"

each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def understood() -> dict[str, Any]:
    """What the Compose tool makes of the file, without any variable of the user's."""
    if shutil.which("docker-compose") is None:
        assert os.environ.get("MODEL_MONITOR_REQUIRE_COMPOSE") != "1", (
            "docker-compose is needed: it is in docker-compose"
        )
        pytest.skip("docker-compose is not installed: it is in the Debian package docker-compose")
    done = subprocess.run(
        ["docker-compose", "--file", str(COMPOSE), "config"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def test_the_compose_tool_understands_it_as_it_is_written(understood: dict[str, Any]) -> None:
    assert list(understood["services"]) == sorted(SERVICES)
    assert set(understood["volumes"]) == set(yaml.safe_load(COMPOSE.read_text())["volumes"])
    for name, service in SERVICES.items():
        assert set(understood["services"][name]) == set(service)
    assert understood["services"]["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "admin"


def test_every_volume_is_named_and_used() -> None:
    used = {source for service in SERVICES.values() for source, _, _ in mounts(service) if not source.startswith("./")}
    assert used == set(yaml.safe_load(COMPOSE.read_text())["volumes"])


@each_service
def test_what_is_mounted_exists_and_is_only_read(name: str) -> None:
    for source, _, writable in mounts(SERVICES[name]):
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert not writable


@each_service
def test_its_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[a-z-]+(/[a-z-]+)?:v?\d+\.\d+\.\d+", SERVICES[name]["image"])
    assert ("build" in SERVICES[name]) == (name in OURS)


def test_our_image_has_our_version_and_kafka_is_what_tests_run_on() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert {SERVICES[name]["image"] for name in OURS} == {f"model-monitor:{version[1]}"}
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA}"


@each_service
def test_only_this_machine_reaches_it(name: str) -> None:
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in SERVICES[name].get("ports", ()))
    assert not {"network_mode", "privileged", "pid", "ipc", "devices", "cap_add", "user"} & set(SERVICES[name])


@each_service
def test_it_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service.get("read_only", False) == (name != "kafka")


@each_service
def test_it_starts_when_what_it_needs_is_there(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        once = SERVICES[needed]["restart"] == "no"
        assert how["condition"] == (UNTIL_DONE if once else "service_healthy")
        assert once or "test" in SERVICES[needed]["healthcheck"] or needed == "monitor"


@each_service
def test_what_it_addresses_is_a_service_of_the_stack_or_this_machine(name: str) -> None:
    texts = [yaml.safe_dump(SERVICES[name])]
    texts += [(ROOT / source).read_text() for source, _, _ in mounts(SERVICES[name]) if source.startswith("./deploy/")]
    hosts = re.findall(r"[/\"' \[@](\w[\w.]*):(?:8000|9\d\d\d|3000)\b", "\n".join(texts))
    assert set(hosts) <= {*SERVICES, "127.0.0.1"}


def test_nothing_is_written_down_that_is_secret() -> None:
    """But Grafana's default password, which the user may choose."""
    files = [COMPOSE, *(ROOT / "deploy").iterdir()]
    found = [
        line for path in files for line in path.read_text().splitlines() if re.search("(?i)password|secret|token", line)
    ]
    kept = re.compile(r"\$\{GRAFANA_ADMIN_PASSWORD:-admin\}|(_file:|-file,) /run/model-monitor/|^ *#")
    assert [line for line in found if not kept.search(line)] == []


def test_prometheus_and_alertmanager_take_their_files() -> None:
    """As far as they can be checked apart; test_stack.py starts them."""
    run(tool("amtool"), "check-config", ROOT / "deploy" / "alertmanager.yml")
    run(tool("promtool"), "check", "config", "--syntax-only", ROOT / "deploy" / "prometheus.yml")


def test_the_model_that_is_watched_is_the_one_that_is_simulated() -> None:
    from monitor.demo.traffic import FEATURES, MODEL, SCHEMA

    [model] = yaml.safe_load((ROOT / "deploy" / "monitor.yaml").read_text())["models"]
    assert (model["name"], model["features"], model["positive"]) == (MODEL, FEATURES, SCHEMA.positive)


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    grafana, here = SERVICES["grafana"], {target: ROOT / source for source, target, _ in mounts(SERVICES["grafana"])}
    [provisioned] = here["/etc/grafana/provisioning/datasources"].glob("*.yaml")
    [source] = yaml.safe_load(provisioned.read_text())["datasources"]
    assert source["url"].strip("${}") in grafana["environment"]
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped
    [provisioned] = here["/etc/grafana/provisioning/dashboards"].glob("*.yaml")
    [provider] = yaml.safe_load(provisioned.read_text())["providers"]
    assert list(here[provider["options"]["path"]].glob("*.json"))
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (here[str(home.parent)] / home.name).exists()
