"""A whole Hadron in this process with switches that are not there: two tenants, two hosts, all of it over REST."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from controller.config import read
from controller.main import Hadron
from controller.switch.host_facts import HostFacts
from tests.kit.fake_switch import FakeSwitches
from tests.kit.served import Client

SWITCHES = {"host1": "00000000000000a1", "host2": "00000000000000b2"}
TOKENS = {"ops": "token-of-the-operator", "acme": "token-of-acme", "bolt": "token-of-bolt"}
PATIENCE = 20.0


class Fabric:
    """A running Hadron and what is plugged into it."""

    def __init__(self, hadron: Hadron, fakes: FakeSwitches) -> None:
        self.hadron, self.fakes = hadron, fakes
        self.made: dict[str, dict] = {}
        self.url = f"http://127.0.0.1:{hadron.rest.port}"
        self.as_ops, self.as_acme, self.as_bolt = (Client(hadron.rest.port, TOKENS[who]) for who in TOKENS)
        self.ofport = 0

    def until(self, condition: Callable[[], Any]) -> Any:
        """What the condition gives, once it is true."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.005)
        return found

    def settled(self) -> bool:
        """Every switch that is there holds what it should."""
        control = self.hadron.control
        return bool(control.standing) and all(one.in_step and one.confirmed >= one.sent for one in control.standing.values())

    def host(self, name: str, **more: Any) -> None:
        """A host appears, with its switch."""
        id, number = SWITCHES[name], name[-1]
        self.learn(name, ("host", {"id": f"{name}-id", "hostname": name, "tunnel_ip": f"192.0.2.{number}",
                                   "ovs_version": "3.1.0", **more}),
                   ("switch", {"id": id, "host_id": f"{name}-id", "bridge": "br-int"}))
        self.fakes.add(id)

    def learn(self, host: str, *puts: tuple[str, dict], removes: tuple = ()) -> None:
        """Facts, as OVSDB would tell them."""
        self.hadron.desk.call(self.hadron.control.on_event, HostFacts(f"{host}-id", list(puts), list(removes), False))

    def machine(self, who: Client, network: dict, name: str, host: str, **more: Any) -> dict:
        """A port of a tenant, plugged in on a host."""
        port = who.create("port", network_id=network["id"], name=name, **more)
        self.plug(port, host)
        return port

    def plug(self, port: dict, host: str, **more: Any) -> None:
        self.ofport += 1
        self.learn(host, ("interface", {
            "id": f"{host}-id/tap{self.ofport}", "host_id": f"{host}-id", "switch_id": SWITCHES[host],
            "name": f"tap{self.ofport}", "port_id": port["id"], "ofport": self.ofport, "mac_address": port["mac_address"],
            "link_state": "up", **more}))


@contextmanager
def fabric(**more: Any) -> Iterator[Fabric]:
    """A Hadron on free ports, stopped at the end."""
    tokens = [{"token": token, "project_id": who, "roles": ["admin" if who == "ops" else "member"], "user": f"{who}-user"}
              for who, token in TOKENS.items()]
    config = read({"store": "memory", "rest": "127.0.0.1:0", "openflow": "127.0.0.1:0", "ovsdb": "127.0.0.1:0",
                   "auth": {"mode": "tokens", "tokens": tokens}, "audit_interval": 0, **more})
    hadron = Hadron(config).start()
    try:
        with FakeSwitches("127.0.0.1", hadron.switches.addresses[0][1]) as fakes:
            yield Fabric(hadron, fakes)
    finally:
        hadron.close()


def two_tenants(fabric: Fabric) -> dict[str, dict]:
    """acme has web on host1 and db on host2, bolt has a port with web's address on host1: all by name, in `made`."""
    made = fabric.made
    for host in SWITCHES:
        fabric.host(host)
    for who, name in ((fabric.as_acme, "acme"), (fabric.as_bolt, "bolt")):
        network = made[f"{name} net"] = who.create("network", name="blue")
        made[f"{name} subnet"] = who.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    made["web"] = fabric.machine(fabric.as_acme, made["acme net"], "web", "host1")
    made["db"] = fabric.machine(fabric.as_acme, made["acme net"], "db", "host2")
    made["theirs"] = fabric.machine(fabric.as_bolt, made["bolt net"], "theirs", "host1")
    group = made["group"] = next(one for one in fabric.as_acme.get("/v2.0/security-groups")["security_groups"]
                                 if one["name"] == "default")
    made["rule"] = fabric.as_acme.create("security_group_rule", security_group_id=group["id"], direction="ingress",
                                         protocol="tcp", port_range_min=80, port_range_max=80)
    fabric.until(lambda: fabric.settled() and len(fabric.hadron.control.standing) == 2)
    return made


def flows(client: Client, **params: str) -> list[dict]:
    """The flows that /inspect/flows tells."""
    return client.get("/inspect/flows?" + urlencode(params))["flows"]
