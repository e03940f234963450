"""What a machine sends in the name of others, in raw frames: nobody sees it, on the same host, on another, in another tenant.

The forgeries are those of tests/apps/test_port_security.py, which carries them through flows in memory, and some more.
All machines here are mute, so that what is seen is what was sent: the right frame at the end, and nothing else.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest

from apps.pipeline import METERS
from tests.apps.test_port_security import ND_SPOOFS, NEVER, OTHER_MAC, SPOOFS, WRAPPED
from tests.kit import frames
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.talk import new_word

pytestmark = pytest.mark.root
Forge = Callable[[Machine, Machine], bytes]
_numbers = itertools.count(1)
ROUTERS = "33:33:00:00:00:01"


class Scene(NamedTuple):
    villain: Machine
    victim: Machine                     # on the same host
    far: Machine                        # on another
    strangers: list[Machine]            # another tenant's, on both hosts, with the victim's addresses

    @property
    def others(self) -> list[Machine]:
        return [self.victim, self.far, *self.strangers]

    def seen(self, sent: Mapping[str, bytes]) -> dict[str, list[str]]:
        """Who saw which of these, sent in this order; "?" is a frame that nobody sent."""
        for machine in self.others:
            machine.nic.frames()
        heard: dict[str, list[bytes]] = {self.victim.name: [], self.far.name: []}
        self.villain.nic.send(*sent.values())
        # Twice, as Open vSwitch may reorder what it takes in together: then all that was sent before has been seen to.
        lasts = [self._say_last(heard) for _ in range(2)]
        name_of = {padded(frame): name for name, frame in sent.items()}
        found = {name: sorted(name_of.get(padded(frame), "?") for frame in got if frame not in lasts) for name, got in heard.items()}
        found |= {machine.name: ["?" for _ in machine.nic.frames()] for machine in self.strangers}
        return {name: names for name, names in found.items() if names}

    def _say_last(self, heard: dict[str, list[bytes]]) -> bytes:
        """A frame that all neighbours should see, once they have."""
        last = frames.udp(self.villain.mac, frames.TO_ALL, self.villain.ip, "10.0.0.255", 5000, 5000, new_word())
        self.villain.nic.send(last)
        for machine in (self.victim, self.far):
            got = heard[machine.name]
            wait(lambda got=got, machine=machine: got.extend(machine.nic.frames()) or last in got, "the last frame is not seen")
        return last


def padded(frame: bytes) -> bytes:
    return frame.ljust(60, b"\0")


@pytest.fixture(scope="module", params=["stateful", "stateless"])
def scene(request: pytest.FixtureRequest, site: Site) -> Scene:
    """Everything that security groups could ask is allowed: what is stopped is stopped by port security alone."""
    project = f"guarded-{request.param}"
    network, other = site.network(project), site.network(f"{project}-strangers")
    groups = []
    for owner in (project, f"{project}-strangers"):
        group = site.group(owner, "open", stateful=request.param == "stateful")
        for v in (4, 6):
            site.rule(group, v=v)
        groups.append({"security_groups": [group]})
    short = request.param[5:7]
    made = site.machines(Wish(f"{short}villain", network, 1, 5, groups[0]), Wish(f"{short}victim", network, 1, 6, groups[0]),
                         Wish(f"{short}far", network, 2, 7, groups[0]), Wish(f"{short}there", other, 1, 6, groups[1]),
                         Wish(f"{short}too", other, 2, 7, groups[1]))
    for machine in made:
        machine.mute()
    return Scene(made[0], made[1], made[2], made[3:])


# ---- what may be sent is seen, so that the rest can fail

RIGHT: dict[str, Forge] = {
    "IPv4 from one's address": lambda villain, victim: frames.udp(villain.mac, frames.TO_ALL, villain.ip, "10.0.0.255", 1, 2, b"1"),
    "IPv6 from one's address": lambda villain, victim: frames.udp(villain.mac, ROUTERS, villain.ip6, "ff02::1", 1, 2, b"2"),
    "IPv6 from one's link-local address": lambda villain, victim: frames.udp(
        villain.mac, ROUTERS, frames.link_local(villain.mac), "ff02::1", 1, 2, b"3"),
    "a gratuitous ARP for oneself": lambda villain, victim: frames.arp_request(villain.mac, villain.ip, villain.ip, to_mac="ff:ff:ff:ff:ff:ff"),
    "an ARP question for an address that nobody has": lambda villain, victim: frames.arp_request(villain.mac, villain.ip, "10.0.0.77"),
    "an advertisement for oneself": lambda villain, victim: frames.na(villain.mac, villain.ip6),
    "a solicitation for an address that nobody has": lambda villain, victim: frames.ns(villain.mac, villain.ip6, "2001:db8::77"),
    "duplicate address detection": lambda villain, victim: frames.ns(villain.mac, "::", villain.ip6),
    "a router solicitation": lambda villain, victim: frames.rs(villain.mac),
}


def test_what_a_machine_sends_in_its_own_name_is_seen_by_its_neighbours_only(scene: Scene) -> None:
    sent = {name: forge(scene.villain, scene.victim) for name, forge in RIGHT.items()}
    del sent["a gratuitous ARP for oneself"]                # is a question for a known address: answered, not carried
    assert scene.seen(sent) == {scene.victim.name: sorted(sent), scene.far.name: sorted(sent)}


# ---- what may not

def test_no_forgery_is_seen_by_anybody(scene: Scene) -> None:
    assert scene.seen({name: forge(scene.villain, scene.victim) for name, forge in {**SPOOFS, **ND_SPOOFS, **NEVER}.items()}) == {}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_no_wrapping_lets_a_forgery_pass(scene: Scene, wrapping: str) -> None:
    """CVE-2021-27853, -27854, -27861, -27862; and CVE-2021-38598, ARP in the name of others."""
    assert scene.seen({name: WRAPPED[wrapping](forge(scene.villain, scene.victim))
                       for name, forge in {**SPOOFS, **ND_SPOOFS, **NEVER}.items()}) == {}


def test_tagged_frames_are_not_even_seen_if_the_inside_is_right(scene: Scene) -> None:
    sent = {f"{name} {wrapping}": wrap(forge(scene.villain, scene.victim))
            for wrapping, wrap in WRAPPED.items() if "VLAN" in wrapping or "tags" in wrapping for name, forge in RIGHT.items()}
    assert scene.seen(sent) == {}


def discovery(kind: int, *options: bytes, to: str = ROUTERS) -> Forge:
    """Neighbour discovery about an address that is right for its kind, with any options."""
    def made(villain: Machine, victim: Machine) -> bytes:
        target = frames.raw_ip("2001:db8::77" if kind == 135 else villain.ip6)
        frame = frames.icmp6(villain.mac, to, villain.ip6, "ff02::1", kind, body=bytes(4) + target + b"".join(options))
        return frame[:21] + b"\xff" + frame[22:]                    # the hop limit is not in the checksum
    return made


def link_layer(kind: int, mac: str, length: int = 1) -> bytes:
    return bytes((kind, length)) + frames.raw_mac(mac)


OPTIONS: dict[str, Callable[[Machine], Forge]] = {
    # CVE-2021-20267 and what came after it
    "an advertisement with a foreign MAC": lambda villain: discovery(136, link_layer(2, OTHER_MAC)),
    "an advertisement with two MACs, the first one's own": lambda villain: discovery(136, link_layer(2, villain.mac), link_layer(2, OTHER_MAC)),
    "an advertisement with two MACs, the second one's own": lambda villain: discovery(136, link_layer(2, OTHER_MAC), link_layer(2, villain.mac)),
    "an advertisement with two MACs, the last at an odd place": lambda villain: discovery(
        136, link_layer(2, villain.mac), link_layer(14, "00:00:00:00:00:00"), link_layer(2, OTHER_MAC)),
    "a solicitation with a foreign MAC": lambda villain: discovery(135, link_layer(1, OTHER_MAC)),
    "a solicitation with two MACs, the first one's own": lambda villain: discovery(135, link_layer(1, villain.mac), link_layer(1, OTHER_MAC)),
    "a solicitation with two MACs, the second one's own": lambda villain: discovery(135, link_layer(1, OTHER_MAC), link_layer(1, villain.mac)),
}
# Open vSwitch sees no option where the lengths are wrong. Receivers must discard these whole (RFC 4861 §4.6).
MALFORMED: dict[str, Forge] = {
    "a solicitation with an option of no length": discovery(135, link_layer(1, OTHER_MAC, 0)),
    "a solicitation with an option beyond the end": discovery(135, link_layer(1, OTHER_MAC, 9)),
    "an advertisement with an option of no length": discovery(136, link_layer(2, OTHER_MAC, 0)),
    "an advertisement with an option beyond the end": discovery(136, link_layer(2, OTHER_MAC, 200)),
    "an advertisement with half an option": discovery(136, link_layer(2, OTHER_MAC)[:5]),
    "an advertisement with an option that is too long": discovery(136, link_layer(2, OTHER_MAC, 2) + bytes(8)),
}


def test_no_option_of_neighbour_discovery_carries_a_foreign_mac(scene: Scene) -> None:
    right = {"advertisement": discovery(136, link_layer(2, scene.villain.mac)), "solicitation": discovery(135, link_layer(1, scene.villain.mac))}
    sent = {name: make(scene.villain)(scene.villain, scene.victim) for name, make in OPTIONS.items()}
    sent |= {name: forge(scene.villain, scene.victim) for name, forge in right.items()}
    assert scene.seen(sent) == {scene.victim.name: sorted(right), scene.far.name: sorted(right)}


def test_no_machine_believes_what_the_switch_cannot_read(site: Site, scene: Scene) -> None:
    """A neighbour with a real kernel knows the right MAC before and after."""
    villain, network = scene.villain, site.ask("GET", f"/v2.0/networks/{scene.villain.port['network_id']}")["network"]
    believer, = site.machines(Wish(f"{villain.name[:2]}believer", network, 1, 20, {"security_groups": villain.port["security_groups"]}))
    target = villain.ip6
    known = ["ip", "-6", "neigh", "show", target]
    believer.vm.run(["ip", "-6", "neigh", "replace", target, "lladdr", villain.mac, "dev", "eth0", "nud", "stale"])
    for forge in MALFORMED.values():
        villain.nic.send(forge(villain, believer))
    last = discovery(136, link_layer(2, villain.mac))(villain, believer)
    believer.nic.frames()
    villain.nic.send(last)
    heard: list[bytes] = []
    wait(lambda: heard.extend(believer.nic.frames()) or last in heard)
    assert villain.mac in believer.vm.run(known).stdout
    assert OTHER_MAC not in believer.vm.run(["ip", "-6", "neigh"]).stdout
    site.cloud.unplug(believer.vm)


# ---- IPv6 extension headers in front (RFC 7113: how router advertisements get past those who look at the first header only)

def behind(frame: bytes, *headers: tuple[int, bytes]) -> bytes:
    """An IPv6 frame with these extension headers (number, the bytes after `next header`) before what it carries."""
    inner, following = frame[54:], frame[20]
    for number, rest in reversed(headers):
        inner, following = bytes((following,)) + rest + inner, number
    return frame[:18] + struct.pack("!HB", len(inner), following) + frame[21:54] + inner


HOP_BY_HOP, DESTINATION = (0, b"\0\1\4\0\0\0\0"), (60, b"\0\1\4\0\0\0\0")
ROUTING = (43, b"\0\4\0\0\0\0\0")


def fragment(offset: int, more: bool, number: int = 7) -> tuple[int, bytes]:
    return 44, b"\0" + struct.pack("!HI", offset << 3 | more, number)


def test_no_extension_header_hides_a_router_advertisement_or_a_foreign_neighbour(scene: Scene) -> None:
    villain, victim = scene.villain, scene.victim
    forged = {"advertised router": frames.ra(villain.mac), "DHCPv6 reply": NEVER["a DHCPv6 reply"](villain, victim),
              "neighbour": frames.na(villain.mac, victim.ip6, from_ip=villain.ip6),
              "solicitation": frames.ns(villain.mac, villain.ip6, "2001:db8::77", sll=OTHER_MAC)}
    headers = {"hop-by-hop": (HOP_BY_HOP,), "destination": (DESTINATION,), "routing": (ROUTING,), "atomic fragment": (fragment(0, False),),
               "many": (HOP_BY_HOP, DESTINATION, ROUTING, fragment(0, False), DESTINATION)}
    sent = {f"{name} behind {how}": behind(frame, *before) for name, frame in forged.items() for how, before in headers.items()}
    right = {"own neighbour behind a header": behind(frames.na(villain.mac, villain.ip6), HOP_BY_HOP)}
    assert scene.seen({**sent, **right}) == {scene.victim.name: sorted(right), scene.far.name: sorted(right)}


def in_two(frame: bytes, at: int) -> dict[str, bytes]:
    """An IP frame in two fragments, the first with so many bytes of what it carries."""
    if frame[12:14] == b"\x86\xdd":
        head, body, number = frame[:54], frame[54:], next(_numbers)
        return {"first": behind(head + body[:at], fragment(0, True, number)),
                "second": behind(head + body[at:], fragment(at // 8, False, number))}
    source, destination = (".".join(map(str, frame[place:place + 4])) for place in (26, 30))
    number, body = struct.pack("!H", next(_numbers)), frame[34:]
    pieces = {"first": frames.ip(source, destination, frame[23], body[:at], more=True),
              "second": frames.ip(source, destination, frame[23], body[at:], offset=at // 8)}
    for name, piece in pieces.items():
        head = piece[:4] + number + piece[6:10] + b"\0\0" + piece[12:20]
        pieces[name] = frame[:14] + head[:10] + struct.pack("!H", frames.checksum(head)) + head[12:] + piece[20:]
    return pieces


def test_no_router_or_dhcp_server_hides_in_fragments(scene: Scene) -> None:
    """Nobody sees the first fragment, without which no receiver puts them together."""
    villain, victim = scene.villain, scene.victim
    offer = frames.udp(villain.mac, frames.TO_ALL, villain.ip, "255.255.255.255", 67, 68, bytes(1360))
    whole = {"advertised router": frames.ra(villain.mac), "DHCP offer": offer, "redirect": NEVER["a redirect"](villain, victim),
             "neighbour": frames.na(villain.mac, victim.ip6, from_ip=villain.ip6),
             "DHCPv6 reply": frames.udp(villain.mac, ROUTERS, frames.link_local(villain.mac), "ff02::1", 547, 546, bytes(1340))}
    whole |= {f"{name} behind options": behind(frame, DESTINATION) for name, frame in whole.items() if name != "DHCP offer"}
    whole |= {f"{name} behind long options": behind(frame, (60, b"\1\1\14" + bytes(12))) for name, frame in whole.items() if "behind" not in name and name != "DHCP offer"}
    for at in (8, 1288):
        sent = {f"{name}, {which}": piece for name, frame in whole.items() if len(frame) > at + 54
                for which, piece in in_two(frame, at).items()}
        seen = {name for names in scene.seen(sent).values() for name in names}
        assert not [name for name in seen if name.endswith("first") or name == "?"], at


def test_of_forgeries_a_few_claims_are_told_to_the_controller_and_the_alarm_names_their_port(site: Site, scene: Scene) -> None:
    """Only through the meter that is for that."""
    before = site.sent_to_controller(besides=METERS["spoofs"])
    for _ in range(10):
        assert scene.seen({name: forge(scene.villain, scene.victim) for name, forge in {**SPOOFS, **ND_SPOOFS, **NEVER}.items()}) == {}
    assert site.sent_to_controller(besides=METERS["spoofs"]) == before
    wait(lambda: scene.villain.id in named(site), "the villain is not named")
    assert not {machine.id for machine in scene.others} & named(site)
    assert {alarm["alarm"] for alarm in site.alarms()} <= {"flood", "spoof"}


def named(site: Site) -> set[str]:
    """The ports that alarms say forge."""
    return {alarm["object"].removeprefix("port ") for alarm in site.alarms() if alarm["alarm"] == "spoof"}
