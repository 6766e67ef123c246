"""A small retraining pipeline: it takes model-monitor's requests, and does what they ask for.

    python examples/retraining/pipeline.py --config monitor.yaml --secret-file webhook-secret --serving URL [--port P]

A request is checked, written down and answered at once; the work is done behind the answer, one request after the
other: read, train, validate on held-out rows, register the version with its reference, let it answer beside the one in
use, promote it once the monitor says that it is better, and report every step to `links.status`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import logging
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml
from fastapi import FastAPI, HTTPException, Request
from training import labelled_rows, scored, trained

ROWS = 4_000
"""Labelled rows that are read; the newest third is held out."""

TOLERANCE_S = 300
REFUSED = 1
"""Exit code of a command of model-monitor: it cannot be done as things are."""

SHADOW_S = 120
"""Longest time in which a challenger answers beside the champion."""

log = logging.getLogger("retraining")


def is_genuine(secret: str, headers: Any, body: bytes, now_s: float) -> bool:
    """Whether the request is signed with the secret (Standard Webhooks), and neither old nor of the future."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdigit() or abs(now_s - int(at)) > TOLERANCE_S:
        return False
    signed = base64.b64encode(hmac.digest(key, f"{name}.{at}.".encode() + body, hashlib.sha256)).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(each.encode(), f"v1,{signed}".encode()) for each in given)


def following(version: str) -> list[str]:
    """Names for a version that follows another, the first that nobody has."""
    if version.isdigit():
        return [str(int(version) + step) for step in range(1, 100)]
    return [f"{version}-r{step}" for step in range(1, 100)]


def write(file: Path, data: bytes) -> None:
    """The whole of it, or nothing."""
    new = file.with_suffix(".new")
    new.write_bytes(data)
    new.rename(file)


class Pipeline:
    """Requests that were taken, and the thread that works on them. directory: where each is written down, so that one
    that comes again after a lost answer is not worked on twice, and one that a restart cut off is worked on again.
    """

    def __init__(self, config: Path, serving: str, directory: Path, token: str | None = None) -> None:
        """token: what the monitor asks for, where it asks for one."""
        self.config, self.serving, self.directory = config, serving, directory
        self.known = {} if token is None else {"authorization": f"Bearer {token}"}
        directory.mkdir(parents=True, exist_ok=True)
        self.waiting: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for file in sorted(directory.glob("*.json")):
            self.waiting.put(file)
        threading.Thread(target=self.work, name="retraining", daemon=True).start()

    def take(self, name: str, body: bytes) -> None:
        """Write a request down and have it worked on, unless it is known. ValueError where it is none."""
        event = json.loads(body)
        if not isinstance(event, dict) or event.get("type") != "model.retrain.requested":
            raise ValueError("this pipeline takes requests to retrain, and nothing else")
        file = self.directory / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"
        if not file.exists() and not file.with_suffix(".done").exists():
            write(file, body)
            self.waiting.put(file)

    def work(self) -> None:
        while True:
            file = self.waiting.get()
            known = json.loads(file.read_text())
            asked = known["data"]
            if "outcome" not in known:
                self.report(asked, {"state": "running"}, tries=1)
                try:
                    state, detail, version = self.retrained(asked)
                except Exception as error:
                    log.exception("retraining failed")
                    state, detail, version = "failed", f"{type(error).__name__}: {error}"[:500], None
                known["outcome"] = {"state": state, "detail": detail, "version": version}
                write(file, json.dumps(known).encode())
            self.report(asked, known["outcome"])
            file.rename(file.with_suffix(".done"))

    def retrained(self, asked: dict[str, Any]) -> tuple[str, str, str | None]:
        """How it ended, a sentence, and the new version where there is one."""
        settings = yaml.safe_load(self.config.read_text())
        topics = {"predictions": "predictions", "labels": "labels"} | settings["kafka"].get("topics", {})
        servers = settings["kafka"]["bootstrap_servers"]
        servers = servers if isinstance(servers, str) else ",".join(servers)
        model, champion = asked["model"], asked["version"]
        rows = labelled_rows(servers, topics, asked, ROWS)
        held_out = len(rows) * 2 // 3
        candidate = trained(rows[:held_out])
        log.info("a new version is trained on %d rows", held_out)
        answers = scored(candidate, rows[held_out:])
        with tempfile.TemporaryDirectory() as place:
            ours, theirs = Path(place, "challenger.csv"), Path(place, "champion.csv")
            answers.to_csv(ours, index=False)
            rows[held_out:].to_csv(theirs, index=False)
            found = self.monitor("validate", "--model", model, "--champion", theirs, "--challenger", ours, "--json")
            verdict = json.loads(found.stdout.splitlines()[-1])["verdict"]
            if verdict == "keep":
                return "failed", "the new version is no better on held-out rows", None
            url = asked["links"]["status"].partition("/api/")[0]
            for version in following(champion):
                found = self.monitor("versions", "register", model, version, "--table", ours, "--url", url)
                if found.returncode != REFUSED:
                    break  # Else another challenger had this name.
            if found.returncode:
                return "failed", f"version {version} could not be registered: {found.stderr.strip()}", None
        log.info("version %s is registered; on held-out rows: %s", version, verdict)
        verdict = self.shadowed(asked, candidate, champion, version)
        if verdict != "promote":
            httpx.delete(f"{self.serving}/versions/{version}").raise_for_status()
            return (
                "failed",
                f"version {version} answered beside version {champion}, and the verdict is: {verdict}",
                None,
            )
        httpx.put(f"{self.serving}/versions/{version}", json=candidate | {"live": True}).raise_for_status()
        return "succeeded", f"version {version} is better than version {champion}, and has taken its place", version

    def shadowed(self, asked: dict[str, Any], candidate: dict[str, Any], champion: str, version: str) -> str:
        """What the monitor says of both versions on the same requests, once it says anything."""
        httpx.put(f"{self.serving}/versions/{version}", json=candidate).raise_for_status()
        api = asked["links"]["status"].partition("/triggers/")[0]
        deadline = time.monotonic() + SHADOW_S
        verdict = "not enough yet"
        while verdict == "not enough yet" and time.monotonic() < deadline:
            time.sleep(0.5)
            versions = {"champion": champion, "challenger": version}
            answer = httpx.get(f"{api}/models/{asked['model']}/comparison", params=versions, headers=self.known)
            if answer.status_code != 503:  # It compares for one at a time.
                verdict = answer.raise_for_status().json()["verdict"]
        return verdict

    def monitor(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """A command of model-monitor."""
        command = [sys.executable, "-m", "monitor.cli", *map(str, arguments), "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def report(self, asked: dict[str, Any], said: dict[str, Any], tries: int = 1_000) -> None:
        """Tell the monitor how it goes; it asks for another run only once this one has ended. What it refuses, it would
        refuse again.
        """
        log.info("%s: %s %s", asked["trigger"], said["state"], said.get("detail", ""))
        for attempt in range(tries):
            try:
                answer = httpx.post(asked["links"]["status"], json=said, headers=self.known, timeout=60)
                if answer.status_code < 500:
                    if answer.is_error:
                        log.warning("the report was refused: %s", answer.text)
                    return
            except httpx.HTTPError as error:
                log.warning("the report did not arrive: %s", error)
            time.sleep(min(2**attempt, 300))


def create_app(pipeline: Pipeline, secret: str) -> FastAPI:
    app = FastAPI(title="retraining", docs_url=None, redoc_url=None)

    @app.post("/retrain", status_code=202)
    async def retrain(request: Request) -> dict[str, str]:
        body = await request.body()
        if not is_genuine(secret, request.headers, body, time.time()):
            log.warning("refused: the signature is wrong or too old")
            raise HTTPException(401, "the signature is wrong or too old")
        try:
            pipeline.take(request.headers["webhook-id"], body)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        return {"status": "accepted"}

    return app


def main() -> None:
    options = argparse.ArgumentParser(description="A small retraining pipeline.")
    options.add_argument("--config", type=Path, required=True, help="monitor.yaml")
    options.add_argument("--secret-file", type=Path, required=True, help="the secret that requests are signed with")
    options.add_argument("--serving", required=True, help="address of the model server")
    options.add_argument("--port", type=int, default=8100)
    options.add_argument("--runs", type=Path, default=Path("runs"), help="where requests are written down")
    options.add_argument("--token-file", type=Path, help="server.token_file of the monitor, where it has one")
    given = options.parse_args()
    token = given.token_file.read_text().strip() if given.token_file else None
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    pipeline = Pipeline(given.config, given.serving, given.runs, token)
    app = create_app(pipeline, given.secret_file.read_text().strip())
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
