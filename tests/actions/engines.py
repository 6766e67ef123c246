"""Pipeline engines as far as a retrain request meets them: each holds to its documented rules and keeps what it ran.

An engine acts before it answers, so that a test can lose the answer and see what a repeat does.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.actions.pipelines import SECRET
from tests.receivers import Behaviour, Exchange, Received, answers

BASIC = "Basic " + base64.b64encode(f"monitor:{SECRET}".encode()).decode()
BEARER = f"Bearer {SECRET}"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Engine:
    """runs: what it has begun, by what it calls it."""

    preset = ""

    def __init__(self) -> None:
        self.runs: dict[str, Any] = {}

    def handle(self, request: Received) -> Reply:
        raise NotImplementedError

    def answers(self, exchange: Exchange) -> None:
        reply = self.handle(exchange.received)
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        answers(reply.status, body, **reply.headers)(exchange)

    def loses(self, exchange: Exchange) -> None:
        """Acts on the request, and the connection breaks before the answer."""
        self.handle(exchange.received)
        exchange.reset()


def _path(request: Received) -> list[str]:
    return [unquote(segment) for segment in urlsplit(request.target).path.split("/")[1:]]


def _json(request: Received) -> Any:
    assert request.headers["content-type"] == "application/json"
    return json.loads(request.body)


class Airflow2(Engine):
    preset = "airflow2"
    fields = frozenset({"dag_run_id", "logical_date", "data_interval_start", "data_interval_end", "conf", "note"})

    def handle(self, request: Received) -> Reply:
        if request.headers.get("authorization") != BASIC:
            return Reply(401, {"title": "Unauthorized"})
        assert (request.method, _path(request)) == ("POST", ["prefix", "api", "v1", "dags", "retrain fraud", "dagRuns"])
        return self.begin(_json(request))

    def begin(self, body: dict[str, Any]) -> Reply:
        if not body.keys() <= self.fields or not re.fullmatch(r"[A-Za-z0-9_.~:+-]{1,250}", body["dag_run_id"]):
            return Reply(400, {"title": "Bad Request"})
        if body["dag_run_id"] in self.runs:
            return Reply(409, {"title": "Conflict"})
        self.runs[body["dag_run_id"]] = body["conf"]
        return Reply(200, {**body, "state": "queued"})


class Airflow3(Airflow2):
    """valid: requests for which a token holds; then it has expired."""

    preset = "airflow3"
    fields = Airflow2.fields | {"run_after"}

    def __init__(self, valid: int = 1_000, expired: int = 401) -> None:
        super().__init__()
        self.valid, self.expired, self.tokens, self.left = valid, expired, 0, 0

    def handle(self, request: Received) -> Reply:
        body = _json(request)
        if _path(request) == ["auth", "token"]:
            if body != {"username": "monitor", "password": SECRET}:
                return Reply(401, {"detail": "Invalid credentials"})
            self.tokens, self.left = self.tokens + 1, self.valid
            return Reply(201, {"access_token": f"jwt-{self.tokens}"})
        if request.headers.get("authorization") != f"Bearer jwt-{self.tokens}" or self.left == 0:
            return Reply(self.expired, {"detail": "Token Expired"})
        self.left -= 1
        assert _path(request) == ["api", "v2", "dags", "retrain_fraud", "dagRuns"]
        if "logical_date" not in body or not body.keys() <= self.fields:
            return Reply(422, {"detail": [{"type": "missing"}]})
        return self.begin(body)


class ArgoEvents(Engine):
    """A sensor whose workflow is named by body.name, as PIPELINES.md says."""

    preset = "argo-events"

    def handle(self, request: Received) -> Reply:
        if request.headers.get("authorization") != BEARER:
            return Reply(401)
        assert (request.method, _path(request)) == ("POST", ["retrain"])
        body = _json(request)
        self.runs.setdefault(body["name"], body["data"])
        return Reply(200)


class ArgoWorkflows(Engine):
    preset = "argo-workflows"

    def handle(self, request: Received) -> Reply:
        if request.headers.get("authorization") != BEARER:
            return Reply(401, {"code": 16})
        assert (request.method, _path(request)) == ("POST", ["api", "v1", "workflows", "ml", "submit"])
        body = _json(request)
        options = body["submitOptions"]
        if (body["resourceKind"], body["resourceName"]) != ("WorkflowTemplate", "retrain"):
            return Reply(404, {"code": 5})
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", options["name"]):
            return Reply(400, {"code": 3})
        if not all(isinstance(each, str) and "=" in each for each in options["parameters"]):
            return Reply(400, {"code": 3})
        if options["name"] in self.runs:
            return Reply(409, {"code": 6, "message": f'workflows.argoproj.io "{options["name"]}" already exists'})
        self.runs[options["name"]] = options["parameters"]
        return Reply(200, {"metadata": {"name": options["name"], "namespace": "ml"}})


class Kubeflow(Engine):
    preset = "kubeflow"
    fields = frozenset({"display_name", "experiment_id", "pipeline_version_reference", "runtime_config"})

    def handle(self, request: Received) -> Reply:
        if request.headers.get("authorization") != BEARER:
            return Reply(401)
        assert _path(request) == ["pipeline", "apis", "v2beta1", "runs"]
        if request.method == "GET":
            query = parse_qs(urlsplit(request.target).query)
            [predicate] = json.loads(query["filter"][0])["predicates"]
            assert (predicate["operation"], predicate["key"]) == ("EQUALS", "display_name")
            found = [run for run, name in self.runs.items() if name == predicate["string_value"]]
            return Reply(200, {"runs": [{"run_id": run} for run in found]} if found else {})
        body = _json(request)
        if not body.keys() <= self.fields or None in body.values():
            return Reply(400, {"code": 3})
        run = f"run-{len(self.runs) + 1}"
        self.runs[run] = body["display_name"]
        return Reply(200, {"run_id": run, **body})


class GitHub(Engine):
    """Begins a run every time; runs are by name and number."""

    preset = "github"

    def handle(self, request: Received) -> Reply:
        if request.headers.get("authorization") != BEARER:
            return Reply(401)
        assert (request.method, _path(request)) == ("POST", ["repos", "acme", "models", "dispatches"])
        if not request.headers.get("user-agent"):
            return Reply(403)
        body = _json(request)
        payload = body["client_payload"]
        if len(body["event_type"]) > 100 or len(payload) > 10 or len(json.dumps(payload)) >= 65_536:
            return Reply(422)
        self.runs[f"{payload['name']}/{len(self.runs)}"] = payload["event"]
        return Reply(204)


class GitLab(Engine):
    preset = "gitlab"

    def handle(self, request: Received) -> Reply:
        assert (request.method, _path(request)) == (
            "POST",
            ["api", "v4", "projects", "acme/models", "trigger", "pipeline"],
        )
        body = _json(request)
        if body.get("token") != SECRET:
            return Reply(404, {"message": "404 Not Found"})
        variables = body["variables"]
        if not all(re.fullmatch(r"\w+", name) and isinstance(value, str) for name, value in variables.items()):
            return Reply(400, {"message": "variables needs to be a map of key-valued strings"})
        number = 100 + len(self.runs)
        self.runs[str(number)] = variables
        return Reply(201, {"id": number, "ref": body["ref"]})


class Jenkins(Engine):
    """queued: a build that still waits takes in a further one with the same parameters."""

    preset = "jenkins"

    def __init__(self, queued: bool = True) -> None:
        super().__init__()
        self.queued = queued

    def handle(self, request: Received) -> Reply:
        if request.headers.get("authorization") != BASIC:
            return Reply(401)
        wanted = ["ci", "job", "team", "job", "retrain", "buildWithParameters"]
        assert (request.method, _path(request)) == ("POST", wanted)
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        given = parse_qs(request.body.decode(), keep_blank_values=True)
        same = [item for item, waiting in self.runs.items() if waiting == given and self.queued]
        item = same[0] if same else f"/ci/queue/item/{len(self.runs) + 1}/"
        self.runs[item] = given
        return Reply(201, headers={"location": f"http://user:hunter2@jenkins.example{item}?token=hunter2"})


class Dagster(Engine):
    """failing: the type that the next launch fails with, under status 200."""

    preset = "dagster"

    def __init__(self) -> None:
        super().__init__()
        self.failing = ""

    def handle(self, request: Received) -> Reply:
        if request.headers.get("dagster-cloud-api-token") != SECRET:
            return Reply(401)
        assert (request.method, _path(request)) == ("POST", ["prod", "graphql"])
        body = _json(request)
        if "runsOrError" in body["query"]:
            [tag] = body["variables"]["filter"]["tags"]
            found = [run for run, tags in self.runs.items() if tag in tags]
            results = [{"runId": run} for run in found]
            return Reply(200, {"data": {"runsOrError": {"__typename": "Runs", "results": results}}})
        parameters = body["variables"]["executionParams"]
        assert parameters.keys() == {"selector", "runConfigData", "executionMetadata"}
        if self.failing:
            failing, self.failing = self.failing, ""
            return Reply(200, {"data": {"launchRun": {"__typename": failing}}})
        run = f"run-{len(self.runs) + 1}"
        self.runs[run] = parameters["executionMetadata"]["tags"]
        return Reply(200, {"data": {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": run}}}})


class Prefect(Engine):
    preset = "prefect"
    fields = frozenset({"name", "parameters", "idempotency_key", "tags", "state", "job_variables"})

    def handle(self, request: Received) -> Reply:
        if request.headers.get("authorization") != BEARER:
            return Reply(401)
        deployment = "0195c2f1-6a0e-7c3b-9d2f-0123456789ab"
        assert _path(request)[-3:] == ["deployments", deployment, "create_flow_run"]
        body = _json(request)
        if not body.keys() <= self.fields:
            return Reply(422)
        known = body["idempotency_key"] in self.runs
        self.runs.setdefault(body["idempotency_key"], body["parameters"])
        return Reply(200 if known else 201, {"id": "f" + body["idempotency_key"]})


class Databricks(Engine):
    preset = "databricks"

    def handle(self, request: Received) -> Reply:
        if request.headers.get("authorization") != BEARER:
            return Reply(403)
        assert (request.method, _path(request)) == ("POST", ["api", "2.1", "jobs", "run-now"])
        body = _json(request)
        parameters = body["job_parameters"]
        sound = type(body["job_id"]) is int and all(isinstance(value, str) for value in parameters.values())
        if not sound or len(body["idempotency_token"]) > 64 or len(json.dumps(parameters)) > 10_000:
            return Reply(400, {"error_code": "INVALID_PARAMETER_VALUE"})
        self.runs.setdefault(body["idempotency_token"], parameters)
        return Reply(200, {"run_id": 4711})


class CloudEvents(Engine):
    """A consumer, which knows a repeat by its source and id."""

    preset = "cloudevents"

    def handle(self, request: Received) -> Reply:
        assert request.headers["content-type"] == "application/cloudevents+json"
        event = json.loads(request.body)
        required = ("id", "source", "specversion", "type", "subject")
        if not all(isinstance(event[name], str) and event[name] for name in required):
            return Reply(400)
        assert re.fullmatch(r"[a-z0-9]+", "".join(event)), "names of attributes are lower-case letters and digits"
        self.runs.setdefault(f"{event['source']} {event['id']}", event["data"])
        return Reply(202)


ENGINES: tuple[Callable[[], Engine], ...] = (
    Airflow2,
    Airflow3,
    ArgoEvents,
    ArgoWorkflows,
    CloudEvents,
    Dagster,
    Databricks,
    GitHub,
    GitLab,
    Jenkins,
    Kubeflow,
    Prefect,
)


def says(reply: Reply) -> Behaviour:
    """An answer that is no engine's doing."""
    body = b"" if reply.body is None else json.dumps(reply.body).encode()
    return answers(reply.status, body, **reply.headers)
