"""A small cloud for tests. Wishes take the real write path, hosts and interfaces are learned as OVSDB would tell of
them, and packets are walked through what each switch holds, from host to host.

    net = Net()
    red = net.network("red", type="gre")                    # with a subnet of each IP version, if nothing else is said
    web, db = net.port("web", on="host1"), net.port("db", on="host2", network=red)
    net.send(tcp(web, db, 80)).reaches(db)                  # words for packets: tests/kit/talk.py
    net.send(web, frames.arp_request(...)).answered(arp_spa="10.0.0.5")

A switch here holds what it was told in differences, from the first; `check()` compares that with a compilation from
scratch. Ports are by default in their project's default group, whose members may reach each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import tests.kit.rules  # noqa: F401  declares all rules
from controller.app import RULES, TALLIES
from controller.compile import Compiler
from controller.model import Change, Model
from controller.openflow.walk import heaviest
from controller.policy import Context
from controller.rows import plain
from controller.store.memory import MemoryStore
from controller.write import Writer
from tests.kit import frames
from tests.kit.journey import Journey, carry, carry_in
from tests.kit.talk import Said, packet_of
from tests.kit.things import Bridge, Port, Thing
from tests.kit.wires import Outsider
from tests.kit.worlds import core

SUBNETS = ("10.0.0.0/24", "2001:db8::/64")
__all__ = ["Net", "Port", "Thing"]
QUOTAS = {"network": -1, "subnet": -1, "port": -1, "security_group": -1, "security_group_rule": -1}


class Net:
    """The cloud."""

    def __init__(self, **settings: Any) -> None:
        """`settings` are those of features, such as dns={"enabled": False}."""
        self.model = Model(core())
        numbers = itertools.count(1)
        self.writer = Writer(
            self.model,
            core(),
            MemoryStore(),
            quotas=QUOTAS,
            settings=settings,
            clock=lambda: "2026-01-01T00:00:00Z",
            new_id=lambda: f"{next(numbers):08x}-0000-4000-8000-000000000000",
        )
        self.writer.load()
        self.compiler = Compiler(self.model, RULES, TALLIES, strict=True)
        self.bridges: dict[str, Bridge] = {}
        self.things: dict[tuple[str, str], Thing] = {}
        self.outsiders: list[Outsider] = []  # see tests/kit/wires.py
        self.cut: set[tuple[str, int]] = set()  # ends of links, (switch, port), that the controller has not heard are cut
        self.choose = heaviest  # which bucket a select group takes
        self.last: dict[str, dict] = {}  # what the last change told each switch
        self._ofports, self._rules = itertools.count(1), itertools.count(1)

    # ---- wishes
    def network(
        self,
        name: str = "net",
        *,
        type: str = "vxlan",
        subnets: Iterable[str] = SUBNETS,
        project: str = "acme",
        tunnel_key: int | None = None,
        **more: Any,
    ) -> Thing:
        """A network; subnets=() makes one without. `tunnel_key` is its key on the wire."""
        wish = {"provider:network_type": type, "provider:segmentation_id": tunnel_key, **more}
        made = self._create("network", name, project, {key: value for key, value in wish.items() if value is not None})
        for cidr in subnets:
            self.subnet(made, cidr)
        return made

    def subnet(self, network: Thing, cidr: str, **more: Any) -> Thing:
        version = 6 if ":" in cidr else 4
        return self._create(
            "subnet",
            f"{network.name} {cidr}",
            network.project_id,
            {"network_id": network.id, "ip_version": version, "cidr": cidr, **more},
        )

    def port(
        self,
        name: str,
        *,
        on: str | None = None,
        network: Thing | None = None,
        ip: str | Iterable[str] | None = None,
        groups: Iterable[Thing] | None = None,
        security: bool = True,
        pairs: Iterable[str | tuple[str, str]] = (),
        **more: Any,
    ) -> Port:
        """A port, plugged in on a host if one is named. `ip` gives its addresses, () none; otherwise they are chosen.

        `pairs` are further addresses it may send from: an IP or a block, or (IP, MAC).
        """
        network = network or self._only_network()
        wish: dict[str, Any] = {"network_id": network.id, "port_security_enabled": security, **more}
        if ip is not None:
            wish["fixed_ips"] = [{"ip_address": one} for one in ([ip] if isinstance(ip, str) else ip)]
        if groups is not None or not security:
            wish["security_groups"] = [group.id for group in groups or ()]
        if pairs:
            wish["allowed_address_pairs"] = [pair_of(pair) for pair in pairs]
        made = self._create("port", name, network.project_id, wish)
        if on:
            self.plug(made, on)
        assert isinstance(made, Port)
        return made

    def _only_network(self) -> Thing:
        known = [thing for (kind, _), thing in self.things.items() if kind == "network"]
        assert len(known) < 2, "there are several networks: say which"
        return known[0] if known else self.network()

    def group(self, name: str, *, stateful: bool = True, project: str = "acme", egress: bool = True) -> Thing:
        """A security group with the two rules that let everything out, unless `egress` is false."""
        made = self._create("security_group", name, project, {"stateful": stateful})
        for rule in () if egress else self.model.find("security_group_rule", "security_group_id", made.id):
            self.writer.delete(self._asker(project), "security_group_rule", rule.id)
        self.settle()
        return made

    def default_group(self, project: str = "acme") -> Thing:
        (row,) = self.model.find("security_group", "project_id+name", (project, "default"))
        return Thing(self, "security_group", row.id, f"default of {project}")

    def addresses(self, name: str, *blocks: str, project: str = "acme") -> Thing:
        """An address group."""
        return self._create("address_group", name, project, {"addresses": list(blocks)})

    def rule(
        self,
        group: Thing,
        direction: str = "ingress",
        protocol: str | int | None = None,
        ports: int | tuple[int, int] | None = None,
        *,
        remote: Thing | str | None = None,
        v: int = 4,
        type: int | None = None,
        code: int | None = None,
    ) -> Thing:
        """A rule: `ports` of TCP or UDP, one or both ends; or ICMP `type` and `code`. `remote`: a group, a list of
        addresses (net.addresses) or a block."""
        least, most = (ports, ports) if isinstance(ports, int) else ports or (type, code)
        wish = {
            "security_group_id": group.id,
            "direction": direction,
            "ethertype": f"IPv{v}",
            "protocol": protocol,
            "port_range_min": least,
            "port_range_max": most,
        }
        if isinstance(remote, Thing):
            wish["remote_address_group_id" if remote.kind == "address_group" else "remote_group_id"] = remote.id
        elif remote:
            wish["remote_ip_prefix"] = remote
        return self._create("security_group_rule", f"rule {next(self._rules)}", group.project_id, wish)

    def change(self, thing: Thing, **wishes: Any) -> Thing:
        """Change attributes, named as in rows (binding_host_id)."""
        names = {plain(name): name for name in core()[thing.kind].attributes}
        body = {names[name]: value for name, value in wishes.items()}
        self.writer.update(self._asker(thing.project_id), thing.kind, thing.id, body)
        self.settle()
        return thing

    def remove(self, thing: Thing) -> None:
        """Delete it; a port's interface stays where it is, as it does on a host."""
        self.writer.delete(self._asker(thing.project_id), thing.kind, thing.id)
        self.things.pop((thing.kind, thing.name), None)
        self.settle()

    def _create(self, kind: str, name: str, project: str, wish: Mapping[str, Any]) -> Thing:
        assert (kind, name) not in self.things, f"there is a {kind} {name}"
        named = {} if kind == "security_group_rule" else {"name": name}
        (row,) = self.writer.create(self._asker(project), kind, [{**named, "project_id": project, **wish}])
        made = self.things[kind, name] = (Port if kind == "port" else Thing)(self, kind, row.id, name)
        self.settle()
        return made

    @staticmethod
    def _asker(project: str) -> Context:
        return Context(project_id=project, roles=frozenset({"member"}), is_admin=True)

    def trunk(self, parent: Thing, **sub_ports: Thing) -> Thing:
        """A trunk of a port: sub-ports by their tags, net.trunk(parent, t100=sub)."""
        return self._create("trunk", f"trunk of {parent.name}", parent.project_id,
                            {"port_id": parent.id, "sub_ports": tagged_ports(sub_ports)})

    def act(self, thing: Thing, action: str, body: Mapping[str, Any]) -> None:
        """Something that an object can do."""
        self.writer.act(self._asker(thing.project_id), thing.kind, thing.id, action, body)
        self.settle()

    # ---- what is seen
    def host(self, name: str, *, tunnel_ip: str | None = "", v: int = 4) -> Thing:
        """A host with its integration bridge, and an underlay address unless tunnel_ip is None."""
        number = int("".join(filter(str.isdigit, name)) or 1)
        address = tunnel_ip if tunnel_ip != "" else f"192.0.2.{number}" if v == 4 else f"2001:db8:f::{number}"
        self.learn(
            [
                ("host", {"id": name, "hostname": f"{name}.example", "tunnel_ip": address}),
                ("switch", {"id": f"{number:016x}", "host_id": name, "bridge": "br-int"}),
            ]
        )
        made = self.things["host", name] = Thing(self, "host", name, name)
        return made

    def plug(self, port: Thing, on: str, *, ofport: int | None = None) -> None:
        """The port's interface appears on a host, known or new. Elsewhere it stays, until it is unplugged."""
        if ("host", on) not in self.things:
            self.host(on)
        switch = self.switch_on(on)
        self.learn(
            [
                (
                    "interface",
                    {
                        "id": f"{on}/{port.name}",
                        "host_id": on,
                        "switch_id": switch,
                        "name": port.name,
                        "port_id": port.id,
                        "ofport": next(self._ofports) if ofport is None else ofport,
                    },
                )
            ]
        )

    def unplug(self, port: Thing, on: str) -> None:
        self.learn([], [("interface", f"{on}/{port.name}")])

    def learn(self, puts: Iterable[tuple[str, dict]], removed: Iterable[tuple[str, str]] = ()) -> None:
        self.writer.learn(puts, removed)
        self.settle()

    def switch_on(self, host: str) -> str:
        (row,) = self.model.find("switch", "host_id", host)
        return str(row.id)

    def place(self, port: Thing) -> tuple[str, int]:
        """The switch and OpenFlow port number of a port: of its last interface if it has several."""
        found = self.model.find("interface", "port_id", port.id)
        assert found, f"{port} is not plugged in"
        return found[-1].switch_id, found[-1].ofport

    # ---- following
    def settle(self) -> None:
        """Compile what has changed, and tell the switches."""
        changes = self.writer.changes[:]
        self.writer.changes.clear()
        self.last = self.compiler.update(changes).changes
        for switch, told in self.last.items():
            self.bridges.setdefault(switch, Bridge()).take(told)

    def flows(self, host: str) -> dict[tuple, Any]:
        """What the switch on a host holds: {key: entry}."""
        return self.bridges[self.switch_on(host)].held

    def check(self) -> None:
        """Every switch holds what a compilation from scratch says, and nobody quarrels over a flow."""
        scratch = Compiler(self.model, RULES, TALLIES, strict=True)
        scratch.update(
            [Change(kind, id, None, None, ()) for kind, rows in self.model.rows.items() for id in rows], tell=False
        )
        for switch, bridge in self.bridges.items():
            wanted = scratch.desired(switch)
            held = {key: (entry.cookie, entry.body) for key, entry in bridge.held.items()}
            assert held == {key: (entry.cookie, entry.body) for key, entry in wanted.items()}, (
                f"switch {switch} holds other flows"
            )
        assert list(self.compiler.conflicts()) == []

    # ---- packets
    def send(
        self,
        said: Said | Thing,
        frame: bytes | None = None,
        *,
        on: str | None = None,
        at: tuple[str, int] | None = None,
    ) -> Journey:
        """Send a frame from a port: what became of it. From its interface on host `on` if it has several, or from
        any place: switch and OpenFlow port number."""
        sender, sent = (said.sender, said.frame) if isinstance(said, Said) else (said, frame)
        assert sent is not None, "send(port, frame)"
        if isinstance(sender, Outsider):
            return carry_in(self, sender, packet_of(sent))
        carrier, tag = self.carrier(sender)
        if on:
            at = self.switch_on(on), self.model.get("interface", f"{on}/{carrier.name}").ofport
        return carry(self, sender.name, *(at or self.place(carrier)), packet_of(frames.tagged(sent, tag) if tag else sent))

    def carrier(self, port: Thing) -> tuple[Thing, int]:
        """The port whose interface a port's frames go through, and the tag that they have there: of a sub-port."""
        for trunk in self.model.find("trunk", "sub_ports.port_id", port.id):
            parent = self.model.get("port", trunk.port_id)
            return self.things["port", parent.name], next(
                one.segmentation_id for one in trunk.sub_ports if one.port_id == port.id)
        return port, 0

    def passes(self, said: Said) -> None:
        """What is said arrives, and so does the answer to it."""
        __tracebackhide__ = True
        answer = said.answer()
        self.send(said).reaches(answer.sender)
        self.send(answer).reaches(said.sender)


def tagged_ports(sub_ports: Mapping[str, Thing]) -> list[dict[str, Any]]:
    """Sub-ports as the API takes them, by their tags: t100."""
    return [{"port_id": port.id, "segmentation_type": "vlan", "segmentation_id": int(tag[1:])}
            for tag, port in sub_ports.items()]


def pair_of(pair: str | tuple[str, str]) -> dict[str, str]:
    """An allowed address pair as the API takes it."""
    return {"ip_address": pair} if isinstance(pair, str) else {"ip_address": pair[0], "mac_address": pair[1]}
