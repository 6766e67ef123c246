"""Pages of incidents: which are listed, what one says, and that no name can break them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.detection.life import Life
from monitor.detection.records import Incident, IncidentChange, IncidentEvent, Severity
from monitor.exports.course import began_ms, line
from monitor.exports.pages import incident as of_incident
from monitor.exports.pages import incidents
from monitor.exports.pages.choices import CHOICES_MAX
from monitor.exports.pages.incident import WINDOWS_MAX
from monitor.exports.pages.parts import PAGE
from monitor.exports.picture import svg
from monitor.snapshot import ModelView, ServiceView, Snapshot
from tests.exports.pages.reader import Read
from tests.exports.snapshots import HOSTILE, drifting, model_view, snapshot, trigger, verdict, window, window_view
from tests.exports.test_picture import HOURS, story

QUIET = ServiceView()


def listed(current: Snapshot, model: str | None = None, only_open: bool | None = None, offset: int = 0) -> Read:
    found = Read(incidents.page(current, model, only_open, offset))
    assert found.open == []
    return found


def shown(
    model: ModelView, incident: Incident, steps: Sequence[IncidentChange] = (), service: ServiceView = QUIET
) -> Read:
    found = Read(of_incident.page(service, model, incident, steps))
    assert found.open == []
    return found


def of(cause: str, model: ModelView | None = None) -> tuple[ModelView, Incident]:
    model = model or story()
    return model, next(each for each in model.incidents if each.cause == cause)


def many(number: int, *, models: int = 1, still_open: int = 0) -> Snapshot:
    """So many incidents, the first of them still open, spread over models."""
    views = []
    for name in range(models):
        mine = [
            Incident(f"inc_{at}", "drift", "minor", place, place, ("amount",), open=at < still_open)
            for at in range(name, number, models)
            for place in [window(at, model=f"m{name:02}")]
        ]
        views.append(model_view(f"m{name:02}", incidents=mine))
    return snapshot(*views)


def pages(read: Read) -> list[str]:
    """The incidents it leads to, in order."""
    return [link.removeprefix("/incidents/") for link in read.links if link.startswith("/incidents/")]


def step(incident: Incident, event: IncidentEvent, hour: int, reason: str, severity: Severity) -> IncidentChange:
    place = window(hour)
    return IncidentChange(replace(incident, severity=severity), event, place, reason, place.start_ms)


def test_open_ones_come_first_then_the_newest() -> None:
    assert pages(listed(many(5, still_open=2))) == ["inc_1", "inc_0", "inc_4", "inc_3", "inc_2"]


def test_an_entry_says_how_bad_since_when_and_what_became_of_it() -> None:
    read = listed(drifting())
    assert "2 incidents, 1 open" in read.text
    assert "◉ open !! major drift fraud (version 3): amount drifted since 2026-11-23 12:00 UTC" in read.text
    assert "2026-11-23 12:00 UTC · retraining sent , withheld" in read.text
    assert "✓ over · minor data fraud (version 3): faulty data, country 2026-11-23 11:00 UTC to" in read.text
    assert {"/incidents/inc_1", "/triggers/trg_1", "/triggers/trg_0"} <= {*read.links}


def test_it_is_filtered_by_links() -> None:
    current = many(6, models=2, still_open=3)
    read = listed(current, "m01", True)
    assert pages(read) == ["inc_1"]
    assert {"/incidents?model=m01", "/incidents?model=m01&open=false", "/incidents?model=m00&open=true"} <= {
        *read.links
    }
    assert read.attributes.count(("aria-current", "true")) == 2
    assert pages(listed(current, "m00", False)) == ["inc_4"]
    assert "There is no incident." in listed(current, "nope").text
    assert "There is no incident." in listed(snapshot()).text


def test_a_long_list_is_read_in_parts() -> None:
    number = 2 * PAGE + 3
    seen: list[str] = []
    address: str | None = "/incidents"
    while address is not None:
        offset = int(address.partition("offset=")[2] or 0)
        read = listed(many(number), offset=offset)
        seen += pages(read)
        address = next((link for link in read.links if f"offset={offset + PAGE}" in link), None)
    assert seen == [f"inc_{at}" for at in reversed(range(number))]
    assert f"{PAGE + 1} to {2 * PAGE} of {number}" in listed(many(number), offset=PAGE).text
    assert "Previous" in listed(many(number), offset=PAGE).text
    assert "Previous" not in listed(many(PAGE)).text
    beyond = listed(many(number), offset=10**9)
    assert "There is none here." in beyond.text
    assert f"/incidents?offset={number - PAGE}" in beyond.links


def test_ten_thousand_incidents_are_a_page_of_fifty() -> None:
    current = many(10_000, models=1_000, still_open=500)
    read = listed(current)
    assert len(pages(read)) == PAGE
    assert read.elements["a"] < 2 * PAGE + CHOICES_MAX + 20
    assert "and 980 models more" in read.text


def test_the_model_that_is_asked_for_is_always_among_those_to_choose_from() -> None:
    current = many(200, models=100)
    read = listed(current, "m99")
    assert "/incidents?model=m99" in read.links
    assert ("aria-current", "true") in read.attributes


def test_an_incident_says_what_happened_how_bad_and_how_it_went() -> None:
    model, incident = of("drift")
    steps = [
        step(incident, "opened", 8, "amount drifted", "moderate"),
        step(incident, "worsened", 9, "amount drifted more", "major"),
        step(replace(incident, acknowledged=True), "acknowledged", 10, "Ann looks after it", "major"),
    ]
    text = shown(model, incident, steps).text
    assert "fraud (version 3): amount drifted" in text
    assert "◉ open !! major drift: a large change. amount drifted more." in text
    assert "began about 2026-11-23 17:00 UTC opened 2026-11-23 19:00 UTC last seen 2026-11-23 22:00 UTC" in text
    timeline = text.partition("What happened ")[2]
    assert timeline.startswith(
        "2026-11-23 17:00 UTC began About then, by what the windows say. "
        "2026-11-23 19:00 UTC opened ! moderate amount drifted. "
        "2026-11-23 20:00 UTC worsened !! major amount drifted more. "
        "2026-11-23 21:00 UTC acknowledged Ann looks after it."
    )


def test_it_began_when_its_messages_say_so() -> None:
    model, incident = of("performance")
    opened = replace(step(incident, "opened", 8, "roc_auc fell", "major"), onset_ms=window(6).start_ms)
    resolved = replace(step(incident, "resolved", 11, "it is fine", "major"), onset_ms=0)
    read = shown(model, incident, [opened, resolved])
    assert "began about 2026-11-23 16:00 UTC" in read.text
    assert read.figures["course-figure"]["layout"]["shapes"][0]["x0"] == "2026-11-23T16:00:00"
    assert "began about 2026-11-23 18:00 UTC" in shown(model, incident).text


def test_steps_that_are_no_longer_kept_are_said_to_be() -> None:
    model, incident = of("drift")
    later = step(incident, "joined", 9, "country drifted", "major")
    assert "Earlier ones are not kept." in shown(model, incident, [later]).text
    assert "The newest 100 steps are shown." in shown(model, incident, [later] * 100).text
    assert "What happened" not in shown(model, incident).text


@pytest.mark.parametrize("cause", ["drift", "data", "performance"])
def test_the_chart_has_the_figures_of_the_picture(cause: str) -> None:
    model, incident = of(cause)
    found = line(model, incident, incident.latest, began_ms(model, incident))
    assert found is not None
    figure = shown(model, incident).figures["course-figure"]
    by_name = {trace["name"]: trace for trace in figure["data"] if "name" in trace}
    assert by_name[found.name]["y"] == list(found.values)
    assert by_name[found.name]["x"][-1] == "2026-11-23T22:00:00"
    assert [
        trace["y"][0] for name, trace in by_name.items() if name.startswith(("limit", "reference", "tolerance"))
    ] == [value for _, value in found.limits]
    assert figure["layout"]["shapes"][0]["x0"] == ("2026-11-23T17:00:00" if cause == "drift" else "2026-11-23T18:00:00")
    assert ("95 % interval" in by_name) == (cause == "performance")
    rows = shown(model, incident).text.partition("As a table")[2]
    assert all(f"{value:.3f}" in rows for value in found.values)


@pytest.mark.parametrize("cause", ["drift", "data"])
def test_what_is_over_shows_the_feature_that_it_was_about(cause: str) -> None:
    """In the window that ends it nothing is wrong, or something else."""
    model, incident = of(cause)
    end = window(HOURS)
    fine = [
        verdict(end, "amount", "ok", 0.01),
        verdict(end, "country", "ok", 0.0),
        verdict(end, "age", "drifting", 0.9),
    ]
    model = replace(model, windows=(*model.windows, window_view(end, fine)))
    over = replace(incident, open=False, latest=end)
    name = "effect of amount" if cause == "drift" else "share of country missing"
    read = shown(model, over)
    course = read.figures["course-figure"]["data"][0]
    assert course["name"] == name
    assert course["x"][-1] == ("2026-11-23T23:00:00" if cause == "drift" else "2026-11-23T22:00:00")
    assert "age" not in read.text
    found = line(model, over, end, began_ms(model, over))
    assert found is not None
    assert name in svg(over, found)


def test_features_lead_to_their_pages_at_the_window_in_which_they_were_wrong() -> None:
    model, incident = of("drift")
    read = shown(model, incident)
    assert "amount ▲ drifting a: 0% → 100% 0.400" in read.text
    assert "/models/fraud/features/amount?version=3&window=2026-11-23T22%3A00%3A00Z" in read.links
    assert "/models/fraud?version=3&window=2026-11-23T22%3A00%3A00Z" in read.links
    assert "/models/fraud/report?version=3&window=2026-11-23T22%3A00%3A00Z" in read.links
    assert "country missing" in shown(*of("data")).text
    fallen = shown(*of("performance"))
    assert "roc_auc 0.700 0.690 to 0.710 0.900" in fallen.text
    assert "Features that drifted at the same time" in fallen.text


def test_the_receipt_names_windows_offsets_and_digests() -> None:
    model, incident = of("drift")
    offsets = {f"predictions/{number}": (number, number + 7) for number in (10, 9, *range(11, 20))}
    windows = [replace(view, offsets=offsets, profile=f"sha256:{at:02}") for at, view in enumerate(model.windows)]
    model = replace(model, windows=tuple(windows))
    text = shown(model, incident).text
    assert "2026-11-23 21:00 to 22:00 UTC 812 predictions/9 [9, 16) predictions/10 [10, 17)" in text
    assert "and 3 more partitions sha256:11" in text
    assert "sha256:08" in text
    assert "sha256:07" not in text
    early = replace(incident, opened=window(0))
    long = [window_view(window(at)) for at in range(WINDOWS_MAX + 3)]
    assert "and 3 windows before" in shown(replace(model, windows=tuple(long)), replace(early, latest=window(99))).text


def test_retraining_that_it_led_to_is_listed() -> None:
    model = drifting().models["fraud"]
    text = shown(model, model.incidents[1], service=drifting().service).text
    assert "Retraining that was asked for amount drifted , 2026-11-23 12:00 UTC , sent: 2 tries to airflow" in text
    assert "withheld: too few labels" in text
    assert "Retraining that" not in shown(model, model.incidents[0]).text


def test_only_what_is_open_and_not_acknowledged_can_be() -> None:
    model, incident = of("drift")
    for each, forms in (
        (incident, 1),
        (replace(incident, acknowledged=True), 0),
        (replace(incident, open=False), 0),
    ):
        read = shown(model, each)
        assert read.elements["form"] == forms
    read = shown(model, incident)
    assert {("method", "post"), ("action", "/incidents/inc_drift/acknowledge"), ("name", "note")} <= {*read.attributes}


def test_windows_that_are_no_longer_held_are_said_to_be() -> None:
    model = story()
    old = next(each for each in model.incidents if each.id == "inc_old")
    read = shown(model, old)
    assert "no longer held" in read.text
    assert "Receipt" not in read.text
    assert "course-figure" not in read.figures


@settings(deadline=None, max_examples=25)
@given(name=st.text(st.characters(), max_size=20))
@example(name=HOSTILE)
@example(name="\ud800")
@example(name='" onmouseover="alert(1)')
@example(name="{{7*7}}")
def test_no_name_can_break_a_page(name: str) -> None:
    def named(name: str) -> tuple[Read, Read]:
        place = window(0, model=name, version=name)
        view = window_view(place, [verdict(place, name, "drifting", 0.5, 0.1)])
        view = replace(view, offsets={f"{name}/0": (0, 1)}, profile=name)
        incident = Incident("inc_1", "drift", "major", place, place, (name,))
        life = Life.begun(replace(trigger("trg_1", place, ()), summary=name, withheld=name), 0)
        model = model_view(name, versions=(name,), windows=[view], incidents=[incident], triggers=[life])
        steps = [IncidentChange(incident, "opened", place, name, place.start_ms)]
        service = replace(drifting().service, not_ready=name)
        return listed(snapshot(model, service=service), name), shown(model, incident, steps, service)

    for plain, hostile in zip(named("plain"), named(name or "x"), strict=True):
        assert hostile.elements == plain.elements
        assert Counter(key for key, _ in hostile.attributes) == Counter(key for key, _ in plain.attributes)


def test_pages_load_only_their_own_files_and_run_nothing_in_them() -> None:
    for read in (listed(drifting()), shown(*of("drift"))):
        sources = [value for name, value in read.attributes if name == "src"]
        assert all(value and value.startswith("/assets/") for value in sources)
        assert not [name for name, _ in read.attributes if name.startswith("on")]
        assert all(link.startswith(("/", "#")) or link == "data:," for link in read.links)
