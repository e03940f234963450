"""Commands about the configuration: `hadron policy`, and what `hadron serve --settings` lists."""
from __future__ import annotations

import argparse
import json
import os
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rest.cli_client import Failed
from rest.cli_show import WIDTH, Page

FINE, WRONG = 0, 2


def words(one: argparse.ArgumentParser) -> None:
    """What `hadron policy` takes."""
    one.add_argument("--config", metavar="FILE", default=os.environ.get("HADRON_CONFIG"), help="YAML (HADRON_CONFIG)")
    one.add_argument("--json", action="store_true", help="as JSON: each rule, and whether the policy file says it")
    one.add_argument("--wide", action="store_true", help="do not wrap lines")


@contextmanager
def configured() -> Iterator[None]:
    """What is wrong with the configuration, a model file or an app is said in a line."""
    from controller.config import BadConfig
    from controller.errors import Refused
    try:
        yield
    except (BadConfig, Refused, ValueError, ImportError) as error:
        raise Failed(str(error), WRONG) from None


def policy(arguments: argparse.Namespace) -> int:
    """`hadron policy`."""
    with configured():
        from controller import config
        from controller.main import load_apps
        from controller.model import Model
        from controller.policy import Policy
        wanted = config.load(arguments.config)
        resources, said = load_apps(wanted.apps), config.policy_rules(wanted)
        texts = Policy(resources, Model(resources), said).texts
    if arguments.json:
        print(json.dumps({"policy": {name: {"rule": texts[name], "of_the_file": name in said} for name in sorted(texts)}}, indent=2))
        return FINE
    for name in sorted(texts):
        print(_rule(name, texts[name], name in said, wide=arguments.wide))
    return FINE


def _rule(name: str, text: str, own: bool, *, wide: bool) -> str:
    """A rule as YAML; a long one below its name, as what YAML takes for one line."""
    line = f"{json.dumps(name)}: {json.dumps(text)}{'      # of the policy file' if own else ''}"
    if wide or len(line) <= WIDTH:
        return line
    folded = textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return f"{json.dumps(name)}: >-{'      # of the policy file' if own else ''}\n{folded}"


def settings(resources: Any, entries: Iterable[tuple[str, Any, str]], *, as_json: bool) -> int:
    """What a configuration may say, and what features let it set."""
    own = [(name, f"{default.address}:{default.port}" if hasattr(default, "port") else default, meaning) for name, default, meaning in entries]
    features = [(name, one.default, one.description) for name, one in sorted(resources.settings.items())]
    if as_json:
        print(json.dumps({part: {name: {"default": default, "meaning": meaning} for name, default, meaning in rows}
                          for part, rows in (("entries", own), ("settings", features))}, indent=2, default=list))
        return FINE
    page = Page()
    for head, rows in (("ENTRY", own), ("SETTING", features)):
        page.table((head, "DEFAULT", "MEANING"), [(name, json.dumps(default, default=list), meaning) for name, default, meaning in rows])
        page.line()
    return FINE
