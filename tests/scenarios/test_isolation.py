"""Two tenants with the same addresses, down to the MAC, on the same hosts: neither ever sees a frame of the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from scenarios import matrix
from tests.kit import frames
from tests.scenarios.conftest import KINDS
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.talk import new_word, ping, settles, tcp

pytestmark = pytest.mark.root
PLACES = {"here": (0, 1), "there": (0, 2)}               # places of sender and receiver in a tenant's list of machines
GROUPS = {4: ("01:00:5e:01:02:03", "239.1.2.3"), 6: ("33:33:00:00:01:23", "ff05::123")}


class Tenants(NamedTuple):
    """Three machines of each: two on host 1, one on host 2."""

    red: list[Machine]
    blue: list[Machine]


@pytest.fixture(scope="module")
def tenants(site: Site) -> dict[str, Tenants]:
    """Two tenants for each kind of tunnel. What is in the same place has the same addresses, in all of them."""
    found = {}
    for kind in KINDS:
        made = []
        for colour in ("red", "blue"):
            network = site.network(f"{kind}-{colour}", kind=kind)
            group = site.open_group(f"{kind}-{colour}")
            wishes = [Wish(f"{kind}{colour[0]}{number}", network, host, 10 + number,
                           {"mac_address": f"fa:16:3e:aa:00:0{number}", "security_groups": [group]})
                      for number, host in enumerate((1, 1, 2), 1)]
            made.append(site.machines(*wishes))
        found[kind] = Tenants(*made)
    return found


@pytest.fixture(scope="module")
def measured(tenants: dict[str, Tenants]) -> Iterator[dict[tuple[str, str], bool]]:
    """Who received whom when everybody sent to every address, and to all."""
    machines = [machine for pair in tenants.values() for tenant in pair for machine in tenant]
    addresses = sorted({machine.address(v) for machine in machines for v in (4, 6)})
    yield matrix.measure([machine.vm for machine in machines], addresses, broadcasts=["10.0.0.255"])


def test_everybody_hears_the_machines_of_the_own_network_and_no_other(tenants: dict[str, Tenants],
                                                                     measured: dict[tuple[str, str], bool]) -> None:
    of = {machine.name: (kind, colour) for kind, pair in tenants.items() for colour, tenant in enumerate(pair) for machine in tenant}
    assert len(measured) == 18 * 17
    wrong = {pair: got for pair, got in measured.items() if got != (of[pair[0]] == of[pair[1]])}
    assert not wrong


@pytest.fixture(params=[(kind, v, place) for kind in KINDS for v in (4, 6) for place in PLACES],
                ids=lambda param: f"{param[0]}-IPv{param[1]}-{param[2]}")
def case(request: pytest.FixtureRequest) -> tuple[str, int, str]:
    return request.param


def test_with_the_same_addresses_each_reaches_its_own(tenants: dict[str, Tenants], case: tuple[str, int, str]) -> None:
    kind, v, place = case
    first, second = PLACES[place]
    for tenant in tenants[kind]:
        a, b = tenant[first], tenant[second]
        settles(reached=[tcp(a, b, 80, v), tcp(b, a, 80, v), ping(a, b, v), ping(b, a, v)])


def test_not_one_frame_of_a_tenant_is_seen_by_another(tenants: dict[str, Tenants], case: tuple[str, int, str]) -> None:
    """Unicast, broadcast, multicast and to nobody, from the machine with the same addresses; recorded by tcpdump."""
    kind, v, place = case
    red, others = tenants[kind].red, [*tenants[kind].blue, *(machine for other in KINDS if other != kind
                                                            for machine in tenants[other].blue)]
    first, second = PLACES[place]
    sender, receiver = red[first], red[second]
    source = sender.address(v)
    targets = {"unicast": (receiver.mac, receiver.address(v)), "multicast": GROUPS[v], "nobody": ("fa:16:3e:ff:ff:ff", receiver.address(v)),
               "all": (frames.TO_ALL, "10.0.0.255" if v == 4 else "ff02::1")}
    words, last = {name: new_word() for name in targets}, new_word()
    with ExitStack() as recording:
        at_others = [recording.enter_context(other.vm.capture(direction="in")) for other in others]
        at_own = recording.enter_context(receiver.vm.capture(direction="in"))
        for name in ("nobody", "all", "multicast", "unicast"):
            mac, address = targets[name]
            sender.nic.send(frames.udp(sender.mac, mac, source, address, 5000, 5000, words[name]))
        # First packets go by different threads of Open vSwitch, so they may arrive in another order.
        wait(lambda: all(words[name] in b"".join(at_own.frames()) for name in ("unicast", "multicast", "all")),
             "the machine meant does not hear it")
        own = b"".join(at_own.frames())
        assert [name for name in targets if words[name] in own] == ["unicast", "multicast", "all"]
        for blue in others:
            blue.nic.send(frames.udp(blue.mac, frames.TO_ALL, blue.ip, "10.0.0.255", 5000, 5000, last))
        for capture in at_others:
            wait(lambda capture=capture: last in b"".join(capture.frames()), "no frame of its own network is seen")
        for capture, other in zip(at_others, others, strict=True):
            seen = b"".join(capture.frames())
            assert not [name for name, word in words.items() if word in seen], f"{other} sees frames of {sender}"


def test_questions_for_addresses_are_not_heard_by_the_other_tenant(tenants: dict[str, Tenants], case: tuple[str, int, str]) -> None:
    """ARP and neighbour discovery: for a neighbour, for the other tenant's machine, for nobody; and gratuitous ones."""
    kind, v, place = case
    red, blue = tenants[kind]
    sender, same = red[PLACES[place][0]], blue[PLACES[place][1]]
    same.nic.frames()
    if v == 4:
        asked = [frames.arp_request(sender.mac, sender.ip, target) for target in (same.ip, "10.0.0.77", sender.ip)]
    else:
        asked = [frames.ns(sender.mac, sender.ip6, target) for target in (same.ip6, "2001:db8::77")] + [frames.na(sender.mac, sender.ip6)]
    own = red[PLACES[place][1]]
    own.nic.frames()
    sender.nic.send(*asked, asked[-1])
    heard: list[bytes] = []
    wait(lambda: heard.extend(own.nic.frames()) or asked[-1] in heard, "the own tenant does not hear it")
    assert not [frame for frame in same.nic.frames() if frame[12:14] == b"\x08\x06" or frame[12:14] == b"\x86\xdd" and frame[54] in (135, 136)]


WIRE = {"vxlan": ("udp port 4789", 12), "geneve": ("udp port 6081", 12), "gre": ("ip proto 47", 4)}


@pytest.mark.parametrize("kind", KINDS)
def test_between_hosts_frames_travel_in_the_tunnel_and_with_the_key_of_their_network(site: Site, tenants: dict[str, Tenants],
                                                                                   kind: str) -> None:
    expression, at = WIRE[kind]
    with site.cloud.host(1).capture(expression) as wire:
        for tenant in tenants[kind]:
            sender, receiver, word = tenant[0], tenant[2], new_word()
            sender.nic.send(frames.udp(sender.mac, receiver.mac, sender.ip, receiver.ip, 5000, 5000, word))
            network = site.ask("GET", f"/v2.0/networks/{sender.port['network_id']}")["network"]
            frame = wait(lambda word=word: next((frame for frame in wire.frames() if word in frame), None), "it is not on the wire")
            size = 4 if kind == "gre" else 3
            key = int.from_bytes(frame[34 + at:34 + at + size], "big")
            assert (network["provider:network_type"], network["provider:segmentation_id"]) == (kind, key)
            assert frame[26:34] == bytes((10, 98, 0, 1, 10, 98, 0, 2))
