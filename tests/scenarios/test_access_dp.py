"""Access lists and isolation with real packets: also for connections that are there already."""

from __future__ import annotations

import pytest

from tests.scenarios.site import Site, Wish
from tests.scenarios.talk import Conversation, ping, settles, tcp, udp

pytestmark = pytest.mark.root


def test_a_protocol_is_blocked_in_a_whole_network_and_in_what_goes_on_there(site: Site) -> None:
    network = site.network("acl")
    group = {"security_groups": [site.open_group("acl")]}
    a, b, c = site.machines(Wish("l1", network, 1, 11, group), Wish("l2", network, 1, 12, group), Wish("l3", network, 2, 13, group))
    pairs = ((a, b), (a, c), (c, b))
    with Conversation(udp(a, c, 5353)) as near, Conversation(udp(a, b, 5353, 6)) as far:
        assert near.both_ways() and far.both_ways()
        rule = site.create("access_rule", network_id=network["id"], priority=100, protocol="udp")
        assert near.is_cut() and far.is_cut()
        settles(refused=[udp(one, other, 5000, v) for one, other in pairs for v in (4, 6)],
                reached=[said for one, other in pairs for v in (4, 6) for said in (tcp(one, other, 5000, v), ping(one, other, v))])
        site.delete("access_rule", rule["id"])
    settles(reached=[udp(one, other, 5000, v) for one, other in pairs for v in (4, 6)])
    lines = [line for host in site.cloud.hosts for line in host.dump_flows() if "table=7" in line or "table=61" in line]
    assert all("priority=0" in line or "priority=3000" in line for line in lines), "nothing is left of the rule"


def test_isolated_ports_do_not_reach_each_other(site: Site) -> None:
    network = site.network("iso")
    group = {"security_groups": [site.open_group("iso")]}
    a, b, c = site.machines(Wish("i1", network, 1, 11, group), Wish("i2", network, 1, 12, group), Wish("i3", network, 2, 13, group))
    settles(reached=[ping(a, b), ping(a, c, 6)])
    isolation = site.create("port_isolation", network_id=network["id"])
    settles(refused=[ping(one, other, v) for one, other in ((a, b), (c, a)) for v in (4, 6)])
    site.delete("port_isolation", isolation["id"])
    settles(reached=[ping(a, b), ping(a, c, 6)])
