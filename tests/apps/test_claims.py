"""Addresses that several ports may have: who has said last that it has one gets what is for it, by routers too."""
import itertools

import pytest

import apps.claims
from controller.packet import arp, icmp6
from tests.kit import frames
from tests.kit.journey import put_in
from tests.kit.leading import Leading, number, open_group
from tests.kit.net import Net, Port
from tests.kit.router import Router, ping, tcp
from tests.kit.talk import SYN_ACK, Said, packet_of
from tests.kit.told import Told

VIP, VIP6 = "10.1.0.50", "2001:db8:1::50"


class Pair:
    """Two machines that may both have an address of each IP version, on two hosts; another network behind a router."""

    def __init__(self, net: Net, red, blue) -> None:
        self.net, self.red, self.blue = net, red, blue
        group = net.group("open")
        for v in (4, 6):
            net.rule(group, v=v)
        self.router = Router(net).join(red, blue)
        self.one, self.two = (net.port(name, on=host, network=red, groups=[group], pairs=[VIP, VIP6])
                              for name, host in (("one", "host1"), ("two", "host2")))
        self.client = net.port("client", on="host3", network=blue, groups=[group])

    def ask(self, v: int = 4) -> Said:
        return ping(self.client, self.router.on(self.blue, v), VIP6 if v == 6 else VIP, v=v)


def takes(net: Net, port: Port, *, mac: str | None = None, reply: bool = False, v: int = 4, ip: str = "") -> None:
    """The port says that it has the address; everybody hears, and the controller too, which remembers."""
    mac = mac or port.mac
    if v == 6:
        frame = frames.na(mac, ip or VIP6, from_ip=ip or VIP6)
    elif reply:
        frame = frames.arp_reply(mac, ip or VIP, "ff:ff:ff:ff:ff:ff", ip or VIP)
    else:
        frame = frames.arp_request(mac, ip or VIP, ip or VIP)
    journey = net.send(port, frame)
    (punt,) = journey.punts
    assert punt.cookie >> 56 == apps.claims.APP and journey.arrivals, "it is carried, too"
    rule, (id, *_) = net.compiler.punts[punt.cookie]
    net.learn(rule.answers(net.compiler.world, net.model.get(rule.per, id), frame))


@pytest.fixture
def pair(net, red, blue):
    return Pair(net, red, blue)


@pytest.mark.parametrize(("v", "reply"), [(4, False), (4, True), (6, False)])
def test_who_says_last_that_it_has_the_address_gets_what_is_for_it(net, pair, v, reply):
    for port in (pair.one, pair.two, pair.one):
        takes(net, port, reply=reply, v=v)
        net.send(pair.ask(v)).reaches(port)


def test_as_long_as_nobody_has_said_anything_those_who_may_have_it_are_asked(net, pair):
    for v in (4, 6):
        said = pair.ask(v)
        (punt,) = net.send(said).punts
        rule, (id, *_) = net.compiler.punts[punt.cookie]
        way, within = pair.router.on(pair.red, v), pair.router.on(pair.blue, v)
        lost = frames.echo(way.mac, within.mac, pair.client.ip6 if v == 6 else pair.client.ip, VIP6 if v == 6 else VIP)
        questions = rule.answers(net.compiler.world, net.model.get(rule.per, id), lost)
        asked = arp.request(way.mac, way.ip, VIP) if v == 4 else icmp6.who_is(
            frames.raw_mac(way.mac), frames.raw_ip(way.ip6), frames.raw_ip(VIP6))
        assert {frame for _, frame in questions} == {frames.raw_mac(port.mac) + asked[6:] for port in (pair.one, pair.two)}
        for port, (actions, frame) in zip((pair.one, pair.two), questions, strict=True):
            put_in(net, net.switch_on("host3"), actions, packet_of(frame)).reaches(port)
        answer = frames.na(pair.two.mac, VIP6, way.mac, way.ip6, from_ip=pair.two.ip6) if v == 6 else \
            frames.arp_reply(pair.two.mac, VIP, way.mac, way.ip)
        (punt,) = [punt for punt in net.send(pair.two, answer).punts if punt.cookie >> 56 == apps.claims.APP]
        rule, (id, *_) = net.compiler.punts[punt.cookie]
        net.learn(rule.answers(net.compiler.world, net.model.get(rule.per, id), answer))
        net.send(said).reaches(pair.two)


def test_a_mac_of_its_own_is_believed_if_the_pair_has_it(net, pair):
    shared = "00:00:5e:00:01:07"
    net.change(pair.one, allowed_address_pairs=[{"ip_address": VIP}])
    net.change(pair.two, allowed_address_pairs=[{"ip_address": VIP, "mac_address": shared}])
    takes(net, pair.two, mac=shared)
    assert net.send(pair.ask()).arrivals[0][1]["eth_dst"] == number(shared)


def test_what_others_say_is_not_believed(net, pair):
    takes(net, pair.one)
    for liar, mac in ((pair.client, pair.client.mac), (pair.two, pair.one.mac)):
        assert not net.send(liar, frames.arp_request(mac, VIP, VIP)).punts
    rule = apps.claims.listen
    for frame in (frames.arp_request(pair.two.mac, "10.1.0.51", "10.1.0.51"), frames.arp_request(pair.one.mac, VIP, VIP),
                  frames.na(pair.two.mac, VIP6, from_ip=VIP6)[:-1], b"", b"\0" * 60):
        assert rule.answers(net.compiler.world, pair.two.row, frame) == ()


def test_who_is_unplugged_or_may_not_any_more_has_it_no_longer(net, pair):
    takes(net, pair.one)
    net.unplug(pair.one, "host1")
    net.send(pair.ask()).reaches(pair.two)               # the only one left
    net.plug(pair.one, "host1")
    net.send(pair.ask()).reaches(pair.one)
    net.change(pair.one, allowed_address_pairs=[])
    net.send(pair.ask()).reaches(pair.two)


def test_a_ports_own_address_may_be_taken_over_and_given_back(net, pair):
    """Nobody answers for it on the spot then: who has it answers itself."""
    net.change(pair.one, allowed_address_pairs=[])
    net.change(pair.two, allowed_address_pairs=[{"ip_address": pair.one.ip}])
    said = tcp(pair.client, pair.router.on(pair.blue), pair.one.ip, 80)
    net.send(said).reaches(pair.one)
    takes(net, pair.two, ip=pair.one.ip)
    net.send(said).reaches(pair.two)
    third = net.port("third", on="host3", network=pair.red)
    net.send(third, frames.arp_request(third.mac, third.ip, pair.one.ip)).reaches(pair.one, pair.two)
    takes(net, pair.one, ip=pair.one.ip)
    net.send(said).reaches(pair.one)


def test_an_address_that_only_one_may_have_costs_nothing_and_needs_no_word(net, pair):
    net.change(pair.two, allowed_address_pairs=[])
    net.send(pair.ask()).reaches(pair.one)
    assert not [entry for host in ("host1", "host2", "host3") for entry in net.flows(host).values()
                if entry.why and entry.why.app == apps.claims.APP]


# ---- as target of a floating IP

HOSTS = ("host1", "host2", "host3")


@pytest.mark.parametrize(("here", "there"), list(itertools.product(HOSTS, HOSTS)))
def test_a_floating_ip_of_a_shared_address_follows_it(here, there):
    """The address is that of a port that is plugged in nowhere, which only keeps it; host 3 has no wire."""
    net = Told()
    cloud = Leading(net, hosts=HOSTS, wires=("host1", "host2"))
    keeper = net.port("keeper", network=cloud.inside, ip=VIP)
    one, two = (net.port(name, on=host, network=cloud.inside, groups=[open_group(net, name)], pairs=[VIP])
                for name, host in (("one", here), ("two", there)))
    floating = cloud.floating(keeper)
    for port, host in ((one, here), (two, there)):
        takes(net, port)
        cloud.come_in(floating.mac, floating.ip).reaches(port)
        back = frames.tcp(port.mac, cloud.within().mac, VIP, cloud.away.ip, 22, 5000, SYN_ACK)
        assert net.send(Said(port, back)).reaches(cloud.away).arrived["ipv4_src"] == number(floating.ip)
        answering = {name for name, _, _ in cloud.ask(floating.ip).reaches(cloud.away).wires}
        assert answering == {host if host != "host3" else cloud.host()}
    net.check()
