"""Who may do what: the rules of all kinds by name, as Neutron names them, and what they say to one asker.

    create_network, get_network, update_network, delete_network
    create_network:shared, update_port:fixed_ips:ip_address       to set an attribute, or a part of one
    get_port:binding:host_id                                      to see one
    add_router_interface                                          to do something with an object
    update_network:tags                                           tags

A kind's own rules are in its model file; a policy file (`policy:` of the configuration) may say any of them anew.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from controller import rules
from controller.context import Context, same_project
from controller.draft import Rows
from controller.grants import NO, YES, Binder, Grant, at
from controller.resource import Attribute, Resource
from controller.rows import Row
from controller.rules import BadRule

__all__ = ["SYSTEM", "Audience", "BadRule", "Context", "Policy", "defaults", "same_project"]

SYSTEM = Context(user="hadron", is_admin=True)
"""What Hadron does by itself; no rule stands against it."""

USUAL = "rule:admin_or_owner"
_VERBS = ("create", "get", "update", "delete")


class Audience(NamedTuple):
    """What somebody is shown of a kind: all but `hidden`, and, where a row allows it, what is `conditional`."""

    hidden: frozenset[str]
    conditional: tuple[tuple[str, Grant], ...]


class Policy:
    """Decides by the rules. `rows` is where objects are found; `said` are rules that a policy file says anew."""

    def __init__(self, resources: Mapping[str, Resource], rows: Rows, said: Mapping[str, str] = {}) -> None:
        self.resources, self.rows = resources, rows
        usual, self._of = _defaults(resources)
        self.texts = {**usual, **said} if said else usual
        self._binder = Binder(resources, self.texts)
        self._grants: dict[tuple[str, str], Grant] = {}
        self._guarded: dict[tuple[str, str], list[tuple[str, Grant]]] = {}
        if said:
            self._check(said)

    def _check(self, said: Mapping[str, str]) -> None:
        """BadRule for what is no rule, and for a name that nothing asks for."""
        used = {used for name, text in self.texts.items() for used in rules.names_in(_parsed(name, text))}
        for name in said:
            if name not in self._of and name not in rules.BASE and name not in used and self._attribute(name) is None:
                raise BadRule(f"{name}: nothing asks for a rule of this name; `hadron policy` lists those there are")
        for name, resource in self._of.items():
            self._bind(resource, name)
        for name in said:
            guarded = self._attribute(name)
            if guarded is not None:
                self._of = {**self._of, name: guarded}
                self._bind(guarded, name)

    def _bind(self, resource: Resource, name: str) -> Grant:
        try:
            return self._binder.bind(resource, self.texts[name])
        except BadRule as wrong:
            raise BadRule(f"{name}: {wrong}") from None

    def _attribute(self, name: str) -> Resource | None:
        """The kind whose attribute a rule's name means, though no rule guards it yet."""
        for resource in self.resources.values():
            for verb in ("create", "update", "get"):
                attribute, _, part = name.removeprefix(named(self.resources, resource, verb) + ":").partition(":")
                said = name.startswith(named(self.resources, resource, verb) + ":")
                whole = ":".join([attribute, part]) if part else attribute
                if said and (whole in resource.attributes or attribute in resource.attributes and
                             part in _parts(resource.attributes[attribute])):
                    return resource
        return None

    # ---- one object
    def may(self, context: Context, resource: Resource, verb: str, row: Row, rows: Rows | None = None) -> bool:
        """Whether they may `create`, `get`, `list`, `update` or `delete` this object, act on it or tag it."""
        return context is SYSTEM or self.grant(resource, verb).test(context, row, rows or self.rows)

    def could(self, context: Context, resource: Resource, verb: str) -> bool:
        """Whether there can be an object for which they may."""
        return context is SYSTEM or self.grant(resource, verb).known(context) is not NO

    def sees_all(self, context: Context, resource: Resource) -> bool:
        """Whether they may see every object of a kind, whosever it is."""
        return context is SYSTEM or self.grant(resource, "list").known(context) is YES

    def fits(self, context: Context, resource: Resource, rule: str, row: Row, rows: Rows | None = None) -> bool:
        """Whether a rule, as a model file says it, lets them."""
        text = rules.expanded(rule, "update", resource.plural)
        return context is SYSTEM or self._binder.bind(resource, text).test(context, row, rows or self.rows)

    def grant(self, resource: Resource, verb: str) -> Grant:
        """What a verb, or the name of an action, takes."""
        resource = self.resources[resource.kind]                     # it may be known by another name too
        found = self._grants.get((resource.kind, verb))
        if found is None:
            name = verb if verb in resource.actions else named(self.resources, resource, *verb.split(":"))
            if name not in self.texts:
                name = named(self.resources, resource, "get")              # a list of what may be got
            found = self._grants[resource.kind, verb] = self._bind(resource, name)
        return found

    # ---- attributes
    def refused(self, context: Context, resource: Resource, verb: str, changed: Mapping[str, tuple[Any, Any]], row: Row,
                rows: Rows) -> tuple[str, str] | None:
        """The first attribute, or part of one, that they may not set so, and the rule that says it; None for none.

        `changed` has the values asked for, with those before: what stays as it is may be repeated by anybody.
        """
        for name, grant in self._guards(resource, verb) if context is not SYSTEM else ():
            attribute, part = (name, "") if name in resource.attributes else name.rpartition(":")[::2]
            if attribute in changed and _guarded(resource.attributes[attribute], part, *changed[attribute]) \
                    and not grant.test(context, row, rows):
                return f"{attribute}.{part}" if part else attribute, f"{named(self.resources, resource, verb)}:{name}"
        return None

    def audience(self, context: Context, resource: Resource) -> Audience:
        """What they are shown of a kind."""
        hidden, conditional = set(), []
        for name, grant in () if context is SYSTEM else self._guards(resource, "get"):
            left = grant.known(context)
            if left is not YES:
                hidden.add(name)
            if left is not YES and left is not NO:
                conditional.append((name, left))
        return Audience(frozenset(hidden), tuple(conditional))

    def _guards(self, resource: Resource, verb: str) -> list[tuple[str, Grant]]:
        resource = self.resources[resource.kind]
        found = self._guarded.get((resource.kind, verb))
        if found is None:
            start = named(self.resources, resource, verb) + ":"
            names = [name for name, one in self._of.items() if one is resource and name.startswith(start)]
            found = self._guarded[resource.kind, verb] = [(name.removeprefix(start), self._bind(resource, name))
                                                          for name in names if name != f"{start}tags"]
        return found

    # ---- all objects
    def visible(self, context: Context, resource: Resource) -> list[Row]:
        """Every object of a kind that they may see, found by index where there is one."""
        grant = YES if context is SYSTEM else self.grant(resource, "list").known(context)
        ways = None if grant is YES else grant.ways(context, self.rows)
        if ways is None:
            return self.seen(context, resource, self.rows.find(resource.kind, "all", True))
        found: dict[str, Row] = {}
        for way in ways:
            found.update((row[0], row) for row in at(resource.kind, way, self.rows))
        rows = [found[id] for id in sorted(found)]
        return rows if grant.exact else [row for row in rows if grant.test(context, row, self.rows)]

    def seen(self, context: Context, resource: Resource, rows: list[Row]) -> list[Row]:
        """Those of some rows that they may see."""
        grant = YES if context is SYSTEM else self.grant(resource, "list").known(context)
        return rows if grant is YES else [row for row in rows if grant.test(context, row, self.rows)]


def named(resources: Mapping[str, Resource], resource: Resource, verb: str, attribute: str = "") -> str:
    """The name of a rule: `create_network`, `create_network:shared`; parts of an object have its name before theirs."""
    whole = f"{resources[resource.parent].name}_{resource.name}" if resource.parent else resource.name
    service = f"{resource.service}:" if resource.proton else ""
    return f"{service}{verb}_{whole}{':' if attribute else ''}{attribute}"


def _parsed(name: str, text: str) -> rules.Expression:
    try:
        return rules.parse(text)
    except BadRule as wrong:
        raise BadRule(f"{name}: {wrong}") from None


def _guarded(attribute: Attribute, part: str, value: Any, before: Any) -> bool:
    """Whether a new value, or a part of the records in it, is one that the rule is about: not free, and not as before."""
    if not part:
        return bool(before) or value not in attribute.free
    if isinstance(value, tuple):
        return any(part in item for item in value if item not in (before or ()))
    if value is None or part not in value:
        return False
    return value[part] != before.get(part) if before else value[part] not in _parts(attribute)[part].free


def _parts(attribute: Attribute) -> Mapping[str, Attribute]:
    return (attribute.type.item.type if attribute.type.item else attribute.type).parts


# ---- what model files say

def defaults(resources: Mapping[str, Resource]) -> Mapping[str, str]:
    """Every rule by name, as the model files have them."""
    return _defaults(resources)[0]


def _defaults(resources: Mapping[str, Resource]) -> tuple[dict[str, str], dict[str, Resource]]:
    """The rules by name, and of which kind each is; worked out once for the same resources."""
    kept: dict[str, Any] = getattr(resources, "kept", {})
    if "rules" not in kept:
        texts, of = dict(rules.BASE), {}
        for resource in resources.values():
            for name, text in _rules_of(resources, resource):
                texts[name], of[name] = text, resource
        kept["rules"] = texts, of
    found: tuple[dict[str, str], dict[str, Resource]] = kept["rules"]
    return found


def _rules_of(resources: Mapping[str, Resource], resource: Resource) -> Iterator[tuple[str, str]]:
    verbs = ("get",) if resource.fact else _VERBS
    for verb in verbs:
        text = rules.expanded(resource.policies.get(verb, USUAL), verb, resource.plural)
        marks = [f"field:{resource.plural}:{share.mark}=True" for share in resource.shares.values()] if verb == "get" else []
        yield named(resources, resource, verb), " or ".join([text, *(mark for mark in marks if mark not in text)])
    listed = resource.policies.get("list")
    if listed is not None and listed != resource.policies.get("get", USUAL):
        yield named(resources, resource, "list"), rules.expanded(listed, "list", resource.plural)
    for attribute in resource.attributes.values():
        yield from _guards_of(resources, resource, attribute, attribute.name)
        for part in _parts(attribute).values():
            yield from _guards_of(resources, resource, part, f"{attribute.name}:{part.name}")
    for action in resource.actions.values():
        text = action.policy or resource.policies.get("update", USUAL)
        yield action.name, rules.expanded(text, "update", resource.plural)
    if "tags" in resource.attributes and not resource.fact:
        for verb in _VERBS:
            yield named(resources, resource, verb, "tags"), \
                f"rule:{named(resources, resource, 'get' if verb == 'get' else 'update')}"


def _guards_of(resources: Mapping[str, Resource], resource: Resource, attribute: Attribute,
               name: str) -> Iterator[tuple[str, str]]:
    for verb, rule in attribute.policy.items():
        if verb == "get" or attribute.settable in (verb, "always"):
            yield named(resources, resource, verb, name), rules.expanded(rule, verb, resource.plural)
    if attribute.visible == "admin" and "get" not in attribute.policy:
        yield named(resources, resource, "get", name), rules.expanded("rule:admin_only", "get", resource.plural)


