"""`/docs` as a newcomer meets it: in a real Chromium, in light and in darkness, by keyboard; and its commands in a real shell."""
from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.browser import Browser, program
from tests.rest.fabric import TOKENS, Fabric, fabric

pytestmark = pytest.mark.skipif(program() is None and "ID=debian" not in Path("/etc/os-release").read_text().splitlines(),
                                reason="no Chromium; on Debian `make test` installs one")
CONTRAST = 4.5              # between text and what is behind it (WCAG 2.2, 1.4.3)
# The least contrast of all text of the page, and of which words.
LEAST = """(() => {
  const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(one => one / 255).map(
      one => one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
  const behind = one => { for (; one; one = one.parentElement) { const it = getComputedStyle(one).backgroundColor;
      if (it != 'rgba(0, 0, 0, 0)') return it } return 'rgb(255, 255, 255)' };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), seen = new Map();
  while (walker.nextNode()) { const one = walker.currentNode.parentElement;
      seen.set(getComputedStyle(one).color + behind(one), [getComputedStyle(one).color, behind(one), walker.currentNode.data.slice(0, 40)]) }
  return [...seen.values()].map(([ink, paper, words]) => { const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), words] }).sort((x, y) => x[0] - y[0])[0] })()"""
OPENED = "[...document.querySelectorAll('details[open]')].map(one => one.id)"
FOCUS = "(document.activeElement.innerText || '').trim()"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Fabric]:
    with fabric() as running:
        yield running


@pytest.fixture(scope="module")
def browser(cloud: Fabric) -> Iterator[Browser]:
    """With the page open."""
    one = Browser()
    try:
        one.open(f"{cloud.url}/docs")
        yield one
    finally:
        one.close()


def test_the_page_is_shown_without_a_complaint_and_asks_nobody_but_hadron(cloud: Fabric, browser: Browser) -> None:
    assert browser.see("document.title") == "Hadron: the API"
    assert browser.see("document.compatMode") == "CSS1Compat", "drawn as the standard says"
    assert browser.complaints == []
    asked = [one for one in browser.requests if not one.startswith(("data:", "about:"))]
    assert asked and all(one.startswith(cloud.url) for one in asked)


def test_every_served_kind_and_operation_is_on_the_page(cloud: Fabric, browser: Browser) -> None:
    whole = cloud.as_ops.get("/openapi.json")
    shown = browser.see("[...document.querySelectorAll('section')].map(one => [one.id, one.getBoundingClientRect().height > 20])")
    assert dict(shown) == dict.fromkeys((tag["name"] for tag in whole["tags"]), True)
    assert {"network", "port", "router", "usage", "event", "quota"} <= {name for name, _ in shown}
    operations = [one["operationId"] for path in whole["paths"].values() for verb, one in path.items() if verb != "parameters"]
    assert sorted(browser.see("[...document.querySelectorAll('section > details[id]')].map(one => one.id)")) == sorted(operations)
    linked = browser.see("[...document.querySelectorAll('nav a')].map(one => one.hash.slice(1))")
    assert sorted(linked) == sorted(tag["name"] for tag in whole["tags"])


def test_an_operation_opens_by_keyboard_alone_and_shows_its_attributes(browser: Browser) -> None:
    browser.see("window.scrollTo(0, 0); document.activeElement.blur()")
    browser.press("Tab")
    assert browser.see(FOCUS) == "To the first operation"
    browser.press("Enter")
    assert browser.see("location.hash") == "#begin"
    browser.press("Tab")
    assert browser.see(FOCUS).startswith("GET") and browser.see("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.see("document.querySelector('#create_port > summary').focus()")
    assert browser.see(OPENED) == []
    browser.press("Enter")
    assert browser.see(OPENED) == ["create_port"]
    rows = browser.see("[...document.querySelectorAll('#create_port tbody tr')].filter(one => one.offsetHeight)"
                       ".map(one => [...one.cells].map(cell => cell.innerText))")
    told = {row[0]: row[1:] for row in rows}
    assert told["network_id"] == ["uuid", "required", "Network that it is on"]
    assert told["admin_state_up"][0] == "boolean" and "Off stops its traffic" in told["admin_state_up"]
    browser.press("Space")
    assert browser.see(OPENED) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_of_it_can_be_read_in_light_and_in_darkness(browser: Browser, scheme: str) -> None:
    browser.prefer(scheme)
    paper = browser.see("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(24, 24, 24)"}[scheme]
    least, words = browser.see(LEAST)
    assert least >= CONTRAST, f"{least} at {words!r}"
    assert len(browser.picture()) > 10_000


@pytest.mark.parametrize("pixels", [360, 1280])
def test_it_fits_a_telephone_and_a_screen(browser: Browser, pixels: int) -> None:
    browser.width(pixels)
    browser.see("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.see("document.documentElement.scrollWidth") <= pixels
    browser.see("document.querySelectorAll('details').forEach(one => one.open = false)")


def test_a_screen_reader_is_told_what_is_what(browser: Browser) -> None:
    told = browser.tree()
    assert ("navigation", "Kinds") in told and ("heading", "Hadron: the API") in told and ("heading", "security group rule") in told
    assert [role for role, _ in told].count("main") == 1
    assert any(role == "DisclosureTriangle" and "/v2.0/ports" in name for role, name in told), \
        "an operation is something that opens, and has a name"


def test_its_commands_do_what_they_say_with_a_token(cloud: Fabric, browser: Browser) -> None:
    known = {"HADRON_URL": cloud.url, "HADRON_TOKEN": TOKENS["acme"], "PATH": "/usr/bin:/bin"}

    def run(operation: str, **ids: str) -> dict:
        command = browser.see(f"document.querySelector('#{operation} pre').textContent")
        done = subprocess.run(["sh", "-c", command], env={**known, **ids}, capture_output=True, text=True, timeout=60, check=True)
        found: dict = json.loads(done.stdout or "{}")
        assert "NeutronError" not in found, (command, found)
        return found

    network = run("create_network")["network"]["id"]
    subnet = run("create_subnet", NETWORK_ID=network)["subnet"]["id"]
    port = run("create_port", NETWORK_ID=network)["port"]["id"]
    router = run("create_router")["router"]["id"]
    group = run("create_security_group")["security_group"]["id"]
    run("create_security_group_rule", SECURITY_GROUP_ID=group)
    run("add_router_interface_of_router", ID=router, SUBNET_ID=subnet)
    assert [one["id"] for one in run("list_networks")["networks"]] == [network]
    assert run("update_port", ID=port)["port"]["id"] == run("show_port", ID=port)["port"]["id"] == port
    assert run("list_tags_of_network", ID=network) == {"tags": []}
    assert run("show_usage")["usage"] == []
    run("delete_port", ID=port)
    assert cloud.as_acme.ask("GET", f"/v2.0/ports/{port}").status == 404


def test_without_a_token_its_commands_are_refused_as_it_says(cloud: Fabric, browser: Browser) -> None:
    command = browser.see("document.querySelector('#list_ports pre').textContent")
    done = subprocess.run(["sh", "-c", command], env={"HADRON_URL": cloud.url, "HADRON_TOKEN": "", "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, timeout=60, check=True)
    assert "token" in done.stdout.lower()
