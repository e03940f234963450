"""Chance draws the operations of which histories are made.

`wild` histories also hold what a tenant cannot ask for (two ports with one address, a rule of a group that is gone, a
router twice on a subnet); `tame` ones only what the write path lets through, whatever the order in which it arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.laws.chance_access import ACCESS_RULES, LABEL_RULES, LABELS, LOGS, WATCHES, Access
from tests.laws.chance_carried import TRUNKS, Carried
from tests.laws.chance_links import CIRCUITS, LINKS, Linked
from tests.laws.chance_local import LOCAL_IPS, STANDING, Local
from tests.laws.chance_plain import EDGES, ENDS, PLAIN, PlainSwitches
from tests.laws.chance_qos import POLICIES, POLICING, POLICY_RULES, Policing
from tests.laws.chance_routed import (
    FLOATING,
    FORWARDS,
    GATES,
    GROUPS,
    HOLDERS,
    HOSTS,
    JOINTS,
    MODES,
    NETWORKS,
    PAIRS,
    POOLS,
    PORTS,
    PROXIES,
    ROUTERS,
    RULES,
    STRANGERS,
    SUBNETS,
    WIRES,
    WORLDS,
    address,
)
from tests.laws.operations import Batch, Operation, name

LISTS = 2  # address groups


class Chance(Policing, Access, Carried, PlainSwitches, Linked, Local):
    """Draws operations."""

    def __init__(self, seed: int, *, tame: bool = False) -> None:
        super().__init__(seed, tame=tame)
        self._draw: list[tuple[int, Callable[[], Operation]]] = [
            (8, self.port),
            (6, self.interface),
            (4, self.rule),
            (2, self.group),
            (2, self.addresses),
            (2, self.subnet),
            (2, self.network),
            (2, self.host),
            (1, self.switch),
            (2, self.uplink),
            (4, self.link),
            (1, self.broken),
            (1, self.path_policy),
            (2, self.circuit),
            (2, self.circuit_end),
            (1, self.wire_port),
            (2, self.router),
            (4, self.joint),
            (3, self.route),
            (1, self.world),
            (2, self.gate),
            (2, self.holder),
            (1, self.loss),
            (2, self.claim),
            (1, self.pool),
            (1, self.stranger),
            (2, self.floating),
            (2, self.forwarding),
            (2, self.proxy),
            (1, self.local_ip),
            (2, self.standing),
            (3, self.trunk),
            (2, self.segment),
            (1, self.plain),
            (3, self.switch_port),
            (2, self.way),
            (1, self.access_rule),
            (1, self.isolation),
            (3, self.binding),
            (1, self.watch),
            (1, self.label),
            (2, self.label_rule),
            (1, self.log),
            (1, self.policy),
            (2, self.policy_rule),
            (1, self.edge),
            (1, self.station),
            (5, self.removal),
            (1, self.plain_removal),
        ]

    def history(self, operations: int) -> list[Batch]:
        """So many operations in batches of one to four."""
        batches = []
        while operations > 0:
            batches.append(tuple(self.operation() for _ in range(min(operations, self.random.randint(1, 4)))))
            operations -= len(batches[-1])
        return batches

    def operation(self) -> Operation:
        weights = [weight for weight, _ in self._draw]
        return self.random.choices(self._draw, weights)[0][1]()

    # ---- what tenants ask for
    def network(self) -> Operation:
        number = self._below(NETWORKS)
        tunnel = number if self.tame else self._below(NETWORKS)
        return Operation(
            "network",
            name("network", number),
            {
                "key": number + 1,
                "admin_state_up": self._maybe(0.8),
                "mtu": self.random.choice((1450, 9000)),
                "qos_policy_id": self.some_policy(),
                "vlan_transparent": self._maybe(0.2),
                **self._carrier(number, 100 + tunnel),
            },
        )

    def _carrier(self, number: int, key: int) -> dict[str, Any]:
        """A tunnel or a physical network. Of tame networks one may be untagged on a wire; on the first ones those are the worlds."""
        wire = number % WIRES
        kinds = ["vxlan", "geneve", "gre", "vlan"] + (["flat"] if number == wire >= len(WORLDS) or not self.tame else [])
        kind = self.random.choice(kinds)
        return {
            "provider:network_type": kind,
            "provider:physical_network": f"physnet{wire}" if kind in ("vlan", "flat") else None,
            "provider:segmentation_id": None if kind == "flat" else key,
        }

    def subnet(self) -> Operation:
        number = self._below(SUBNETS)
        v6 = number % 3 == 2
        mode = self.random.choice((None, *MODES)) if v6 else None
        return Operation(
            "subnet",
            name("subnet", number),
            {
                "network_id": name("network", number % NETWORKS if self.tame else self._below(NETWORKS)),
                "ip_version": 6 if v6 else 4,
                "cidr": f"{address(number, 0)}/{64 if v6 else 24}",
                "subnetpool_id": self.random.choice((None, None, *(name("subnetpool", one) for one in range(POOLS)))),
                "enable_dhcp": self._maybe(0.8),
                "ipv6_ra_mode": mode,
                "ipv6_address_mode": mode if self._maybe(0.8) else None,
                "dns_publish_fixed_ip": number % 4 == 1,
                "gateway_ip": self.random.choice((None, address(number, 1))),
                "dns_nameservers": ["9.9.9.9"] if self._maybe(0.2) else [],
                "host_routes": [{"destination": "10.9.0.0/16", "nexthop": f"10.0.{number}.9"}]
                if self._maybe(0.2)
                else [],
            },
        )

    def port(self) -> Operation:
        number = self._below(PORTS)
        secure = self._maybe(0.8)
        return Operation(
            "port",
            name("port", number),
            {
                "key": number + 16,
                "project_id": ("acme", "other")[number % 2 if self.tame else self._below(2)],
                "network_id": name("network", number % NETWORKS if self.tame else self._below(NETWORKS)),
                "mac_address": f"fa:16:3e:00:00:{number:02x}",
                "data_plane_status": self.random.choice((None, None, "ACTIVE", "DOWN")),
                "zone": 2000 + number if number < STANDING else None,
                "admin_state_up": self._maybe(0.9),
                "qos_policy_id": self.some_policy(),
                "port_security_enabled": secure,
                "fixed_ips": self._fixed_ips(number),
                "allowed_address_pairs": self._pairs() if secure and self._maybe(0.5) else [],
                "security_groups": self._some("security_group", GROUPS, 2) if secure or not self.tame else [],
                "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}]
                if self._maybe(0.1)
                else [],
                "dns_name": self.random.choice(("", f"p{number}", f"p{number}.deep")),
                "binding:host_id": self.random.choice(
                    ("", "", "", f"host{self._below(HOSTS)}", f"node{self._below(HOSTS)}")
                ),
                "switch_port": self.bound(number),
            },
        )

    def _fixed_ips(self, number: int) -> list[dict]:
        """Ports of different networks have the same addresses; in a wild history those of one network too."""
        place = number // NETWORKS if self.tame else self._below(4)
        home = number % NETWORKS if self.tame else self._below(SUBNETS)
        four = {"subnet_id": name("subnet", home), "ip_address": f"10.0.{home if self.tame else 0}.{10 + place}"}
        six = {"subnet_id": name("subnet", 2), "ip_address": f"2001:db8::{10 + place}"}
        return self.random.choice(([four], [four, six], [six], []))

    def _pairs(self) -> list[dict]:
        addresses = ("10.0.0.77", "10.0.0.77", "10.0.0.77", "10.0.1.0/28", "2001:db8::77", "0.0.0.0/0", "::/0", "10.0.0.12")
        macs = (None, "fa:16:3e:aa:00:00", "fa:16:3e:00:00:03")
        return [
            {"ip_address": self.random.choice(addresses), "mac_address": self.random.choice(macs)}
            for _ in range(self.random.randint(1, 2))
        ]

    def group(self) -> Operation:
        number = self._below(GROUPS)
        return Operation(
            "security_group", name("security_group", number), {"key": number + 1, "stateful": self._maybe(0.7)}
        )

    def addresses(self) -> Operation:
        number = self._below(LISTS)
        blocks = ("10.0.0.0/28", "10.0.1.12/32", "2001:db8::/64", "0.0.0.0/0", "2001:db8::10/128", "::/0")
        return Operation("address_group", name("address_group", number), {
            "key": 100 + number, "addresses": self.random.sample(blocks, self._below(4))})

    def rule(self) -> Operation:
        v6 = self._maybe(0.4)
        protocol, least, most = self.random.choice(
            (
                (None, None, None),
                ("tcp", 80, 80),
                ("tcp", 8000, 8099),
                ("udp", 53, 53),
                ("icmp", None, None),
                ("icmp", 8, 0),
                ("sctp", 5, 9),
                ("47", None, None),
                ("vrrp", None, None),
            )
        )
        prefix = "2001:db8:7::/48" if v6 else self.random.choice(("10.0.0.0/8", "0.0.0.0/0"))
        remote = self.random.choice((None, "group", "group", "prefix", "addresses"))
        return Operation(
            "security_group_rule",
            name("security_group_rule", self._below(RULES)),
            {
                "security_group_id": name("security_group", self._below(GROUPS)),
                "ethertype": "IPv6" if v6 else "IPv4",
                "direction": self.random.choice(("ingress", "egress")),
                "protocol": protocol,
                "port_range_min": least,
                "port_range_max": most,
                "remote_group_id": name("security_group", self._below(GROUPS)) if remote == "group" else None,
                "remote_ip_prefix": prefix if remote == "prefix" else None,
                "remote_address_group_id": name("address_group", self._below(LISTS)) if remote == "addresses" else None,
            },
        )

    # ---- what is seen of the fabric
    def host(self) -> Operation:
        number = self._below(HOSTS)
        address = self.random.choice(
            (None, f"192.0.2.{number + 1}", f"192.0.2.{number + 1}", f"2001:db8:f::{number + 1}")
        )
        return Operation("host", name("host", number), {"hostname": f"node{number}", "tunnel_ip": address, **self.queues()})

    def switch(self) -> Operation:
        number = self._below(HOSTS)
        host = number if self.tame or self._maybe(0.8) else self._below(HOSTS)
        return Operation("switch", name("switch", number), {"host_id": name("host", host), "bridge": "br-int", "label": number + 16})

    def interface(self) -> Operation:
        """A tame host never shows two interfaces with one OpenFlow port number."""
        number = self._below(PORTS + 4)
        host = number % HOSTS
        gone = not self.tame and self._maybe(0.1)
        return Operation(
            "interface",
            f"host{host}/tap{number}",
            {
                "host_id": name("host", host),
                "switch_id": None if gone else name("switch", host),
                "name": f"tap{number}",
                "ofport": None if self._maybe(0.05) else number + 1,
                "port_id": name("port", self.random.choice(JOINTS) if self._maybe(0.1) else self._below(PORTS + 2)),
            },
        )

    def uplink(self) -> Operation:
        host, wire = self._below(HOSTS), self._below(WIRES)
        gone = not self.tame and self._maybe(0.1)
        return Operation(
            "uplink",
            f"host{host}/physnet{wire}",
            {
                "host_id": name("host", host),
                "switch_id": None if gone else name("switch", host),
                "physical_network": f"physnet{wire}",
                "ofport": None if self._maybe(0.05) else 65100 + wire + (10 if self._maybe(0.2) else 0),
                **self.queues(),
            },
        )

    def removal(self) -> Operation:
        kind, number = self.random.choice(
            (
                ("port", PORTS),
                ("port", PORTS),
                ("interface", PORTS + 4),
                ("interface", PORTS + 4),
                ("security_group_rule", RULES),
                ("security_group", GROUPS),
                ("address_group", LISTS),
                ("subnet", SUBNETS),
                ("network", NETWORKS),
                ("host", HOSTS),
                ("switch", HOSTS),
                ("uplink", HOSTS * WIRES),
                ("path_policy", NETWORKS),
                ("circuit", CIRCUITS),
                ("router", ROUTERS),
                ("joint", len(JOINTS)),
                ("joint", len(JOINTS)),
                ("route", ROUTERS * len(PAIRS)),
                ("route", ROUTERS * len(PAIRS)),
                ("floatingip", FLOATING),
                ("port_forwarding", FORWARDS),
                ("ndp_proxy", PROXIES),
                ("local_ip", LOCAL_IPS),
                ("local_ip_association", STANDING),
                ("gate", ROUTERS),
                ("trunk", TRUNKS),
                ("segment", NETWORKS),
                ("qos_policy", POLICIES),
                ("access_rule", ACCESS_RULES),
                ("port_isolation", NETWORKS),
                ("port_binding", PORTS),
                ("watch", WATCHES),
                ("metering_label", LABELS),
                ("metering_label_rule", LABEL_RULES),
                ("log", LOGS),
                (self.random.choice(POLICING), POLICY_RULES),
                ("holder", FLOATING),
                ("loss", HOSTS),
            )
        )
        number = self._below(number)
        if kind == "gate":
            return Operation("port", name("port", GATES + number), None)
        if kind == "holder":
            return Operation("port", name("port", HOLDERS + number), None)
        if kind == "loss":
            return Operation("loss", name("switch", number), None)
        if kind == "joint":
            return Operation("port", name("port", JOINTS[number]), None)
        ids = {"interface": f"host{number % HOSTS}/tap{number}", "uplink": f"host{number % HOSTS}/physnet{number % WIRES}"}
        return Operation(kind, ids.get(kind) or name(kind, number), None)


def furnish(seed: int, *, tame: bool = False) -> list[Batch]:
    """A history that begins with a fabric where nothing is missing: networks, subnets, groups, hosts, some ports."""
    chance = Chance(seed, tame=tame)
    wanted: dict[tuple[str, str], Operation] = {}
    for draw, number in (
        (chance.network, NETWORKS),
        (chance.subnet, SUBNETS),
        (chance.group, GROUPS),
        (chance.addresses, LISTS),
        (chance.host, HOSTS),
        (chance.switch, HOSTS),
        (chance.uplink, HOSTS),
        (chance.plain, PLAIN),
        (chance.switch_port, PORTS),
        (chance.way, PLAIN * ENDS),
        (chance.edge, EDGES),
        (chance.station, 3),
        (chance.link, LINKS * 9 // 10),
        (chance.path_policy, 2),
        (chance.circuit, CIRCUITS),
        (chance.circuit_end, CIRCUITS * 9),
        (chance.wire_port, LINKS // 3),
        (chance.router, ROUTERS),
        (chance.joint, len(JOINTS) // 2),
        (chance.route, len(PAIRS)),
        (chance.world, 2 * len(WORLDS)),
        (chance.gate, ROUTERS * len(WORLDS)),
        (chance.holder, FLOATING),
        (chance.loss, 1),
        (chance.pool, POOLS),
        (chance.stranger, STRANGERS),
        (chance.floating, FLOATING),
        (chance.forwarding, FORWARDS),
        (chance.proxy, PROXIES),
        (chance.local_ip, LOCAL_IPS),
        (chance.standing, STANDING),
        (chance.trunk, TRUNKS),
        (chance.access_rule, ACCESS_RULES),
        (chance.isolation, 1),
        (chance.watch, 5),
        (chance.label, LABELS),
        (chance.label_rule, LABEL_RULES),
        (chance.log, LOGS // 2),
        (chance.segment, NETWORKS),
        (chance.policy, POLICIES),
        (chance.policy_rule, POLICY_RULES),
        (chance.rule, RULES // 2),
        (chance.port, PORTS // 2),
        (chance.interface, PORTS),
        (chance.binding, PORTS),
    ):
        found: dict[tuple[str, str], Operation] = {}
        while len(found) < number:
            one = draw()
            found[one.kind, one.id] = one
        wanted.update(found)
    return [tuple(wanted.values())]
