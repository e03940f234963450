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

from controller import object_words as words
from controller.attributes import attribute_of
from controller.errors import Refused
from controller.resource import FLOWS, Attribute, Resource, Resources

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)         # the one in C, where there is one: a tenth of the time
_FILE_WORDS = {"file_version", "imports", "info", "objects", "settings"}
_OBJECT_WORDS = {"api", "extends", "attributes", "policies", "checks", "quota", "columns", "indexes", "fact", "prepare",
                 "description", "attribute_per", "prepare_others", "actions", "renderings", "view", "shares", "besides", "initial", "flows", "part"}
_API_WORDS = {"name", "plural_name", "parent", "parent_key", "path", "kind", "also", "named_by"}
_ALSO_WORDS = {"name", "path"}


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
            self.only(name, one, _OBJECT_WORDS)
            self.only(f"{name}.api", one.get("api") or {}, _API_WORDS)
            objects[name] = one
        return objects

    def only(self, where: str, given: Mapping, words: set[str]) -> None:
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
        kind, checks = _kind(self, whole), words.checks(self, name, whole, attributes)
        shares = words.shares(self, name, whole, attributes)
        attributes |= {one.mark: replace(attributes[one.mark], computed=one.with_all) for one in shares.values()
                       if not attributes[one.mark].stored}
        return Resource(
            kind=kind, name=api["name"], plural=plural, path=api.get("path", plural), service=self.service,
            version=self.version, key=next(key for key, one in given.items() if words.is_true(one.get("primary"))),
            attributes=attributes, description=whole.get("description", ""), source=str(self.path), proton=self.proton,
            policies=words.policies(self, name, whole), shares=shares,
            parent=self._parent(name, api, kinds), parent_key=api.get("parent_key"), also=self._also(name, api),
            named_by=api.get("named_by"), besides=words.besides(self, name, whole), initial=tuple(whole.get("initial") or ()),
            flows=words.flows(self, name, whole, attributes),
            checks=checks, indexes=words.indexes(self, name, whole, attributes, checks),
            columns=tuple(whole.get("columns") or ()), quota=whole.get("quota"), part=str(whole.get("part", "")),
            fact=words.is_true(whole.get("fact")) or "view" in whole, view=words.view(self, name, whole, kinds),
            prepare=words.prepare(self, name, whole), prepare_others=words.prepare_others(self, name, whole),
            actions={key: words.action(self, f"{name}.actions.{key}", key, one, kinds)
                     for key, one in (whole.get("actions") or {}).items()},
            renderings={key: words.rendering(self, f"{name}.renderings.{key}", key, one, kinds)
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
        return next((key for key, one in given.items() if words.is_true(one.get("primary"))), None)

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


def _linked(resources: Resources) -> Resources:
    for one in resources.values():
        for attribute in one.attributes.values():
            for index, target in attribute.references:
                resources.referrers.setdefault(target, []).append((one.kind, attribute, index))
        for (kind, verb), work in one.prepare_others.items():
            if kind not in resources or verb not in (*words.VERBS, *resources[kind].actions):
                there = f"{kind} cannot {verb}" if kind in resources else f"there is no {kind}"
                raise BadModel(f"{one.source}: {one.kind}.prepare_others: {there}")
            resources.others.setdefault((kind, verb), []).append(work)
    return resources

