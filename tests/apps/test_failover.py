"""Gateway hosts that are lost: another one takes over, tells so outside, and gives it back."""
import pytest

from controller.packet import arp, icmp6
from tests.kit.leading import WORLD, WORLD6, Leading, number
from tests.kit.told import Told

HOSTS = ("host1", "host2", "host3")
NET = Told


@pytest.fixture
def cloud(net):
    return Leading(net, cidrs=("10.1.0.0/24", "2001:db8:1::/64"), hosts=HOSTS, wires=HOSTS, world=(WORLD, WORLD6))


def lose(net: Told, host: str) -> None:
    net.learn([("loss", {"id": net.switch_on(host)})])


def find(net: Told, host: str) -> None:
    net.learn([], [("loss", net.switch_on(host))])


def told(net: Told) -> set[tuple[str, str]]:
    """(host, address) of each announcement that was sent at once by the wires."""
    found = set()
    for switch, port, frame in net.heard():
        uplinks = [row for row in net.model.find("uplink", "switch_id", switch) if row.ofport == port]
        said = arp.read(frame)
        address = said.sender_ip if said and said.sender_ip == said.target_ip else None
        if said is None and (neighbour := icmp6.read_neighbour(frame)):
            address = neighbour.sender_ip
        if uplinks and address:
            found.add((uplinks[0].host_id, address))
    return found


def test_another_host_takes_over_and_gives_it_back(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    first = cloud.host()
    lose(net, first)
    second = cloud.host()
    assert second != first
    assert net.send(cloud.out(a)).reaches(cloud.away).arrived["ipv4_src"] == number(cloud.gateway.ip)
    lose(net, second)
    assert cloud.host() not in (first, second)
    find(net, second)
    assert cloud.host() == second
    find(net, first)
    assert cloud.host() == first


def test_it_tells_outside_that_it_has_the_routers_addresses_and_the_floating_ones_now(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    floating = cloud.floating(a, distributed=False)
    first = cloud.host()
    net.heard()
    lose(net, first)
    second = cloud.host()
    addresses = {cloud.gateway.ip, cloud.gateway.ip6, floating.ip}
    assert {(second, address) for address in addresses} < told(net)
    assert told(net) == set()
    find(net, first)
    assert {(first, address) for address in addresses} < told(net)


def test_routers_on_other_hosts_stay_where_they_are(net, cloud):
    others = [Leading(net, f"other{number}", hosts=HOSTS) for number in range(6)]
    where = {other: other.host() for other in others}
    assert len(set(where.values())) > 1, "a digest spreads them"
    lost = cloud.host()
    net.heard()
    lose(net, lost)
    told_of = {address for _, address in told(net)}
    for other, host in where.items():
        assert (other.host() == host) == (host != lost)
        assert (other.gateway.ip in told_of) == (host == lost)


def test_a_router_that_is_not_ha_stays(net, cloud):
    first = cloud.host()
    net.change(cloud.router.thing, ha=False)
    lose(net, first)
    assert cloud.host() == first


def test_if_all_are_lost_it_stays_with_the_first(net, cloud):
    first = cloud.host()
    for host in HOSTS:
        lose(net, host)
    assert cloud.host() == first


def test_who_stands_in_says_so_again_and_again_as_the_other_may_be_cut_off_from_us_alone(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    floating = cloud.floating(a, distributed=False)
    first = cloud.host()

    def said_in(seconds: int) -> list[tuple[str, str]]:
        net.heard()
        heard = []
        for _ in range(seconds):
            net.now += 1
            net.announcements.tick(net.now)
            heard += sorted(told(net))
        return heard
    assert {host for host, _ in said_in(4)} <= {first}
    lose(net, first)
    second = cloud.host()
    held = said_in(8)
    for address in (cloud.gateway.ip, cloud.gateway.ip6, floating.ip):
        assert held.count((second, address)) >= 3
    assert {host for host, _ in held} == {second}
    find(net, first)
    assert {host for host, _ in said_in(4)} <= {first}
