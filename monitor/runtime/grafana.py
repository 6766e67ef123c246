"""Grafana, as far as we give it something: a few calls of its HTTP API, by the library grafana-api.

The library knows routes and payloads; what it sends by is ours (`monitor.runtime.grafana_calls`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from monitor.config.grafana import Access
from monitor.errors import ConfigError, RefusedError, UnavailableError
from monitor.runtime.grafana_calls import GrafanaRefusedError, Transport, no_grafana


class _Answer(BaseModel):
    """Whatever Grafana says may be wrong, and more than is known here."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class _Folder(_Answer):
    uid: str
    title: str


class _Meta(_Answer):
    folderUid: str = ""  # noqa: N815 - as Grafana calls it.
    provisioned: bool = False


class _Kept(_Answer):
    dashboard: dict[str, Any]
    meta: _Meta


class _Source(_Answer):
    type: str
    url: str = ""


class Annotation(_Answer):
    """As Grafana holds it. time, timeEnd: epoch milliseconds; at a moment, both are the same, or the end is 0."""

    id: int
    time: int
    timeEnd: Annotated[int, BeforeValidator(lambda value: value or 0)] = 0  # noqa: N815 - as Grafana calls it.
    text: str = ""
    tags: Annotated[list[str], BeforeValidator(lambda value: value or [])]


class Noted(NamedTuple):
    """An annotation as it is to be. start_ms, end_ms: epoch milliseconds, the same for a moment. text: HTML."""

    start_ms: int
    end_ms: int
    tags: tuple[str, ...]
    text: str


_T = TypeVar("_T")


class Grafana:
    """Every call raises UnavailableError where no Grafana answers, ConfigError where address or token are wrong, and
    GrafanaRefusedError where it does not do what it is asked.
    """

    def __init__(self, access: Access) -> None:
        from grafana_api.grafana_face import GrafanaFace  # It takes a while to load, and few commands need it.

        self.url = access.settings.url
        parts = urlsplit(self.url)
        prefix = parts.path.strip("/")
        self._face = GrafanaFace(
            access.token, parts.netloc, url_path_prefix=f"{prefix}/" if prefix else "", protocol=parts.scheme
        )
        self._face.api.s = Transport(self.url)

    def check(self) -> None:
        """Whether it answers and knows the token."""
        with self._being_grafana():
            self._ask(lambda: self._face.search.search_dashboards(limit=1), list[dict[str, Any]])

    def folder(self, title: str, uid: str) -> str:
        """The uid of the folder of a title; where there is none, it is made under `uid`."""
        with self._being_grafana():
            folders = self._ask(self._face.folder.get_all_folders, list[_Folder])
        for each in folders:
            if each.title == title:
                return each.uid
        try:
            return self._ask(lambda: self._face.folder.create_folder(title, uid), _Folder).uid
        except GrafanaRefusedError as error:
            if error.status not in (409, 412):
                raise
            return uid  # It is there under another title.

    def has_data_source(self, uid: str) -> bool | None:
        """None where the token may not look."""
        try:
            return self._data_source(uid) is not None
        except ConfigError:
            return None

    def put_data_source(self, uid: str, name: str, url: str) -> Literal["created", "updated", "unchanged"]:
        """A Prometheus at an address. What else is set of one that exists stays."""
        found = self._data_source(uid)
        if found is None:
            made = {"uid": uid, "name": name, "type": "prometheus", "access": "proxy", "url": url}
            self._ask(lambda: self._face.datasource.create_datasource(made), dict[str, Any])
            return "created"
        known = self._read(found, _Source)
        if known.type != "prometheus":
            raise RefusedError(f"data source {uid} is no Prometheus: name another one under grafana.data_source")
        if known.url == url:
            return "unchanged"
        path = f"/datasources/uid/{quote(uid, safe='')}"  # The library knows the older way by number alone.
        self._ask(lambda: self._face.api.PUT(path, json={**found, "url": url}), dict[str, Any])
        return "updated"

    def put_dashboard(self, dashboard: Mapping[str, Any], folder: str) -> Literal["created", "updated", "unchanged"]:
        """A dashboard with a uid, in the folder of one. It is saved where it differs, so that its history holds what
        has changed.
        """
        uid = str(dashboard["uid"])
        wanted = _without_marks(dashboard)
        try:
            kept = self._ask(lambda: self._face.dashboard.get_dashboard(quote(uid, safe="")), _Kept)
        except GrafanaRefusedError as error:
            if error.status != 404:
                raise
            kept = None
        if kept is not None and kept.meta.provisioned:
            raise RefusedError(f"dashboard {uid} was provisioned from a file of Grafana's: change that file")
        if kept is not None and kept.meta.folderUid == folder and _without_marks(kept.dashboard) == wanted:
            return "unchanged"
        saved = {
            "dashboard": {**wanted, "id": None},
            "folderUid": folder,
            "overwrite": True,
            "message": "monitor grafana push",
        }
        self._ask(lambda: self._face.dashboard.update_dashboard(saved), dict[str, Any])
        return "created" if kept is None else "updated"

    def annotations(self, tags: Sequence[str], limit: int, start_ms: int = 0, end_ms: int = 0) -> list[Annotation]:
        """Those with all of the tags that touch a span, by their ends, newest first; 0: of any time."""
        given = [quote(tag, safe="") for tag in tags]
        return self._ask(
            lambda: self._face.annotations.get_annotation(start_ms, end_ms, tags=given, limit=limit), list[Annotation]
        )

    def annotate(self, noted: Noted) -> None:
        """A new one, of the organisation: on every dashboard that asks for its tags."""
        self._ask(
            lambda: self._face.annotations.add_annotation(
                time_from=noted.start_ms, time_to=noted.end_ms, tags=list(noted.tags), text=noted.text
            ),
            dict[str, Any],
        )

    def change(self, number: int, noted: Noted) -> None:
        """Make one that exists what it is to be."""
        self._ask(
            lambda: self._face.annotations.update_annotation(
                number, noted.start_ms, noted.end_ms, list(noted.tags), noted.text
            ),
            dict[str, Any],
        )

    def address(self, uid: str) -> str:
        """Where a dashboard is seen."""
        return f"{self.url}/d/{quote(uid, safe='')}"

    def _data_source(self, uid: str) -> dict[str, Any] | None:
        path = f"/datasources/uid/{quote(uid, safe='')}"
        try:
            return self._ask(lambda: self._face.api.GET(path), dict[str, Any])
        except GrafanaRefusedError as error:
            if error.status != 404:
                raise
            return None

    @contextmanager
    def _being_grafana(self) -> Iterator[None]:
        """Every Grafana has what is asked for here."""
        try:
            yield
        except GrafanaRefusedError as error:
            if error.status == 404:
                raise UnavailableError(no_grafana(self.url, "HTTP 404")) from error
            raise

    def _ask(self, call: Callable[[], Any], shape: type[_T]) -> _T:
        return self._read(call(), shape)

    def _read(self, said: Any, shape: type[_T]) -> _T:
        try:
            return TypeAdapter(shape).validate_python(said)
        except ValidationError as error:
            raise UnavailableError(no_grafana(self.url, "its answer is not as documented")) from error


_OF_GRAFANA = ("id", "version", "iteration")
"""Keys of a dashboard that Grafana sets."""


def _without_marks(dashboard: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in dashboard.items() if key not in _OF_GRAFANA}
