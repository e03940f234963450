"""The language of policy rules, as oslo.policy has it: who may do something.

    rule:admin_only or (role:member and project_id:%(project_id)s)
    role:NAME                        whoever asks has the role
    project_id:%(project_id)s        it is the asker's project that owns the object
    project_id:%(network:project_id)s  … or the object that `network_id` names; `ext_parent` is what it is part of
    field:networks:shared=True       an attribute of the object, or of the network that it is on; `~` begins a pattern
    system_scope:all, user_id:…, service_roles:…      what is known of the asker
    rule:NAME, and, or, not, ( ), @ (everybody), ! (nobody)

Model files may also just name those who may, joined by `_or_`, as Gluon does: `rule:admin_or_owner_or_shared`. For these
words what it takes depends on what is done: an owner needs the role `reader` to read and `member` to write.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

READING = ("get", "list")

BASE = {
    "context_is_admin": "role:admin",
    "admin_only": "rule:context_is_admin",
    "system_reader": "role:reader and system_scope:all",
    "service_api": "role:service",
    "context_is_advsvc": "role:advsvc",
    "owner": "project_id:%(project_id)s",
    "admin_or_owner": "rule:context_is_admin or rule:owner",
    "network_owner": "project_id:%(network:project_id)s",
    "admin_or_network_owner": "rule:context_is_admin or rule:network_owner",
    "admin_owner_or_network_owner": "rule:owner or rule:admin_or_network_owner",
    "ext_parent_owner": "project_id:%(ext_parent:project_id)s",
    "admin_or_ext_parent_owner": "rule:context_is_admin or rule:ext_parent_owner",
    "sg_owner": "project_id:%(security_group:project_id)s",
    "shared": "field:networks:shared=True",
    "external": "field:networks:router:external=True",
    "admin_or_sg_owner": "rule:context_is_admin or rule:sg_owner",
    "admin_owner_or_sg_owner": "rule:owner or rule:admin_or_sg_owner",
    "admin_or_data_plane_int": "rule:context_is_admin or role:data_plane_integrator",
    "network_device": "field:port:device_owner=~^network:",
    "compute_device": "field:port:device_owner=~^compute:",
    "baremetal_device": "field:port:device_owner=~^baremetal:",
    "manila_device": "field:port:device_owner=~^manila:",
    "external_network": "field:subnets:router:external=True",
    "shared_address_groups": "field:address_groups:shared=True",
    "shared_address_scopes": "field:address_scopes:shared=True",
    "shared_qos_policy": "field:policies:shared=True",
    "shared_security_group": "field:security_groups:shared=True",
    "shared_subnetpools": "field:subnetpools:shared=True",
    "restrict_wildcard": "not field:rbac_policy:target_tenant=* or rule:admin_only",
    "rule_default_sg": "field:security_group_rules:belongs_to_default_sg=True",
    "regular_user": "",
    "default": "rule:admin_or_owner"}
"""Rules with a name, which others are made of. A policy file may say them anew, and add some."""

_SAME = {"admin_only": "admin", "context_is_admin": "admin", "context_is_advsvc": "advsvc", "regular_user": "any",
         "default": "admin_or_owner", "admin_owner_or_network_owner": "admin_or_owner_or_network_owner"}
_WORDS = ("admin", "owner", "manager", "service", "advsvc", "shared", "external", "any")
_OF_OTHERS = re.compile("([a-z][a-z0-9_]*)_(owner|manager|shared|external)")
MARKS = {"shared": "shared", "external": "router:external"}       # words that are an attribute of the object


class BadRule(ValueError):
    """The rule is not one; says why."""


# ---- expressions

@dataclass(frozen=True)
class Constant:
    """Everybody, or nobody."""

    holds: bool


@dataclass(frozen=True)
class Both:
    """All of them."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Either:
    """At least one of them."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Expression


@dataclass(frozen=True)
class Named:
    """What another rule says."""

    name: str


@dataclass(frozen=True)
class Role:
    """The asker has a role."""

    name: str


@dataclass(frozen=True)
class Claim:
    """Something known of the asker is so: `system_scope:all`."""

    what: str
    value: str


@dataclass(frozen=True)
class Same:
    """Something known of the asker is what the object says: `path` is an attribute, or `other:attribute`."""

    what: str
    path: str


@dataclass(frozen=True)
class Field:
    """An attribute has a value, or fits a pattern (`~…`)."""

    resource: str
    attribute: str
    value: str


Expression = Constant | Both | Either | Not | Named | Role | Claim | Same | Field

CLAIMS = {"project_id": "project_id", "tenant_id": "project_id", "user_id": "user_id", "user": "user_id",
          "user_name": "user", "system_scope": "system_scope", "is_admin": "is_admin", "service_roles": "service_roles"}
"""What is known of the asker, by the names that rules use."""

_TOKEN = re.compile(r"\s*(?:(\()|(\))|((?:[^\s()%]|%\([^)]*\)s|%)+(?:\([^\s()]*\))?))")
_TARGET = re.compile(r"%\(([A-Za-z0-9_:.-]+)\)s")


@cache
def parse(text: str) -> Expression:
    """The expression that a rule's text means. BadRule if it has none."""
    tokens = list(_tokens(text))
    if not tokens:
        return Constant(True)
    found, rest = _either(text, tokens)
    if rest:
        raise BadRule(f"{text}: does not end before {rest[0]!r}")
    return found


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if not found:
            raise BadRule(f"{text}: cannot be read from {text[place:].strip()[:20]!r} on")
        yield found[0].strip()
        place = found.end()


def _either(text: str, tokens: list[str]) -> tuple[Expression, list[str]]:
    part, rest = _both(text, tokens)
    parts = [part]
    while rest and rest[0].lower() == "or":
        part, rest = _both(text, rest[1:])
        parts.append(part)
    return (parts[0] if len(parts) == 1 else Either(tuple(parts))), rest


def _both(text: str, tokens: list[str]) -> tuple[Expression, list[str]]:
    part, rest = _one(text, tokens)
    parts = [part]
    while rest and rest[0].lower() == "and":
        part, rest = _one(text, rest[1:])
        parts.append(part)
    return (parts[0] if len(parts) == 1 else Both(tuple(parts))), rest


def _one(text: str, tokens: list[str]) -> tuple[Expression, list[str]]:
    if not tokens or tokens[0] == ")" or tokens[0].lower() in ("and", "or"):
        raise BadRule(f"{text}: lacks a part{f' before {tokens[0]!r}' if tokens else ' at the end'}")
    if tokens[0].lower() == "not":
        part, rest = _one(text, tokens[1:])
        return Not(part), rest
    if tokens[0] == "(":
        part, rest = _either(text, tokens[1:])
        if not rest or rest[0] != ")":
            raise BadRule(f"{text}: lacks a )")
        return part, rest[1:]
    return _check(text, tokens[0]), tokens[1:]


def _check(text: str, said: str) -> Expression:
    if said in ("@", "!"):
        return Constant(said == "@")
    kind, colon, value = said.partition(":")
    if not colon:
        raise BadRule(f"{text}: {said!r} is no check; there are role:, rule:, field:, project_id: and others")
    if kind == "role":
        return Role(value.lower())
    if kind == "rule":
        return Named(value)
    if kind == "field":
        resource, _, rest = value.partition(":")
        attribute, equals, wanted = rest.partition("=")
        if not equals or not attribute:
            raise BadRule(f"{text}: {said!r} must be field:RESOURCE:ATTRIBUTE=VALUE")
        _check_pattern(text, wanted)
        return Field(resource, attribute, wanted)
    if kind not in CLAIMS:
        raise BadRule(f"{text}: {kind}: is no check; there are role:, rule:, field:, {':, '.join(CLAIMS)}:")
    target = _TARGET.fullmatch(value)
    if target is None and "%" in value:
        raise BadRule(f"{text}: {value!r} must be %(ATTRIBUTE)s or a value")
    return Same(CLAIMS[kind], target[1]) if target else Claim(CLAIMS[kind], value)


def _check_pattern(text: str, wanted: str) -> None:
    try:
        re.compile(wanted.removeprefix("~") if wanted.startswith("~") else "")
    except re.error as wrong:
        raise BadRule(f"{text}: {wanted!r} is no pattern: {wrong}") from None


def names_in(expression: Expression) -> Iterator[str]:
    """The names of the rules that an expression is made of."""
    if isinstance(expression, Named):
        yield expression.name
    elif isinstance(expression, Not):
        yield from names_in(expression.part)
    elif isinstance(expression, Both | Either):
        for part in expression.parts:
            yield from names_in(part)


# ---- words of model files

@cache
def words(rule: str) -> tuple[str, ...] | None:
    """Those who may, if a rule just names them; None if it is an expression."""
    plain = rule.removeprefix("rule:")
    if not re.fullmatch("[a-z][a-z0-9_]*", plain):
        return None
    found = []
    for word in re.split("_or_", _SAME.get(plain, plain)):
        word = _SAME.get(word, word)
        if word not in _WORDS and not _OF_OTHERS.fullmatch(word):
            return None
        found.append(word)
    return tuple(found)


def check(rule: str) -> None:
    """BadRule if it is neither an expression nor names of those who may."""
    if words(rule) is None:
        for name in names_in(parse(rule)):
            if name not in BASE:
                raise BadRule(f"{rule}: {name} is nobody; there are {', '.join(_WORDS)}, <object>_owner, <object>_shared, "
                              f"or rule:NAME with {', '.join(BASE)}")


@cache
def expanded(rule: str, verb: str, plural: str) -> str:
    """The text of a rule of a model file, for what is done to objects of a kind."""
    named = words(rule)
    if named is None:
        return rule
    return " or ".join(dict.fromkeys(_expanded(word, verb in READING, plural) for word in named))


def _expanded(word: str, reading: bool, plural: str) -> str:
    role = "reader" if reading else "member"
    if word == "admin":
        return "rule:admin_only or (rule:system_reader)" if reading else "rule:admin_only"
    if word in ("owner", "manager"):
        return f"(role:{'manager' if word == 'manager' else role} and rule:owner)"
    if word in ("service", "advsvc"):
        return "rule:service_api" if word == "service" else "rule:context_is_advsvc"
    if word == "any":
        return "@"
    of = _OF_OTHERS.fullmatch(word)
    claim, other = (of[2], of[1]) if of and word not in _WORDS else (word, "")
    if claim in MARKS:
        mark = f"field:{other + 's' if other else plural}:{MARKS[claim]}=True"
        return mark if reading else f"(role:{role} and {mark})"
    return f"(role:{'manager' if claim == 'manager' else role} and project_id:%({other}:project_id)s)"
