"""docs/api.md: every extension of Neutron's API is served, shown by a test, or it is said why not. `--golden` rewrites it."""
from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import neutron_lib.api.definitions
import pytest

from rest.extensions import EXTENSIONS
from rest.unserved import UNSERVED

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
HEAD = """# Neutron's extensions

Every alias that neutron-lib knows, and some that only Neutron itself does: served, or why not. What is served is what
`GET /v2.0/extensions` lists; the test beside it shows that it works. `GET /v2.0/extensions/ALIAS` of another says why it
is not. An attribute of an extension that is not served is refused by name (400 or 501), unless its value is harmless.

"""


def aliases() -> dict[str, str]:
    """The aliases that neutron-lib knows, and their names."""
    found = {}
    for module in pkgutil.iter_modules(neutron_lib.api.definitions.__path__):
        if not module.name.startswith("_") and module.name != "base":
            definition = importlib.import_module(f"neutron_lib.api.definitions.{module.name}")
            if getattr(definition, "ALIAS", None):
                found[definition.ALIAS] = definition.NAME
    return found


def test_an_extension_has_the_name_by_which_clients_look_for_it() -> None:
    known = aliases()
    assert {alias: one.name for alias, one in EXTENSIONS.items() if known.get(alias, one.name) != one.name} == {}


def test_every_extension_is_served_or_refused_with_a_reason_and_not_both() -> None:
    assert sorted(aliases().keys() - EXTENSIONS.keys() - UNSERVED.keys()) == []
    assert sorted(EXTENSIONS.keys() & UNSERVED.keys()) == []
    assert sorted(UNSERVED.keys() - aliases().keys()) == [], "reasons for what neutron-lib does not know"


def test_the_page_says_what_is_served_and_what_is_not(request: pytest.FixtureRequest) -> None:
    served = [f"| {alias} | {one.description} | {one.test} |" for alias, one in sorted(EXTENSIONS.items())]
    refused = [f"| {alias} | {why} |" for alias, why in sorted(UNSERVED.items())]
    page = "\n".join([HEAD + f"## Served ({len(served)})", "", "| alias | what | shown by |", "|---|---|---|", *served, "",
                      f"## Not served ({len(refused)})", "", "| alias | why |", "|---|---|", *refused, ""])
    if request.config.getoption("--golden"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "docs/api.md: write it anew with --golden, and read it"
