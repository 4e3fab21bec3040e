"""The server's page, as a browser shows it. Makes the pictures in docs/pictures when PICTURES=1."""

from __future__ import annotations

import gzip
import math
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest

from tests.support.raw_client import Raw, forward_backward, optim_step, sample, save
from tests.support.server_process import ServerProcess
from tinker import ServiceClient
from tinker_local import LocalServer
from tinker_local.state.curves import Curves
from tinker_local.state.folder import DataFolder
from tinker_local.state.store import Store
from tinker_local.web import pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (apt-get install chromium)"
)
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SCREENS = [(360, "dark"), (1280, "light")]  # colours and widths have nothing to do with each other
if os.environ.get("PICTURES"):
    SCREENS += [(360, "light"), (1280, "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-US", bypass_csp=True
    )
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    foreign: list[str] = []
    opened.on(
        "request", lambda one: foreign.append(one.url) if "127.0.0.1" not in one.url else None
    )
    yield opened
    context.close()
    assert errors == []
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []


@pytest.fixture
def trained() -> Iterator[tuple[LocalServer, str]]:
    """A server on which two runs were trained and saved."""
    with (
        LocalServer(faults=["telemetry:status=500:times=3"]) as running,
        Raw(running.url) as raw,
    ):
        for _ in range(2):
            model_id = raw.model()
            for step in range(6):
                raw.do("forward_backward", forward_backward(model_id, 2 * step + 1, "hello hello"))
                raw.do("optim_step", optim_step(model_id, 2 * step + 2))
            raw.do("save_weights_for_sampler", save(model_id, 13, "demo"))
            raw.do("save_weights", {**save(model_id, 14, "resume"), "ttl_seconds": 3600})
        yield running, model_id


def picture(page: Page, name: str, *, whole: bool = False) -> None:
    if os.environ.get("PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


def text_of(page: Page, selector: str) -> str:
    return str(page.locator(selector).inner_text())


def ready(page: Page, curves: int) -> None:
    page.wait_for_selector(f"body[data-ready='{curves}']")
    page.wait_for_function("performance.getEntriesByName('painted').length")


# ---- without a browser --------------------------------------------------------------------------


def test_it_is_one_small_file() -> None:
    content = gzip.decompress(pages._page())
    assert len(content) < 150_000
    text = content.decode()
    for name in ("pico.min.css", "uPlot.iife.min.js", "src=", "<link rel=stylesheet"):
        assert f"/*{name}*/" not in text
    assert "MIT License" in (Path(pages.__file__).parent / "vendor/pico.LICENSE").read_text()


def test_its_data_need_a_key(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("tml-a anna\ntml-b bert\n")
    with LocalServer(keys=keys) as running, Raw(running.url, "tml-a") as anna:
        model_id = anna.model()
        anna.do("forward_backward", forward_backward(model_id, 1))
        curves = f"{running.url}/page/curves?metric=loss:sum&run={model_id}"
        assert httpx.get(f"{running.url}/").status_code == 200
        assert httpx.get(f"{running.url}/page/events").status_code == 401
        assert httpx.get(curves).status_code == 401
        assert httpx.get(curves, headers={"X-API-Key": "tml-b"}).json() == {
            "steps": [],
            "values": {},
        }
        mine = httpx.get(curves, headers={"X-API-Key": "tml-a"}).json()
        assert mine["steps"] == [1]
        assert list(mine["values"]) == [model_id]
        for number, runs in ((1, 1), (10**30, 1), (0, 0), (-1, 0), (-(10**30), 0)):
            newest = f"{running.url}/page/curves?metric=loss:sum&newest={number}"
            found = httpx.get(newest, headers={"X-API-Key": "tml-a"}).json()
            assert len(found["values"]) == runs


def test_a_curve_is_what_the_operations_returned() -> None:
    with LocalServer() as running, Raw(running.url) as raw:
        model_id = raw.model()
        losses, norms, seq_id = [], [], 0
        for _ in range(3):
            total = 0.0
            for text in ("one batch", "another, longer batch"):  # two chunks make one step
                seq_id += 1
                result = raw.do("forward_backward", forward_backward(model_id, seq_id, text))
                total += result["metrics"]["loss:sum"]
            seq_id += 1
            metrics = raw.do("optim_step", optim_step(model_id, seq_id))["metrics"]
            losses.append(total)
            norms.append(metrics["unclipped_grad_l2:mean"])

        def curve(**params: int | str) -> tuple[list[int], list[Any]]:
            headers = {"X-API-Key": "tml-x"}
            found = httpx.get(
                f"{running.url}/page/curves", params={"run": model_id, **params}, headers=headers
            ).json()
            return found["steps"], found["values"][model_id]

        assert curve(metric="loss:sum")[0] == [1, 2, 3]
        assert curve(metric="loss:sum")[1] == pytest.approx(losses)
        assert curve() == curve(metric="loss:sum")
        assert curve(metric="unclipped_grad_l2:mean")[1] == pytest.approx(norms)
        assert curve(first=2, last=2) == ([2], [pytest.approx(losses[1])])
        assert curve(first="9" * 400) == ([], [])
        assert curve(first="-" + "9" * 400, last="9" * 400) == curve()


def test_curves_share_their_steps(tmp_path: Path) -> None:
    """A long curve is thinned out, with its first and last step; a shorter run ends where it ended."""
    runs_of(tmp_path, 2, 1000)
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        short, _ = (row[0] for row in connection.execute("SELECT id FROM models ORDER BY id"))
        connection.execute("DELETE FROM metrics WHERE model_id = ? AND step > 333", (short,))
        connection.execute("UPDATE curves SET steps = 333 WHERE model_id = ?", (short,))
        exact = dict(
            connection.execute(
                "SELECT step, total FROM metrics WHERE model_id = ? AND name = 'loss:sum'", (short,)
            )
        )
        del exact[20]
        connection.execute(
            "UPDATE metrics SET total = 9e999 WHERE model_id = ? AND step = 20", (short,)
        )
    connection.close()
    store = Store(DataFolder(tmp_path))
    try:
        (owner,) = store.tuples("SELECT DISTINCT owner FROM models")[0]
        curves = Curves(store)
        runs = curves.newest(owner, 50)
        table = curves.table(owner, [*runs, "none"], "loss:sum", 0, 2**31, 100)
    finally:
        store.close()
    assert table["steps"] == [1, *range(10, 331, 10), 333, *range(340, 1001, 10)]
    assert set(table["values"]) == set(runs)
    assert table["values"][short] == [
        pytest.approx(exact[step]) if step in exact else None for step in table["steps"]
    ]


# ---- in a browser -------------------------------------------------------------------------------


def test_it_shows_what_happens(page: Page, trained: tuple[LocalServer, str]) -> None:
    server, model_id = trained
    page.goto(server.url)
    ready(page, 2)
    assert page.locator("#runs tr").count() == 2
    run = page.locator("#runs tr").first.inner_text()
    assert "ready" in run
    assert "\t6\t" in run
    assert "save_weights" in text_of(page, "#requests")
    assert "tinker://" in text_of(page, "#checkpoints")
    assert "in " in text_of(page, "#checkpoints")
    assert "status=500" in text_of(page, "#faults")
    assert "active" in text_of(page, "#sessions")
    assert text_of(page, "#live") == "live"
    with Raw(server.url) as raw:  # live: without a reload
        raw.do("forward_backward", forward_backward(model_id, 15, "hello hello"))
        raw.do("optim_step", optim_step(model_id, 16))
        page.wait_for_function("document.querySelector('#runs').innerText.includes('\\t7\\t')")
        waits = raw.post("optim_step", optim_step(model_id, 18))
        page.wait_for_function(
            "document.querySelector('#queue').innerText.includes('seq_id 17 has not arrived')"
        )
        raw.do("forward_backward", forward_backward(model_id, 17))
        raw.result(waits)


def test_a_prompt_is_tried_on_two_checkpoints(page: Page, trained: tuple[LocalServer, str]) -> None:
    server, model_id = trained
    page.goto(server.url)
    ready(page, 2)
    page.fill("#prompt", "hello ")
    page.fill("#tokens", "12")
    page.fill("#temp", "0")
    page.select_option("#left", "tinker-local/tiny")
    page.select_option("#right", f"tinker://{model_id}/sampler_weights/demo")
    page.press("#prompt", "Control+Enter")
    page.wait_for_function(
        "document.querySelector('#stop').disabled && document.querySelector('#a-right').innerText"
    )
    with Raw(server.url) as raw:
        body = {
            **sample("", 0, "hello "),
            "model_path": f"tinker://{model_id}/sampler_weights/demo",
        }
        del body["sampling_session_id"], body["seq_id"]
        body["sampling_params"] = {"max_tokens": 12, "temperature": 0}
        tokens = raw.do("asample", body)["sequences"][0]["tokens"]
    expected = bytes(token for token in tokens if token < 256).decode(errors="replace")
    assert page.locator("#a-right").text_content() == expected
    assert page.locator("#a-left").text_content() != expected


def test_checkpoints_and_traces_are_downloaded(
    page: Page, trained: tuple[LocalServer, str]
) -> None:
    server, _ = trained
    page.goto(server.url)
    ready(page, 2)
    with page.expect_download() as archive:
        page.locator("[data-get]").first.click()
    assert archive.value.suggested_filename in ("demo.tar", "resume.tar")
    assert archive.value.path().stat().st_size > 1000
    with page.expect_download() as trace:
        page.locator("[data-trace]").first.click()
    assert b"traceEvents" in trace.value.path().read_bytes()


def test_it_asks_for_a_key(page: Page, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("tml-anna anna\n")
    with LocalServer(keys=keys) as running:
        page.goto(running.url)
        page.wait_for_selector("dialog[open]")
        assert "Unknown" not in text_of(page, "#why")  # nobody has entered one yet
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog[open]")
        page.fill("#key", "tml-wrong")
        page.press("#key", "Enter")
        page.wait_for_function("document.querySelector('#why').innerText.includes('Unknown')")
        page.fill("#key", "tml-anna")
        page.press("#key", "Enter")
        page.wait_for_function("document.querySelector('#live').innerText == 'live'")


def runs_of(data: Path, runs: int, steps: int) -> None:
    """A folder as if so many runs had been trained."""
    with LocalServer(data=data) as running, Raw(running.url) as raw:
        session_id = raw.session()
        for number in range(runs):
            raw.model(session_id, number)
    with sqlite3.connect(data / "state.sqlite") as connection:
        for index, (model_id,) in enumerate(connection.execute("SELECT id FROM models").fetchall()):
            rate = 0.4 + index / runs
            connection.executemany(
                "INSERT INTO metrics VALUES (?, ?, ?, ?, 0)",
                [
                    (model_id, name, step, value)
                    for step in range(1, steps + 1)
                    for name, value in (
                        ("", float(step)),
                        (
                            "loss:sum",
                            100 * (1 + 6 * math.exp(-rate * step / 100))
                            + 20 * math.sin(step * rate),
                        ),
                        ("tokens:sum", 1000.0),
                    )
                ],
            )
            connection.execute(
                "INSERT INTO curves SELECT model_id, name, max(step), sum(total) FROM metrics "
                "WHERE model_id = ? GROUP BY name",
                (model_id,),
            )
    connection.close()


def test_fifty_long_runs(page: Page, tmp_path: Path) -> None:
    runs_of(tmp_path, 50, 5000)
    with ServerProcess(tmp_path) as running:
        for _ in range(int(os.environ.get("ROUNDS", "1"))):
            page.goto(running.url)
            ready(page, 50)
            marks = page.evaluate(
                "performance.getEntriesByType('mark').map(m => [m.name, Math.round(m.startTime)])"
            )
            load = f"load {os.getloadavg()[0]:.1f}"
            print(*(f"{name} after {milliseconds} ms;" for name, milliseconds in marks), load)
        # Dragging shows a part, with every step of it; a double click all of it again.
        box = page.locator("#chart .u-over").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.52 * box["width"], box["y"] + 50, steps=5)
        page.mouse.up()
        page.wait_for_function("plot.data[0].length > 90 && plot.data[0].length < 130")
        assert page.evaluate("plot.data[0][1] - plot.data[0][0]") == 1
        page.locator("#chart").focus()
        page.keyboard.press("0")
        page.wait_for_function("plot.data[0].at(-1) == 5000")
        page.keyboard.press("+")
        page.wait_for_function("range != null")
        page.locator("#reset").click()
        page.wait_for_function("range == null && plot.data[0].at(-1) == 5000")
        page.locator("#none").click()
        ready(page, 0)
        page.locator("#runs input").first.check()
        ready(page, 1)


def test_a_run_of_one_step_is_a_dot(page: Page) -> None:
    with LocalServer() as running, Raw(running.url) as raw:
        model_id = raw.model()
        raw.do("forward_backward", forward_backward(model_id, 1))
        raw.do("optim_step", optim_step(model_id, 2))
        page.goto(running.url)
        ready(page, 1)
        assert page.evaluate("plot.series[1].points.show(plot, 1)")


def test_an_empty_page_says_what_to_do(page: Page) -> None:
    with LocalServer() as running:
        page.goto(running.url)
        page.wait_for_selector("#first")
        lines = text_of(page, "#first pre").replace("tinker.ServiceClient", "ServiceClient")
        assert running.url in lines
        assert not page.locator("#chart").is_visible()
        page.wait_for_function("document.querySelector('#queue').innerText == 'Nothing waits.'")
        assert text_of(page, "#left") == "tinker-local/tiny"
        with ServiceClient(base_url=running.url, api_key="tml-page") as service:
            exec(lines.partition("\n")[2], {"service": service})
            ready(page, 0)
        page.wait_for_selector("#runs tr")
        assert not page.locator("#first").is_visible()
        assert page.locator("#runs input").is_checked()
        assert page.locator("#chart canvas").bounding_box()["width"] > 500


def test_times_go_on(page: Page, trained: tuple[LocalServer, str]) -> None:
    server, model_id = trained
    page.clock.install()
    page.goto(server.url)
    with Raw(server.url) as raw:
        waits = raw.post("optim_step", optim_step(model_id, 18))
        page.wait_for_function("document.querySelector('#queue').innerText.includes('seq_id')")
        page.wait_for_function("document.querySelector('#checkpoints').innerText.includes('in 60')")
        page.clock.fast_forward("10:00")
        for part, text in (("runs", "10 min ago"), ("queue", "10 min"), ("checkpoints", "in 50")):
            page.wait_for_function(
                f"document.querySelector('#{part}').innerText.includes('{text}')"
            )
        raw.do("forward_backward", forward_backward(model_id, 15))
        for seq_id in (16, 17):
            raw.do("optim_step", optim_step(model_id, seq_id))
        raw.result(waits)


def test_the_keyboard_keeps_its_place(page: Page, trained: tuple[LocalServer, str]) -> None:
    server, model_id = trained
    page.goto(server.url)
    ready(page, 2)
    page.locator("#runs input").last.focus()
    chosen = page.evaluate("document.activeElement.dataset.run")
    with Raw(server.url) as raw:
        raw.do("forward_backward", forward_backward(model_id, 15))
        raw.do("optim_step", optim_step(model_id, 16))
    page.wait_for_function("document.querySelector('#runs').innerText.includes('\\t7\\t')")
    assert page.evaluate("document.activeElement.dataset.run") == chosen


def test_a_server_that_comes_back(page: Page, trained: tuple[LocalServer, str]) -> None:
    server, _ = trained
    page.goto(server.url)
    ready(page, 2)
    server.close()
    page.wait_for_function("document.querySelector('#live').innerText.includes('is gone')")
    name = "<script>document.title = 'gone'</script>"
    with LocalServer(port=int(server.url.rpartition(":")[2])) as other, Raw(other.url) as raw:
        page.wait_for_function("document.querySelector('#live').innerText == 'live'")
        page.wait_for_selector("#first")
        raw.model(raw.session(user_metadata={}, display_name=name))
        page.wait_for_function("document.querySelectorAll('#runs input:checked').length == 1")
        assert name in text_of(page, "#sessions")
        assert page.title() == "tinker_local"


def test_the_contract_shows_every_operation(page: Page, server: str) -> None:
    """On a phone, where the contents are behind a button. The viewer's errors fail the test."""
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(f"{server}/docs")
    operations = page.locator("nav [part~=section-navbar-path]")
    operations.first.wait_for(state="attached")
    page.locator("#contents").click()
    page.keyboard.press("Escape")
    operations.nth(4).wait_for(state="hidden")
    page.keyboard.press("Enter")
    operations.nth(4).click()
    operations.nth(4).wait_for(state="hidden")
    names = [operations.nth(i).get_attribute("data-content-id") for i in range(operations.count())]
    assert len(names) > 50
    for name in names:
        page.evaluate("name => document.querySelector('rapi-doc').scrollToPath(name)", name)
        page.locator(f"[id='{name}'] api-response [part~=btn-response-status]").first.wait_for()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_it_fits_every_screen(
    browser: Browser, tmp_path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    runs_of(tmp_path, 6, 400)
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale="en-US",
        bypass_csp=True,
    )
    page = context.new_page()
    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        model_id = raw.model()
        raw.do("forward_backward", forward_backward(model_id, 1, "hello " * 20))
        raw.do("optim_step", optim_step(model_id, 2))
        raw.do("save_weights_for_sampler", save(model_id, 3, "demo"))
        raw.post("optim_step", optim_step(model_id, 5))
        page.goto(running.url)
        ready(page, 7)
        page.locator("#smooth").fill("0.9")
        page.wait_for_selector("#m-training_tokens canvas")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if (scheme, width) == ("light", 1280):
            picture(page, "page", whole=True)
        if (scheme, width) == ("dark", 360):
            picture(page, "phone")
        page.goto(f"{running.url}/docs")
        page.wait_for_function(
            "document.querySelector('rapi-doc').shadowRoot.innerHTML.includes('healthz') || document.querySelector('rapi-doc').shadowRoot.innerHTML.includes('Liveness')"
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if (scheme, width) == ("light", 1280):
            picture(page, "contract")
    context.close()
