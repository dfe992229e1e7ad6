"""The page as a person meets it, in a real browser."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browser import browser
from tests.support.servers import Server, served

EVIL = "<img src=x onerror=\"document.title='run'\">"
SCENARIO = f"""\
name: tiny
extends: baseline
description: '{EVIL.replace("'", "''")}'
clock: {{end: 2024-01-14}}
volume: {{base_daily_volume: 40}}
bnpl:
  population: {{initial_customers: 60}}
  credit: {{charge_off_days: 3, late_fee_after_days: 2, base_default_rate: 0.2}}
  catalog: {{categories: {{home: {{subcategories: ['{EVIL.replace("'", "''")}']}}}}}}
drifts:
  - {{id: dearer, kind: volume, schedule: {{kind: sudden, at: 2024-01-02}}, effect: {{mean_ratio: 1.5}}}}
"""
LONGER = (
    SCENARIO.replace("name: tiny", "name: longer")
    .replace("2024-01-14", "2024-02-20")
    .replace("base_daily_volume: 40", "base_daily_volume: 15")
)
"""So long that it is known of some purchases that they did not default."""
STREAM = (
    "/scenarios/tiny/stream?tables=bnpl_records&labels=as_known&order=event_time&speed=max&from=2024-01-01"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    (home / "scenarios").mkdir()
    (home / "scenarios" / "tiny.yaml").write_text(SCENARIO)
    (home / "scenarios" / "longer.yaml").write_text(LONGER)
    with served(home) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def page(server: Server, chromium: Browser) -> Iterator[Page]:
    """The page of the tiny scenario; whatever it complains of, or asks of anybody else, fails the test."""
    tab = chromium.new_page()
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((server.address, "data:")) else complaints.append(asked.url)
        ),
    )
    tab.goto(f"{server.address}/?scenario=tiny")
    expect(tab.locator("#scenario")).to_have_value("tiny")
    yield tab
    tab.close()
    assert complaints == []


def test_events_arrive_as_the_stream_has_them_and_are_shown_as_text(page: Page, server: Server) -> None:
    stream = server.address + STREAM.replace("tiny", "longer")
    whole = httpx.get(stream, headers={"Accept": "application/x-ndjson"}, timeout=30)
    records = [json.loads(line) for line in whole.text.splitlines()]
    events = [one for one in records if one["_table"] == "bnpl_records"]
    labels = [one for one in records if one["_table"] == "label"]
    page.select_option("#scenario", "longer")
    expect(page.locator("#said")).to_have_text(EVIL)
    page.select_option("#speed", "max")
    page.click("#go")
    expect(page.locator("#said")).to_have_text("That was the last event.", timeout=20_000)
    expect(page.locator("#received")).to_have_text(f"{len(events):,}")
    expect(page.locator("#labels")).to_have_text(f"{len(labels):,}")
    assert len(labels) > 0
    begun = {one["_record_id"]: date.fromisoformat(one["_timestamp"][:10]) for one in events}
    newest = labels[-1]
    known = date.fromisoformat(newest["label_available_at"][:10])
    after = f"{(known - begun[newest['transaction_id']]).days} days"
    expect(page.locator("#feed tr:first-child td")).to_have_text(
        [
            newest["label_available_at"].replace("T", " ")[:19],
            str(newest["transaction_id"]),
            "yes" if newest["will_default"] else "no",
            after,
        ]
    )
    assert {one["will_default"] for one in labels} == {True, False}
    defaulted = sum(one["will_default"] for one in labels) / len(labels)
    expect(page.locator("#outcome")).to_have_text(f"{100 * defaulted:.2f} %")
    assert page.inner_text("#events tr:first-child td:first-child") == events[-1]["transaction_id"]
    expect(page.locator("#drifts .row")).to_contain_text(["dearer"])
    assert page.locator("#hours rect").count() > 48
    page.click("summary")
    page.get_by_label("product subcategory").check()
    expect(page.locator("#events")).to_contain_text(EVIL)
    assert page.title() != "run"
    assert page.locator("main img").count() == 0


def test_a_paused_page_goes_on_with_the_very_next_event(page: Page, server: Server) -> None:
    page.evaluate("""() => { window.ids = []; const before = take;
        take = text => { before(text); const id = /^id: (.*)$/m.exec(text); if (id) window.ids.push(id[1]); }; }""")
    page.select_option("#speed", "86400")
    page.click("#go")
    _wait_for_ids(page, 20)
    page.click("#go")
    expect(page.locator("#go")).to_have_text("Resume")
    paused = page.evaluate("window.ids.length")
    page.wait_for_timeout(500)
    assert page.evaluate("window.ids.length") == paused
    page.click("#go")
    _wait_for_ids(page, paused + 20)
    page.click("#go")
    page.click("#copy")
    expect(page.locator("#said")).to_contain_text("curl -N")
    command = page.inner_text("#said").removeprefix("Copied: ").replace("speed=86400", "speed=max")
    ids = page.evaluate("window.ids")
    rest = subprocess.run([*shlex.split(command), "-s"], capture_output=True, text=True, timeout=60).stdout
    after = [line[4:] for line in rest.splitlines() if line.startswith("id: ")]
    whole = httpx.get(server.address + STREAM, timeout=30).text.splitlines()
    assert ids + after == [line[4:] for line in whole if line.startswith("id: ")]
    assert int(page.inner_text("#received").replace(",", "")) > 0


def _wait_for_ids(page: Page, count: int) -> None:
    """Until the page has more records; it lets nobody turn text into code, so it is asked from outside."""
    for _ in range(400):
        if page.evaluate("window.ids.length") > count:
            return
        page.wait_for_timeout(50)
    raise TimeoutError(page.inner_text("#said"))


OUT_OF_RANGE = [{"key": "from", "found": "2030-01-01", "allowed": "a day of the clock"}]
REFUSALS: dict[int, tuple[Any, str, str]] = {
    404: ("no scenario tiny", "no scenario tiny.", "Choose another scenario or day, and press Start."),
    409: ("another stream.", "another stream.", "Press Begin again."),
    422: (
        OUT_OF_RANGE,
        "from: found 2030-01-01; allowed: a day of the clock.",
        "Change it, and press Start.",
    ),
    429: ("64 streams are open", "64 streams are open.", "Wait a few seconds, and press Start."),
    503: ("the file is in use.", "the file is in use.", "Wait a moment, and press Start."),
}


def test_a_refusal_and_an_error_in_the_midst_are_said_with_what_to_do(
    chromium: Browser, server: Server
) -> None:
    page = chromium.new_page()
    page.goto(f"{server.address}/?scenario=tiny")
    expect(page.locator("#scenario")).to_have_value("tiny")
    for status, (detail, why, advice) in REFUSALS.items():
        answer = partial(Route.fulfill, status=status, json={"detail": detail})
        page.route("**/stream?**", answer)
        page.click("#go")
        expect(page.locator("#said")).to_have_text(f"{why} {advice}")
        expect(page.locator("#go")).to_have_text("Start")
        page.unroute("**/stream?**", answer)
    replaced = "2024-01-02 has landed of another world. Begin a new stream."
    body = f"event: error\ndata: {replaced}\n\n"
    page.route("**/stream?**", partial(Route.fulfill, content_type="text/event-stream", body=body))
    page.click("#go")
    expect(page.locator("#said")).to_have_text(replaced)
    page.close()


def test_a_page_asks_for_the_token_and_says_when_the_server_is_gone(
    chromium: Browser, tmp_path: Path
) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "tiny.yaml").write_text(SCENARIO)
    token = "a-token-of-some-length"
    with served(tmp_path, "--token", token) as server:
        page = chromium.new_page()
        page.goto(f"{server.address}/?scenario=tiny&speed=3600")
        expect(page.locator("#said")).to_contain_text("asks for a token")
        page.fill("#token", token)
        page.click("#go")
        expect(page.locator("#scenario")).to_have_value("tiny")
        page.click("#go")
        expect(page.locator("#received")).not_to_have_text("0", timeout=20_000)
        server.process.kill()
        expect(page.locator("#said")).to_contain_text("Press Resume once it is back")
        expect(page.locator("#go")).to_have_text("Resume")
        page.close()
