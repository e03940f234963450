"""Transport over plain links: Ethernet over MPLS with two labels, from the switch where a frame comes in to where it goes out.

    DELIVER ─► PATHS ─► WRAP ─► STACK ─► LABELS ─► a link          here
                                           │
               ADMIT ─► LABELLED ──────────┘                       on the way: the outer label alone decides
               ADMIT ─► LABELLED ─► UNWRAPPED ─► FORWARD           there

The outer label is the switch that the frame is for (a number of its own, from the store), the inner one the network.
So a switch on the way holds one flow for each other switch, and none for any port or network:

    flows of a switch with L links, in a fabric of N switches joined by links, = (N - 1) + 2 L + 12
    … and 2 L groups' worth of ways around its neighbours' broken links (detours.py), one group for each link

The outermost Ethernet header is nobody's: its source is the switch that made it, its destination names the switch that
the frame is for once more, so that it may be sent to another one first and go on from there (VIA).
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from apps.bandwidth import taken
from apps.limits import at_once
from apps.pipeline import (
    ADMIT,
    DELIVER,
    EGRESS,
    FORWARD,
    LABELLED,
    LABELS,
    METERS,
    NETWORK,
    NO_TUNNEL,
    PATHS,
    RECEIVER,
    STACK,
    TUNNEL_KEY,
    TUNNEL_PORT,
    UNWRAPPED,
    VIA,
    WRAP,
)
from apps.underlay import tunnel_address
from apps.ways import label_of
from controller.app import Missing, flows, query
from controller.derived import Derived, differing
from controller.openflow.actions import (
    FORGET_IN_PORT,
    clone,
    dec_mpls_ttl,
    decap,
    drop,
    encap,
    group,
    meter,
    move,
    output,
    pop_mpls,
    push_mpls,
    resubmit,
    set_field,
)
from controller.openflow.flow import Flow, Why
from controller.openflow.group import Group, Meter
from controller.openflow.match import match
from topology.detours import detours_at
from topology.islands import islands, relay_of
from topology.paths import adjacent, wires
from topology.trees import Steps, steps

APP = 60
MPLS, MPLS_TYPE, ETHERNET_TYPE = 0x8847, 0x18847, 0
LABEL_BITS = (1 << 20) - 1
TUNNELLED: dict[Any, Any] = {RECEIVER: (0, ~3 & 0xFFFFFFFF)}       # what is to leave by a tunnel of any type
INNER = 1 << 16                         # before a network's key: labels below 16 have a meaning of their own (RFC 3032)
DETOUR = 0x7F000                        # the label of what goes around a broken link
GROUPS = 1 << 24                        # + OpenFlow port: numbers of the groups that send out of a link
FRAME, AROUND = 0x0A << 40, 0x0E << 40  # first octet of the outermost addresses: of frames, of what is on a detour


def to_switches(world, switch):
    return (switch.id,) if world.ask(label_of, switch.id) is not None else ()


def own_label(world, switch):
    """The label of a switch; one without has no flows of transport."""
    label = world.ask(label_of, switch.id)
    if label is None:
        raise Missing("label", switch.id)
    return label


def sender(world, link):
    """The switch that sends into the link, if it leads both ways."""
    return (link.source_switch_id,) if any(
        wire.port == link.source_port for wire in world.ask(adjacent, link.source_switch_id)) else ()


@query
def labels_of_all(world):
    """{switch: label} of all that have links."""
    found = {switch: label for switch in world.ask(wires) if (label := world.ask(label_of, switch)) is not None}
    once = world.known(labels_of_all)
    return once if once == found else found             # the same object, so that nobody has to compare it again


# ---- in and out of labels

@flows(per="switch", on=to_switches)
def unwrap(world, switch):
    """What comes over a link is for this switch, or for another one by way of this one, or is only passing."""
    own = own_label(world, switch)
    labelled = {"eth_type": MPLS, "mpls_label": own}
    yield LABELLED, "own", match(labelled, eth_dst=(own, LABEL_BITS)), (decap(), decap(MPLS_TYPE), UNWRAPPED)
    yield LABELLED, "onward", match(labelled), (move(("eth_dst", 0, 19), "mpls_label"), LABELS)
    yield LABELLED, "rest", match(), (LABELS,)
    yield UNWRAPPED, "frame", match(packet_type=MPLS_TYPE), (
        move(("mpls_label", 0, 15), (NETWORK, 0, 15)), decap(ETHERNET_TYPE), FORWARD)


@flows(per="switch", on=to_switches)
def wrap(world, switch):
    """A copy goes into two labels and a header; the frame itself stays as it is, for other copies to be made of it."""
    own = own_label(world, switch)
    yield PATHS, "rest", match(), (move((EGRESS, 0, 19), (VIA, 0, 19)), WRAP)
    yield WRAP, "rest", match(), (clone(encap(MPLS_TYPE), resubmit(STACK)),)
    yield STACK, "frame", match(packet_type=MPLS_TYPE), (
        set_field(mpls_label=INNER), move((NETWORK, 0, 15), ("mpls_label", 0, 15)),
        encap(MPLS_TYPE), move((VIA, 0, 19), "mpls_label"),
        encap(ETHERNET_TYPE), set_field(eth_src=FRAME | own, eth_dst=FRAME), move((EGRESS, 0, 19), ("eth_dst", 0, 19)),
        move((VIA, 20, 27), ("eth_dst", 32, 39)),
        LABELS)
    yield LABELS, "rest", match(), (drop("no way over links leads to that switch"),)


@flows(per="switch", on=to_switches)
def choose(world, switch):
    """Tunnels first: over links goes what no tunnel from here leads to."""
    own = own_label(world, switch)
    if world.ask(tunnel_address, switch.id):
        yield DELIVER, "routed", match(TUNNELLED | {EGRESS: (NO_TUNNEL, NO_TUNNEL)}), (PATHS,)
    else:
        for key in TUNNEL_KEY.values():
            yield DELIVER, "known", match({RECEIVER: key}), (PATHS,)
    yield DELIVER, "self", match(TUNNELLED | {EGRESS: (own, LABEL_BITS)}), (
        drop("this host itself, on the list of its network's hosts"),)


@flows(per="switch", on=to_switches)
def leave_the_island(world, switch):
    """To where no link leads: through tunnels from a switch that has them, and from others by way of their relay. No twin
    of a trunk is ever to leave by a tunnel, so one level serves both."""
    at, labels = world.ask(islands), world.ask(labels_of_all)
    relay = world.ask(relay_of, switch.id)
    to_relay = (set_field({EGRESS: labels[relay]}), PATHS) if relay in labels else ()
    if to_relay:
        yield DELIVER, "routed", match(TUNNELLED | {EGRESS: 0}), to_relay
    for other, island in at.items():
        if island == at.get(switch.id, island) or other not in labels:
            continue
        if to_relay:
            yield DELIVER, "twin", match(TUNNELLED | {EGRESS: (labels[other], LABEL_BITS)}), to_relay
        elif world.ask(tunnel_address, switch.id):
            for kind, key in TUNNEL_KEY.items():
                yield DELIVER, "twin", match({RECEIVER: key, EGRESS: labels[other] | NO_TUNNEL}), (output(TUNNEL_PORT[kind]),)


# ---- on the way

class Onward(NamedTuple):
    """The entries by which a switch sends on to each other one: by these ports, some of which circuits limit."""
    ports: Mapping[str, int]
    labels: Mapping[str, int]
    limited: frozenset[int]
    entries: Mapping[tuple, Flow]

    def after(self, ways: Steps, labels: Mapping[str, int], limited: frozenset[int], level: str, why: Why,
              fields: Callable[[int], bytes]) -> Onward:
        """What it does now, at the cost of what has changed; `fields` is what a label's frames match. A new way is made
        from its end on: the stage is what is left of it."""
        number, toggled, entries = LABELS.levels[level], limited ^ self.limited, Derived(self.entries)
        changed = differing(ways.ports, self.ports) if not toggled and labels is self.labels else None
        for target in sorted(self.ports.keys() | ways.ports.keys() if changed is None else changed):
            port, label, was = ways.ports.get(target), labels.get(target), self.labels.get(target)
            if port == self.ports.get(target) and label == was and port not in toggled:
                continue
            if was is not None and (port is None or label != was):
                entries.drop((LABELS.number, number, fields(was)))
            if port is not None and label is not None:
                made = Flow(LABELS, number, fields(label), send_on(port, port in limited), why, stage=ways.hops(target))
                entries.put(made.key, made)
        return Onward(ways.ports, labels, limited, entries)


NOWHERE = Onward({}, {}, frozenset(), Derived({}))


@query
def onward(world, switch_id):
    """By which port it goes on to each other switch."""
    return (world.known(onward, switch_id) or NOWHERE).after(
        world.ask(steps, switch_id), world.ask(labels_of_all), frozenset(world.ask(taken, switch_id)), "switch",
        Why(APP, switch_id, f"{__name__}.carry"), lambda label: match(eth_type=MPLS, mpls_label=label))


@flows(per="switch", on=to_switches, staged=True)
def carry(world, switch):
    for port, left in world.ask(taken, switch.id).items():
        yield Meter(METERS["links"] + port, kbps=left, burst=at_once(left))
    yield world.ask(onward, switch.id).entries


@lru_cache(4096)
def send_on(port, limited):
    """Out by a port; held to what circuits leave of its link."""
    return (*((meter(METERS["links"] + port),) if limited else ()), FORGET_IN_PORT, dec_mpls_ttl(), group(GROUPS + port))


@flows(per="link", on=sender, staged=True)
def leave(world, link):
    """What comes from the link is labelled; and what goes into it goes around it while the switch sees it broken."""
    port = link.source_port
    yield ADMIT, "known", match(in_port=port, eth_type=MPLS), (LABELLED,)
    yield PATHS, "never", match(in_port=port), (drop("what came over a link is not sent over links again"),)
    buckets = [(None, port, (output(port),))]
    around = detour(world, link)
    if around is not None:
        first, *rest = around.wires
        mark = (push_mpls(), set_field(mpls_label=DETOUR), set_field(eth_src=broken(world, link))) if rest else ()
        buckets.append((None, first.port, (*mark, output(first.port))))
    yield Group(GROUPS + port, "ff", buckets)


def broken(world, link):
    """The Ethernet source of what goes around a link: the switch and the port that it would have left by."""
    return AROUND | world.need("switch", link.source_switch_id).label << 16 | link.source_port & 0xFFFF


def detour(world, link):
    """The path around a link; None if there is none, or none is wanted."""
    return world.ask(detours_at, link.source_switch_id).get(link.source_port) if world.setting("path_protection") else None


def around(world, link):
    """The switches that lead around a link, but for those at its ends."""
    path = detour(world, link)
    return path.switches[1:-1] if path is not None and sender(world, link) else ()


@flows(per="link", on=around, each=True, staged=True)
def lead_around(world, link, switch_id):
    """The last switch takes the label off again: to the switch behind the link nothing has happened."""
    path = detour(world, link)
    wire = next((wire for wire in path.wires if wire.source == switch_id), None) if path is not None else None
    if wire is None:                    # it led this way, and is asked before it is known that it does no more
        return
    unmark = (pop_mpls(MPLS),) if wire == path.wires[-1] else ()
    yield LABELS, "detour", match(eth_type=MPLS, mpls_label=DETOUR, eth_src=broken(world, link)), (
        *unmark, output(wire.port))
