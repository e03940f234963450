"""Reads the words of a model file that describe one object, but for its attributes (attributes.py)."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.attributes import attribute_of, check_rule
from controller.checks import check_of
from controller.hooks import hook
from controller.resource import Action, Attribute, Beside, Check, Rendering, Share, View

_ACTION_WORDS = {"call", "body", "wrapped", "description", "policy"}
_RENDERING_WORDS = {"call", "formats", "asked", "description", "policy"}
VERBS = ("create", "update", "delete")


def policies(file: Any, name: str, whole: dict) -> dict[str, str]:
    """Who may do what, by verb."""
    rules = {verb: _rule(given) for verb, given in whole["policies"].items()}
    file.only(f"{name}.policies", rules, {*VERBS, "get", "get_one", "list"})
    for verb, rule in rules.items():
        check_rule(file, f"{name}.policies.{verb}", rule)
    if "get_one" in rules:
        rules.setdefault("get", rules.pop("get_one"))
    return rules


def shares(file: Any, name: str, whole: dict, attributes: Mapping[str, Attribute]) -> dict[str, Share]:
    """What other projects may be allowed, by action; a list of actions is of those whose mark is `shared`."""
    given = whole.get("shares") or {}
    if isinstance(given, list):
        given = dict.fromkeys(given, {"mark": "shared"})
    for action, one in given.items():
        where = f"{name}.shares.{action}"
        file.only(where, one, {"mark", "used_by"})
        mark = attributes.get(one.get("mark", ""))
        if mark is None or mark.type.name != "boolean":
            raise file.bad(where, "needs a mark, the boolean attribute that stands for it")
    return {action: Share(action, one["mark"], tuple(one.get("used_by") or ())) for action, one in given.items()}


def checks(file: Any, name: str, whole: dict, attributes: Mapping[str, Attribute]) -> tuple[Check, ...]:
    """Those of the object, after those that attributes imply by `unique: true` or `unique: other_attribute`."""
    implied = [{"unique": [key] if one["unique"] is True else [one["unique"], key]}
               for key, one in whole["attributes"].items() if one.get("unique")]
    return tuple(check_of(file, name, given, attributes) for given in [*implied, *whole["checks"]])


def indexes(file: Any, name: str, whole: dict, attributes: Mapping[str, Attribute],
             checks: tuple[Check, ...]) -> dict[str, tuple[str, ...]]:
    """Indexes by name: those that are asked for, and those that checks need."""
    indexes = {}
    for index, paths in (whole.get("indexes") or {}).items():
        for path in paths:
            if path.partition(".")[0] not in attributes:
                raise file.bad(f"{name}.indexes.{index}", f"{path} is not an attribute")
        indexes[index] = tuple(paths)
    for check in checks:
        needed = {"unique": check.given, "disjoint": [check.given[1]["over"]] if check.word == "disjoint" else []}
        if needed.get(check.word):
            indexes.setdefault("+".join(needed[check.word]), tuple(needed[check.word]))
    return indexes


def prepare(file: Any, name: str, whole: dict) -> dict[str, Any]:
    """What has a say in changes of its own objects, by verb."""
    given = whole.get("prepare") or {}
    if isinstance(given, str):
        given = dict.fromkeys(VERBS, given)
    file.only(f"{name}.prepare", given, set(VERBS))
    return {verb: hook(file, f"{name}.prepare", path) for verb, path in given.items()}


def prepare_others(file: Any, name: str, whole: dict) -> dict[tuple[str, str], Any]:
    """… and in those of other kinds."""
    where, found = f"{name}.prepare_others", {}
    for kind, given in (whole.get("prepare_others") or {}).items():
        found.update({(kind, verb): hook(file, where, path) for verb, path in given.items()})
    return found


def view(file: Any, name: str, whole: dict, kinds: Mapping[str, str]) -> View | None:
    """What makes its objects, if they are not written but seen."""
    given = whole.get("view")
    if given is None:
        return None
    if not isinstance(given, dict) or not {"by"} <= given.keys() <= {"of", "by", "several", "narrow"} or given.get("of", "") not in ("", *kinds):
        raise file.bad(f"{name}.view", "needs by, the Python that makes them, and perhaps of: the object each is of")
    return View(kinds[given["of"]] if "of" in given else None, hook(file, f"{name}.view", given["by"]),
                is_true(given.get("several")), is_true(given.get("narrow")))


def flows(file: Any, name: str, whole: dict, attributes: Mapping[str, Attribute]) -> dict[str, int]:
    """How many flow entries its objects count for."""
    given = whole.get("flows") or {}
    given = {"own": given} if isinstance(given, int) else given
    for part in given:
        if part != "own" and part not in attributes:
            raise file.bad(f"{name}.flows", f"{part} is not an attribute")
    return dict(given)


def besides(file: Any, name: str, whole: dict) -> Beside | None:
    """What the server makes of each object that is nobody's to change."""
    given = whole.get("besides")
    if given is None:
        return None
    if not isinstance(given, dict) or given.keys() != {"by", "error", "text"}:
        raise file.bad(f"{name}.besides", "needs by, the Python that makes it, and error and text for who would change it")
    return Beside(hook(file, f"{name}.besides", given["by"]), given["error"], given["text"])


def action(file: Any, where: str, name: str, given: Any, kinds: Mapping[str, str]) -> Action:
    """An action of its objects: what it is given, and what does it."""
    if not isinstance(given, dict) or "call" not in given:
        raise file.bad(where, "an action is a mapping with call, and perhaps body, wrapped and description")
    file.only(where, given, _ACTION_WORDS)
    body = attribute_of(file, where, "body", {"type": "record", "fields": given.get("body") or {},
                                              "nullable": False}, kinds)
    check_rule(file, where, given.get("policy", "admin"))
    return Action(name=name, body=body, run=hook(file, where, given["call"]), wrapped=is_true(given.get("wrapped")),
                  description=str(given.get("description", "")), policy=str(given.get("policy", "")))


def rendering(file: Any, where: str, name: str, given: Any, kinds: Mapping[str, str]) -> Rendering:
    """Another way to read an object."""
    if not isinstance(given, dict) or not {"call", "formats"} <= given.keys():
        raise file.bad(where, "a rendering is a mapping with call and formats, and perhaps asked, policy and description")
    file.only(where, given, _RENDERING_WORDS)
    asked = attribute_of(file, where, "asked", {"type": "record", "fields": given.get("asked") or {},
                                                "nullable": False}, kinds)
    check_rule(file, where, given.get("policy", "admin"))
    return Rendering(name=name, formats=dict(given["formats"]), asked=asked, run=hook(file, where, given["call"]),
                     description=str(given.get("description", "")), policy=str(given.get("policy", "")))


def is_true(given: object) -> bool:
    """As YAML and people write it."""
    return given is True or isinstance(given, str) and given.lower() == "true"


def _rule(given: Any) -> str:
    return str(given.get("role", "")) if isinstance(given, dict) else str(given)
