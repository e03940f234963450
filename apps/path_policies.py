"""Path policies: the frames of one network take ways of their own over the links between switches.

A policy has a number, its *plane*, which frames carry beside the label of the switch that they are for; every switch
holds the trees of that plane beside the usual ones. Where the plane has no way the usual one is taken, or none if the
policy is strict. A waypoint is where frames are sent to first. Around a link that breaks switches send as ever, until the
controller has heard of it.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.bandwidth import taken
from apps.pipeline import EGRESS, LABELS, NETWORK, PATHS, VIA, WRAP
from apps.places import reach
from apps.transport import MPLS, NOWHERE, labels_of_all
from apps.uplinks import on_wire
from apps.ways import label_of
from controller.app import flows, query
from controller.errors import Invalid
from controller.openflow.actions import drop, move, set_field
from controller.openflow.flow import Why
from controller.openflow.match import match
from controller.types import Type
from topology.paths import COST, wires
from topology.trees import Steps, Trees

APP = 62
DEAR = 1000                             # a link that is not preferred costs as much as so many that are
PLANE = 20                              # the plane's first bit in VIA …
IN_FRAME = 32                           # … and in the outermost Ethernet destination, of eight
ALL = 0xFF
_SWITCH, _PORT = "[0-9a-f]{16}", ":[1-9][0-9]{0,9}"


def _named(name: str, pattern: str, said: str, good: tuple[str, ...]) -> Type:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise Invalid("", said)
        return value
    return Type(name, read, {"type": "string", "pattern": f"^{pattern}$"}, good, (1, "", "s1", "00000000000000A1", ["1"]))


SWITCH = _named("switch", _SWITCH, "must be a datapath id of 16 hexadecimal digits", ("00000000000000a1",))
PLACE = _named("place", f"{_SWITCH}({_PORT})?", "must be a switch (16 hexadecimal digits), or a link by one of its ends "
               "(<switch>:<port number>)", ("00000000000000a1", "00000000000000a1:3"))


def check(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """What physical networks carry takes no links."""
    if on_wire(write.need("network", document["network_id"])):
        raise Invalid("network_id", "must be a network in tunnels: a physical network finds its own paths")


# ---- the trees of a plane

_known: dict[str, Trees] = {}


@query
def trees_of(world, policy_id):
    """Trees without what the policy avoids, over what it prefers; made from those that it had before, or anew."""
    policy, around = world.need("path_policy", policy_id), world.ask(wires)
    avoid, prefer = frozenset(policy.avoid), frozenset(policy.prefer)
    found = {switch: tuple(_weighed(wire, prefer) for wire in held if not _is_one(wire, avoid))
             for switch, held in around.items()}
    if len(_known) > ALL:
        _known.clear()
    _known[policy_id] = _known.get(policy_id, Trees({}, {}, {}, {})).after(found)
    return _known[policy_id]


def _is_one(wire, places):
    return bool(places) and not places.isdisjoint(
        (wire.source, wire.target, f"{wire.source}:{wire.port}", f"{wire.target}:{wire.target_port}"))


def _weighed(wire, prefer):
    return wire if not prefer or _is_one(wire, prefer) else wire._replace(weight=wire.weight + (DEAR << COST))


# ---- flows

def senders(world, policy):
    network = world.get("network", policy.network_id)
    return reach(world, network.id) if network is not None and not on_wire(network) else ()


@flows(per="path_policy", on=senders, each=True)
def take(world, policy, switch_id):
    """What goes into the network goes by its plane, and by way of the waypoint unless this is it."""
    if world.ask(label_of, switch_id) is None:
        return
    plane = set_field({VIA: (policy.plane << PLANE, ALL << PLANE)})
    first = world.ask(label_of, policy.waypoint) if policy.waypoint not in (None, switch_id) else None
    to = move((EGRESS, 0, 19), (VIA, 0, 19)) if first is None else set_field({VIA: (first, (1 << PLANE) - 1)})
    yield PATHS, "policy", match({NETWORK: world.need("network", policy.network_id).key}), (to, plane, WRAP)


def everywhere(world, policy):
    return world.ask(wires)


@query
def steps_of(world, policy_id, switch_id):
    return Steps(switch_id, world.ask(trees_of, policy_id))


@query
def onward(world, policy_id, switch_id):
    """By which port frames of the plane go on to each other switch."""
    plane = world.need("path_policy", policy_id).plane
    return (world.known(onward, policy_id, switch_id) or NOWHERE).after(
        world.ask(steps_of, policy_id, switch_id), world.ask(labels_of_all), frozenset(world.ask(taken, switch_id)), "policy",
        Why(APP, policy_id, f"{__name__}.carry"), lambda label: framed(plane, label))


def framed(plane, label):
    return match(eth_type=MPLS, mpls_label=label, eth_dst=(plane << IN_FRAME, ALL << IN_FRAME))


@flows(per="path_policy", on=everywhere, each=True, staged=True)
def carry(world, policy, switch_id):
    """The ways of the plane; strict policies end the others here."""
    ways = world.ask(onward, policy.id, switch_id)
    yield ways.entries
    if policy.strict:
        for target in ways.labels.keys() - ways.ports.keys() - {switch_id}:
            yield LABELS, "policy", framed(policy.plane, ways.labels[target]), (drop("its path policy leaves no way"),)
