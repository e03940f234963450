"""Flows as text for two audiences: whole for administrators, without the fabric for tenants.

What a tenant may read is listed; a field or an action that is not on the list is shown as `hidden`. So a field that
Hadron begins to use tomorrow shows nothing until somebody decides that it may.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from controller.openflow import decode
from controller.openflow.fields import FIELDS
from controller.openflow.frame import Malformed
from controller.openflow.group import Key
from controller.openflow.match import match
from controller.openflow.pipeline import Pipeline
from controller.openflow.text import Names, action_text, held_text, match_parts
from rest.inspect_objects import KEYS

HIDDEN = "hidden"
_PACKET = ("eth_", "ip_", "ipv4_", "ipv6_", "tcp_", "udp_", "sctp_", "icmp", "arp_", "nd_", "vlan_", "ct_state", "ct_mark", "ct_nw_",
           "ct_ipv6_", "ct_tp_", "conj_id", "reg")
_OPEN = frozenset(name for name in FIELDS if name.startswith(_PACKET))
_UNREADABLE = (Malformed, struct.error, LookupError, ValueError)
_IN_PORT = 0xFFFFFFF8
_CONTROLLER = 0xFFFFFFFD

Knows = Callable[[str, int], Any]
"""(name of a register or field, value) -> something true if the asker may know whose key that is."""


def whole(key: Key, cookie: int, body: bytes, pipeline: Pipeline) -> str:
    """Everything, as `ovs-ofctl` would say it with the names of tables and registers.

    A stranger may have put what cannot be read: that is shown as bytes.
    """
    try:
        return held_text(key, cookie, body, pipeline)
    except _UNREADABLE as wrong:
        if isinstance(key[0], str):
            return f"{key[0]}={key[1]}, unreadable ({wrong}): {body.hex()}"
        return f"table={pipeline.table_name(key[0])}, priority={key[1]}, unreadable ({wrong}): {key[2].hex()} {body.hex()}"


def shortened(key: Key, body: bytes, pipeline: Pipeline, knows: Knows) -> str:
    """A flow without ports, tunnels and other people's keys. Groups and meters have nothing else, and are all hidden."""
    names = Names(pipeline)
    if isinstance(key[0], str):
        return f"{key[0]}={HIDDEN}"
    table, priority, fields = key
    matched = "".join(f",{part}" for part in _match(fields, names, knows))
    said = list(_body(body, names, knows))
    if any(HIDDEN in part for part in said):
        said = list(dict.fromkeys(said))              # how many hosts there are is nobody's business
    return f"table={names.table(table)}, priority={priority}{matched} actions={','.join(said) or 'drop'}"


def _match(fields: bytes, names: Names, knows: Knows) -> Iterator[str]:
    wanted = decode.read_match(fields)
    shown = {name: asked for name, asked in wanted.items() if _may(name, asked[0], names, knows)}
    yield from match_parts(match(shown), names)
    for name in wanted.keys() - shown.keys():
        yield f"{names.field(name, {})}={HIDDEN}"


def _may(field: str, value: int, names: Names, knows: Knows) -> bool:
    if field not in _OPEN:
        return False
    name = names.field(field, {})
    return name not in KEYS or bool(knows(name, value))


def _body(body: bytes, names: Names, knows: Knows) -> Iterator[str]:
    found = decode.read_body(body)
    if found.meter is not None:
        yield f"meter:{HIDDEN}"
    for action in found.actions:
        yield _action(action, names, knows)
    if found.other:
        yield HIDDEN
    if found.goto is not None:
        yield f"goto_table:{names.table(found.goto)}"


def _action(action: decode.Action, names: Names, knows: Knows) -> str:
    match action:
        case decode.Output(port, _):
            return action_text(action, names) if port in (_IN_PORT, _CONTROLLER) else f"output:{HIDDEN}"
        case decode.Tell():
            return f"controller(meter_id={HIDDEN})"
        case decode.SetField(field, value, _):
            name = names.field(field.name, {})
            return action_text(action, names) if _may(field.name, value, names, knows) else f"set_field:{HIDDEN}->{name}"
        case decode.Move(source, _, target, _, _):
            open_ = source.name in _OPEN and target.name in _OPEN
            return action_text(action, names) if open_ else f"move:{HIDDEN}"
        case decode.Conjunction(number, clause, of):
            known = knows("conj_id", number)
            return action_text(action, names) if known else f"conjunction({HIDDEN},{clause}/{of})"
        case decode.Track(then=then):
            open_ = all(isinstance(each, decode.SetField) and each.field.name in _OPEN for each in then)
            return action_text(action, names) if open_ and action.nat is None else f"ct({HIDDEN})"
        case decode.Untrack() | decode.Resubmit() | decode.Plain():
            return action_text(action, names)
    return HIDDEN


def names_in(key: Key, body: bytes, pipeline: Pipeline) -> list[tuple[str, int]]:
    """(name, value) of every register in a flow that holds the key of an object; none if it cannot be read."""
    try:
        return [] if isinstance(key[0], str) else list(_names_in(key[2], body, Names(pipeline)))
    except _UNREADABLE:
        return []


def _names_in(fields: bytes, body: bytes, names: Names) -> Iterator[tuple[str, int]]:
    for field, (value, mask) in decode.read_match(fields).items():
        name = names.field(field, {})
        if name in KEYS and mask == FIELDS[field].full:
            yield name, value
    for action in decode.read_body(body).actions:
        if isinstance(action, decode.SetField):
            name = names.field(action.field.name, {})
            if name in KEYS:
                yield name, action.value
        elif isinstance(action, decode.Conjunction):
            yield "conj_id", action.id
