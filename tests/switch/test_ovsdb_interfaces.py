"""A host's interfaces are followed, as they come, change and go.

Against real ovsdb-server and ovs-vswitchd.
"""

import random

import pytest

from tests.kit.hosts import Hosts
from tests.switch.on_host import PORT, dummy, under

pytestmark = pytest.mark.root


def test_interfaces_come_and_go_with_their_numbers(host):
    with Hosts() as hosts:
        under(hosts, host)
        dummy(host, "d1", PORT.format(1), "ofport_request=77")
        assert hosts.wait(lambda: hosts.interface(host.name, "d1")) == {
            "id": f"{host.name}/d1", "host_id": host.name, "switch_id": next(iter(hosts.of(host.name, "switch"))),
            "name": "d1", "port_id": PORT.format(1), "ofport": 77, "mac_address": "fa:16:3e:00:00:01", "mtu": 1500,
            "link_state": "up", "error": None, "wire": False}
        host.vsctl("add-port", "br-int", "plain", "--", "set", "Interface", "plain", "type=dummy")
        host.vsctl("set", "Interface", "plain", "external_ids:iface-id=not-a-uuid")
        host.vsctl("add-br", "br-other", "--", "add-port", "br-other", "off", "--", "set", "Interface", "off", "type=dummy",
                   f"external_ids:iface-id={PORT.format(5)}")
        host.vsctl("del-port", "d1", "--", "add-port", "br-int", "d1", "--", "set", "Interface", "d1", "type=dummy",
                   f"external_ids:iface-id={PORT.format(2)}")
        hosts.wait(lambda: (hosts.interface(host.name, "d1") or {}).get("port_id") == PORT.format(2))
        host.vsctl("clear", "Interface", "d1", "external_ids")
        hosts.wait(lambda: not hosts.interface(host.name, "d1"))
        assert not hosts.interface(host.name, "plain") and not hosts.interface(host.name, "off")


def test_an_interface_that_open_vswitch_cannot_use_has_no_number_but_its_error(host):
    with Hosts() as hosts:
        under(hosts, host)
        host.run(["ovs-vsctl", "--timeout=5", "add-port", "br-int", "nodevice", "--", "set", "Interface", "nodevice",
                  f"external_ids:iface-id={PORT.format(3)}"], check=False)
        seen = hosts.wait(lambda: hosts.interface(host.name, "nodevice"))
        assert seen["ofport"] is None and "nodevice" in seen["error"]


def test_two_hundred_interfaces_plugged_at_once_are_a_few_posts(host):
    with Hosts() as hosts:
        under(hosts, host)
        before = len(hosts.posts)
        words = []
        for number in range(200):
            words += ["--", "add-port", "br-int", f"d{number}", "--", "set", "Interface", f"d{number}", "type=dummy",
                      f"external_ids:iface-id={PORT.format(number)}"]
        host.vsctl(*words[1:])
        hosts.wait(lambda: len(hosts.of(host.name, "interface")) == 203
                   and all(row["ofport"] for row in hosts.of(host.name, "interface").values()))
        assert len(hosts.posts) - before <= 8, "not one for each of the two hundred"


def test_what_is_followed_equals_what_is_read_afresh(host):
    """Random changes, some of them many in one transaction: the folded posts equal a first post after all of them."""
    rng = random.Random(7)
    with Hosts(now_text=lambda: "now") as hosts:
        under(hosts, host)
        for _ in range(40):
            words = []
            for name in rng.sample([f"d{number}" for number in range(6)], rng.randint(1, 3)):
                words += ["--", "--if-exists", "del-port", name]
                if rng.random() < 0.7:
                    words += ["--", "add-port", rng.choice(["br-int", "br-int", "br-phy"]), name, "--", "set", "Interface", name,
                              "type=dummy", f"external_ids:iface-id={PORT.format(rng.randint(1, 3))}",
                              f"external_ids:attached-mac=fa\\:16\\:3e\\:00\\:00\\:{rng.randint(10, 12)}"]
            host.vsctl(*words[1:])
        last = {row["id"]: row for row in read_afresh(host).values()}
        hosts.wait(lambda: {row["id"]: row for row in hosts.rows[host.name].values()} == last)
        host.vsctl("--if-exists", "del-port", "d1", *[word for name in ("d0", "d2", "d3", "d4", "d5")
                                                      for word in ("--", "--if-exists", "del-port", name)])


def read_afresh(host):
    """What a second server sees of the host, without taking it away from the first."""
    with Hosts(now_text=lambda: "now") as hosts:
        managers = host.vsctl("get-manager").split()
        host.vsctl("set-manager", *managers, f"tcp:{host.controller_address}:{hosts.port}")
        hosts.wait(lambda: hosts.posts)
        host.vsctl("set-manager", *managers)
        return dict(hosts.rows[host.name])
