"""The particle generator: reads model files (YAML) and makes Resources of them.

A model file names an API and its objects. An object may extend another, and an attribute's type may be another object.
The language is Gluon's (file_version, imports, info, objects; api, extends, attributes, policies) with optional words
added; Gluon's own files load unchanged. `docs/model-files.md` explains every word.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from controller.attributes import attribute_of, check_rule
from controller.checks import check_of
from controller.errors import Refused
from controller.hooks import hook
from controller.resource import FLOWS, Action, Attribute, Beside, Check, Rendering, Resource, Resources, Share, View

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)         # the one in C, where there is one: a tenth of the time
_FILE_WORDS = {"file_version", "imports", "info", "objects", "settings"}
_OBJECT_WORDS = {"api", "extends", "attributes", "policies", "checks", "quota", "columns", "indexes", "fact", "prepare",
                 "description", "attribute_per", "prepare_others", "actions", "renderings", "view", "shares", "besides", "initial", "flows", "part"}
_ACTION_WORDS = {"call", "body", "wrapped", "description", "policy"}
_RENDERING_WORDS = {"call", "formats", "asked", "description", "policy"}
_API_WORDS = {"name", "plural_name", "parent", "parent_key", "path", "kind", "also", "named_by"}
_ALSO_WORDS = {"name", "path"}
_VERBS = ("create", "update", "delete")


class BadModel(Refused):
    """A model file says something that cannot be: `file: Object.attribute: why`."""

    type = "BadModel"


def load(path: str | Path, root: str | Path | None = None, known: Mapping[str, dict] | None = None,
         proton: bool = False) -> dict[str, Resource]:
    """Resources of one model file, by object name. Imports are looked for beside the file and in `root`."""
    file = File(Path(path), Path(root) if root else Path(path).parent, proton)
    return {name: file.resource(name, {**(known or {}), **file.imported, **file.objects})
            for name in file.objects if "api" in (file.objects[name] or {})}


def load_all(directories: Iterable[str | Path], protons: Iterable[str | Path] = (), *,
             off: Iterable[str] = ()) -> Resources:
    """Every resource of every model file in `directories` (the core) and `protons` (users' files), by kind.

    A core kind is the name its API gives it (`port`); a user's is qualified by the API (`net-l3vpn.port`).
    `off` names files (without .yaml) that configuration switches off.
    """
    off = set(off)
    files = [File(path, Path(folder), False) for folder in directories for path in sorted(Path(folder).glob("*.yaml"))
             if path.stem not in off]
    core: dict[str, dict] = {}
    for file in files:
        core.update({name: {**one, "_kind": _kind(file, one)} for name, one in file.objects.items()})
    for folder in protons:
        files += [File(path, Path(folder), True) for path in sorted(Path(folder).rglob("*.yaml"))
                  if path.stem not in off]
    resources = Resources()
    for file in files:
        resources.settings.update(file.settings())
        for name in [name for name, whole in file.objects.items() if "api" in whole and "attribute_per" not in whole]:
            _add(resources, file, name, core)
    for file in files:
        for name in [name for name, whole in file.objects.items() if "attribute_per" in whole]:
            file.objects[name] = _per_quota(file.objects[name], resources)
            _add(resources, file, name, core)
    return _linked(resources)


def _add(resources: Resources, file: File, name: str, core: Mapping[str, dict]) -> None:
    one = file.resource(name, {**core, **file.imported, **file.objects})
    if one.kind in resources:
        raise BadModel(f"{file.path}: {name}: {resources[one.kind].source} already has a {one.kind}")
    resources[one.kind] = one


def _per_quota(whole: dict, resources: Resources) -> dict:
    """The object with an attribute for each kind that has a quota: the limit, null where the default holds."""
    plurals = {**{one.kind: one.plural for one in resources.values()}, FLOWS: "flow entries on each switch"}
    limits = {name: {"type": "integer", "min": -1, "max": 2**31 - 1, "description": f"Limit of {plurals[name]}; -1 is none"}
              for name in resources.limits}
    return {**whole, "attributes": {**whole["attributes"], **limits}}


def _kind(file: File, whole: Mapping[str, Any]) -> str:
    api = whole.get("api") or {}
    name = str(api.get("kind", api.get("name", "")))
    return f"{file.service}.{name}" if file.proton and name else name


@lru_cache(64)
def _parsed(text: str) -> Any:
    """What YAML says; nobody changes it. What many files import is read once."""
    return yaml.load(text, LOADER)


class File:
    """One model file, read and checked for form."""

    def __init__(self, path: Path, root: Path, proton: bool) -> None:
        self.path, self.root, self.proton = path, root, proton
        self.whole = self._read(path)
        self.imported: dict[str, dict] = {}
        self._import(self.whole, {path})
        info = self.whole.get("info") or {}
        self.service = str(info.get("name", path.stem))
        self.version = str(info.get("version", "1.0"))
        self.objects: dict[str, dict] = self._objects(self.whole, path)

    def bad(self, where: str, why: str) -> BadModel:
        return BadModel(f"{self.path}: {where}: {why}" if where else f"{self.path}: {why}")

    def _read(self, path: Path) -> dict:
        try:
            whole = _parsed(path.read_text())
        except OSError as wrong:
            raise self.bad("", f"cannot read {path}: {wrong.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as wrong:
            raise BadModel(f"{path}: is not YAML: {wrong}") from None
        if not isinstance(whole, dict) or not isinstance(whole.get("objects"), dict):
            raise BadModel(f"{path}: needs a mapping named objects")
        unknown = sorted(str(word) for word in whole.keys() - _FILE_WORDS)
        if unknown:
            raise BadModel(f"{path}: {unknown[0]} is not a word of the model language")
        return whole

    def _objects(self, whole: dict, path: Path) -> dict[str, dict]:
        objects = {}
        for name, one in whole["objects"].items():
            if not isinstance(one, dict):
                raise BadModel(f"{path}: {name}: must be a mapping")
            self._only(name, one, _OBJECT_WORDS)
            self._only(f"{name}.api", one.get("api") or {}, _API_WORDS)
            objects[name] = one
        return objects

    def _only(self, where: str, given: Mapping, words: set[str]) -> None:
        unknown = sorted(str(word) for word in given.keys() - words)
        if unknown:
            raise self.bad(where, f"{unknown[0]} is not a word of the model language")

    def _import(self, whole: dict, seen: set[Path]) -> None:
        imports = whole.get("imports") or []
        for name in [imports] if isinstance(imports, str) else imports:
            path = next((one for one in (self.path.parent / name, self.root / name) if one.exists()), None)
            if path is None:
                raise self.bad("imports", f"{name} is not there; it is looked for beside the file and in {self.root}")
            if path in seen:
                continue
            seen.add(path)
            imported = self._read(path)
            self._import(imported, seen)
            self.imported.update(self._objects(imported, path))

    def settings(self) -> dict[str, Attribute]:
        """What the feature lets a configuration file set."""
        return {name: attribute_of(self, f"settings.{name}", name, given, {})
                for name, given in (self.whole.get("settings") or {}).items()}

    def flat(self, name: str, objects: Mapping[str, dict], seen: tuple[str, ...] = ()) -> dict[str, Any]:
        """An object with everything it inherits."""
        if name not in objects:
            raise self.bad(seen[-1] if seen else name, f"extends {name}, which is not there")
        if name in seen:
            raise self.bad(name, "extends itself")
        own = objects[name]
        whole = self.flat(own["extends"], objects, (*seen, name)) if own.get("extends") else {}
        attributes = {key: dict(given) for key, given in (whole.get("attributes") or {}).items()}
        for key, given in (own.get("attributes") or {}).items():
            if not isinstance(given, dict):
                raise self.bad(f"{name}.{key}", "must be a mapping")
            attributes[key] = {**attributes.get(key, {}), **given}
        return {**{word: given for word, given in whole.items() if word != "api"},
                **{word: given for word, given in own.items() if word != "extends"}, "attributes": attributes,
                "policies": {**(whole.get("policies") or {}), **(own.get("policies") or {})},
                "checks": [*(whole.get("checks") or []), *(own.get("checks") or [])]}

    def resource(self, name: str, objects: Mapping[str, dict]) -> Resource:
        whole = self.flat(name, objects)
        api = whole["api"]
        if "name" not in api:
            raise self.bad(f"{name}.api", "needs a name")
        given = self._with_key(name, whole, api)
        kinds = {other: one.get("_kind") or _kind(self, one) for other, one in objects.items() if "api" in one}
        attributes = {key: attribute_of(self, f"{name}.{key}", key, one, kinds) for key, one in given.items()}
        plural = api.get("plural_name", api["name"] + "s")
        kind, checks = _kind(self, whole), self._checks(name, whole, attributes)
        shares = self._shares(name, whole, attributes)
        attributes |= {one.mark: replace(attributes[one.mark], computed=one.with_all) for one in shares.values()
                       if not attributes[one.mark].stored}
        return Resource(
            kind=kind, name=api["name"], plural=plural, path=api.get("path", plural), service=self.service,
            version=self.version, key=next(key for key, one in given.items() if _true(one.get("primary"))),
            attributes=attributes, description=whole.get("description", ""), source=str(self.path), proton=self.proton,
            policies=self._policies(name, whole), shares=shares,
            parent=self._parent(name, api, kinds), parent_key=api.get("parent_key"), also=self._also(name, api),
            named_by=api.get("named_by"), besides=self._besides(name, whole), initial=tuple(whole.get("initial") or ()),
            flows=self._flows(name, whole, attributes),
            checks=checks, indexes=self._indexes(name, whole, attributes, checks),
            columns=tuple(whole.get("columns") or ()), quota=whole.get("quota"), part=str(whole.get("part", "")),
            fact=_true(whole.get("fact")) or "view" in whole, view=self._view(name, whole, kinds),
            prepare=self._prepare(name, whole), prepare_others=self._prepare_others(name, whole),
            actions={key: self._action(f"{name}.actions.{key}", key, one, kinds)
                     for key, one in (whole.get("actions") or {}).items()},
            renderings={key: self._rendering(f"{name}.renderings.{key}", key, one, kinds)
                        for key, one in (whole.get("renderings") or {}).items()},
            aliases={one.alias: key for key, one in attributes.items() if one.alias})

    def _with_key(self, name: str, whole: dict, api: dict) -> dict[str, dict]:
        """Attributes, the identifying one first; without any, Gluon adds a uuid."""
        given = whole["attributes"]
        key = self._key(given)
        if key is None:
            key, given = "uuid", {"uuid": {"type": "uuid", "primary": True, "description": "Identifier"}, **given}
        if api.get("parent") and api.get("parent_key") not in given:
            raise self.bad(f"{name}.api", "needs a parent_key that is one of its attributes")
        first = {"settable": "create", **given[key]}
        return {key: first, **{other: one for other, one in given.items() if other != key}}

    @staticmethod
    def _key(given: Mapping[str, dict]) -> Any:
        return next((key for key, one in given.items() if _true(one.get("primary"))), None)

    def _parent(self, name: str, api: dict, kinds: Mapping[str, str]) -> str | None:
        if not api.get("parent"):
            return None
        if api["parent"] not in kinds:
            raise self.bad(f"{name}.api", f"parent {api['parent']} is not there")
        return kinds[api["parent"]]

    def _also(self, name: str, api: dict) -> tuple[str, str] | None:
        given = api.get("also")
        if given is None:
            return None
        if not isinstance(given, dict) or given.keys() != _ALSO_WORDS:
            raise self.bad(f"{name}.api.also", "needs name and path: what its objects are called there, and where")
        return str(given["name"]), str(given["path"])

    def _policies(self, name: str, whole: dict) -> dict[str, str]:
        rules = {verb: _rule(given) for verb, given in whole["policies"].items()}
        self._only(f"{name}.policies", rules, {*_VERBS, "get", "get_one", "list"})
        for verb, rule in rules.items():
            check_rule(self, f"{name}.policies.{verb}", rule)
        if "get_one" in rules:
            rules.setdefault("get", rules.pop("get_one"))
        return rules

    def _shares(self, name: str, whole: dict, attributes: Mapping[str, Attribute]) -> dict[str, Share]:
        """What other projects may be allowed, by action; a list of actions is of those whose mark is `shared`."""
        given = whole.get("shares") or {}
        if isinstance(given, list):
            given = dict.fromkeys(given, {"mark": "shared"})
        for action, one in given.items():
            where = f"{name}.shares.{action}"
            self._only(where, one, {"mark", "used_by"})
            mark = attributes.get(one.get("mark", ""))
            if mark is None or mark.type.name != "boolean":
                raise self.bad(where, "needs a mark, the boolean attribute that stands for it")
        return {action: Share(action, one["mark"], tuple(one.get("used_by") or ())) for action, one in given.items()}

    def _checks(self, name: str, whole: dict, attributes: Mapping[str, Attribute]) -> tuple[Check, ...]:
        """Those of the object, after those that attributes imply by `unique: true` or `unique: other_attribute`."""
        implied = [{"unique": [key] if one["unique"] is True else [one["unique"], key]}
                   for key, one in whole["attributes"].items() if one.get("unique")]
        return tuple(check_of(self, name, given, attributes) for given in [*implied, *whole["checks"]])

    def _indexes(self, name: str, whole: dict, attributes: Mapping[str, Attribute],
                 checks: tuple[Check, ...]) -> dict[str, tuple[str, ...]]:
        indexes = {}
        for index, paths in (whole.get("indexes") or {}).items():
            for path in paths:
                if path.partition(".")[0] not in attributes:
                    raise self.bad(f"{name}.indexes.{index}", f"{path} is not an attribute")
            indexes[index] = tuple(paths)
        for check in checks:
            needed = {"unique": check.given, "disjoint": [check.given[1]["over"]] if check.word == "disjoint" else []}
            if needed.get(check.word):
                indexes.setdefault("+".join(needed[check.word]), tuple(needed[check.word]))
        return indexes

    def _prepare(self, name: str, whole: dict) -> dict[str, Any]:
        given = whole.get("prepare") or {}
        if isinstance(given, str):
            given = dict.fromkeys(_VERBS, given)
        self._only(f"{name}.prepare", given, set(_VERBS))
        return {verb: hook(self, f"{name}.prepare", path) for verb, path in given.items()}

    def _prepare_others(self, name: str, whole: dict) -> dict[tuple[str, str], Any]:
        where, found = f"{name}.prepare_others", {}
        for kind, given in (whole.get("prepare_others") or {}).items():
            found.update({(kind, verb): hook(self, where, path) for verb, path in given.items()})
        return found

    def _view(self, name: str, whole: dict, kinds: Mapping[str, str]) -> View | None:
        given = whole.get("view")
        if given is None:
            return None
        if not isinstance(given, dict) or not {"by"} <= given.keys() <= {"of", "by", "several", "narrow"} or given.get("of", "") not in ("", *kinds):
            raise self.bad(f"{name}.view", "needs by, the Python that makes them, and perhaps of: the object each is of")
        return View(kinds[given["of"]] if "of" in given else None, hook(self, f"{name}.view", given["by"]),
                    _true(given.get("several")), _true(given.get("narrow")))

    def _flows(self, name: str, whole: dict, attributes: Mapping[str, Attribute]) -> dict[str, int]:
        given = whole.get("flows") or {}
        given = {"own": given} if isinstance(given, int) else given
        for part in given:
            if part != "own" and part not in attributes:
                raise self.bad(f"{name}.flows", f"{part} is not an attribute")
        return dict(given)

    def _besides(self, name: str, whole: dict) -> Beside | None:
        given = whole.get("besides")
        if given is None:
            return None
        if not isinstance(given, dict) or given.keys() != {"by", "error", "text"}:
            raise self.bad(f"{name}.besides", "needs by, the Python that makes it, and error and text for who would change it")
        return Beside(hook(self, f"{name}.besides", given["by"]), given["error"], given["text"])

    def _action(self, where: str, name: str, given: Any, kinds: Mapping[str, str]) -> Action:
        if not isinstance(given, dict) or "call" not in given:
            raise self.bad(where, "an action is a mapping with call, and perhaps body, wrapped and description")
        self._only(where, given, _ACTION_WORDS)
        body = attribute_of(self, where, "body", {"type": "record", "fields": given.get("body") or {},
                                                  "nullable": False}, kinds)
        check_rule(self, where, given.get("policy", "admin"))
        return Action(name=name, body=body, run=hook(self, where, given["call"]), wrapped=_true(given.get("wrapped")),
                      description=str(given.get("description", "")), policy=str(given.get("policy", "")))

    def _rendering(self, where: str, name: str, given: Any, kinds: Mapping[str, str]) -> Rendering:
        if not isinstance(given, dict) or not {"call", "formats"} <= given.keys():
            raise self.bad(where, "a rendering is a mapping with call and formats, and perhaps asked, policy and description")
        self._only(where, given, _RENDERING_WORDS)
        asked = attribute_of(self, where, "asked", {"type": "record", "fields": given.get("asked") or {},
                                                    "nullable": False}, kinds)
        check_rule(self, where, given.get("policy", "admin"))
        return Rendering(name=name, formats=dict(given["formats"]), asked=asked, run=hook(self, where, given["call"]),
                         description=str(given.get("description", "")), policy=str(given.get("policy", "")))


def _true(given: object) -> bool:
    return given is True or isinstance(given, str) and given.lower() == "true"


def _rule(given: Any) -> str:
    return str(given.get("role", "")) if isinstance(given, dict) else str(given)


def _linked(resources: Resources) -> Resources:
    for one in resources.values():
        for attribute in one.attributes.values():
            for index, target in attribute.references:
                resources.referrers.setdefault(target, []).append((one.kind, attribute, index))
        for (kind, verb), work in one.prepare_others.items():
            if kind not in resources or verb not in (*_VERBS, *resources[kind].actions):
                there = f"{kind} cannot {verb}" if kind in resources else f"there is no {kind}"
                raise BadModel(f"{one.source}: {one.kind}.prepare_others: {there}")
            resources.others.setdefault((kind, verb), []).append(work)
    return resources

