"""Names: what the network's DNS answers, read by another library than ours."""

from __future__ import annotations

import random
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import pytest

from apps import names
from controller.app import Ask
from controller.packet import dns as wire
from tests.kit.net import Net, Port, Thing
from tests.kit.questions import ask, found, on, said

ZONE = "openstacklocal"
FORWARDERS = {"dns": {"forwarders": ["192.0.2.53"]}}


@pytest.fixture
def net() -> Net:
    return Net()


def two(net: Net, **network: Any) -> tuple[Thing, Port, Port]:
    """A network with a port called web and one without a name."""
    made = net.network("net", **network)
    return made, net.port("web", dns_name="web", ip=("10.0.0.5", "2001:db8::5")), net.port("other", ip=("10.0.0.6",))


@pytest.mark.parametrize("name", ["web", f"web.{ZONE}", f"WeB.{ZONE.upper()}"])
def test_a_name_has_its_ports_addresses_whole_or_without_the_domain(net: Net, name: str) -> None:
    network, *_ = two(net)
    four, six = ask(net, network, name), ask(net, network, name, "AAAA")
    assert (found(four), found(six)) == (["10.0.0.5"], ["2001:db8::5"])
    assert four.rcode() == dns.rcode.NOERROR and four.flags & dns.flags.AA and not four.flags & dns.flags.RA
    assert four.answer[0].ttl == names.TTL
    assert found(ask(net, network, name, "ANY")) == ["10.0.0.5", "2001:db8::5"]


def test_an_address_has_its_name(net: Net) -> None:
    network, *_ = two(net)
    for address, name in (("10.0.0.5", f"web.{ZONE}."), ("2001:db8::5", f"web.{ZONE}."),
                          ("10.0.0.6", f"host-10-0-0-6.{ZONE}.")):
        pointer = dns.reversename.from_address(address).to_text()
        assert found(ask(net, network, pointer, "PTR")) == [name]
        assert found(ask(net, network, pointer, "A")) == []


def test_a_port_without_a_name_is_called_after_its_address(net: Net) -> None:
    network, _, other = two(net)
    assert found(ask(net, network, f"host-10-0-0-6.{ZONE}")) == found(ask(net, network, "host-10-0-0-6")) == ["10.0.0.6"]
    assert ask(net, network, "host-10-0-0-5").rcode() == dns.rcode.NXDOMAIN         # it is called web
    assert [one["fqdn"] for one in net.model.show("port", other.row)["dns_assignment"]] == [f"host-10-0-0-6.{ZONE}."]


def test_what_is_not_there_does_not_exist_and_what_has_no_such_record_does(net: Net) -> None:
    network, *_ = two(net)
    nobody = ask(net, network, f"nobody.{ZONE}")
    assert nobody.rcode() == dns.rcode.NXDOMAIN and nobody.authority[0].name == dns.name.from_text(ZONE)
    assert nobody.authority[0][0].minimum == nobody.authority[0].ttl == names.TTL
    nodata = ask(net, network, f"web.{ZONE}", "MX")
    assert nodata.rcode() == dns.rcode.NOERROR and not nodata.answer and nodata.authority[0].rdtype == dns.rdatatype.SOA
    assert ask(net, network, "nobody").rcode() == dns.rcode.NXDOMAIN
    gone = dns.reversename.from_address("10.0.0.77").to_text()
    assert ask(net, network, gone, "PTR").rcode() == dns.rcode.NXDOMAIN


def test_the_domain_itself_has_a_start_of_authority(net: Net) -> None:
    network, *_ = two(net)
    start = ask(net, network, ZONE, "SOA")
    assert start.answer[0].rdtype == dns.rdatatype.SOA and start.rcode() == dns.rcode.NOERROR
    assert ask(net, network, ZONE).rcode() == dns.rcode.NOERROR


def test_a_name_of_several_labels_makes_those_within_it_be_there(net: Net) -> None:
    network = net.network("net")
    net.port("deep", dns_name="a.b.c", ip=("10.0.0.5",))
    assert found(ask(net, network, f"a.b.c.{ZONE}")) == ["10.0.0.5"]
    for between in ("b.c", "c"):
        assert ask(net, network, f"{between}.{ZONE}").rcode() == dns.rcode.NOERROR
    assert ask(net, network, f"b.{ZONE}").rcode() == dns.rcode.NXDOMAIN


def test_a_networks_domain_and_a_ports_own_take_the_place_of_the_common_one(net: Net) -> None:
    network = net.network("net", dns_domain="Red.example.")
    web = net.port("web", dns_name="web", ip=("10.0.0.5",))
    net.port("db", dns_name="db", dns_domain="blue.example.", ip=("10.0.0.6",))
    assert found(ask(net, network, "web.red.example")) == ["10.0.0.5"]
    assert found(ask(net, network, "db.blue.example")) == found(ask(net, network, "db")) == ["10.0.0.6"]
    assert ask(net, network, "db.red.example").rcode() == dns.rcode.NXDOMAIN
    assert ask(net, network, f"web.{ZONE}").rcode() == dns.rcode.REFUSED
    assert found(ask(net, network, dns.reversename.from_address("10.0.0.6").to_text(), "PTR")) == ["db.blue.example."]
    assert net.model.show("port", web.row)["dns_assignment"] == [
        {"ip_address": "10.0.0.5", "hostname": "web", "fqdn": "web.red.example."}]


def test_a_name_follows_its_port(net: Net) -> None:
    network, web, _ = two(net)
    net.change(web, dns_name="www")
    assert ask(net, network, "web").rcode() == dns.rcode.NXDOMAIN and found(ask(net, network, "www")) == ["10.0.0.5"]
    net.remove(web)
    assert ask(net, network, "www").rcode() == dns.rcode.NXDOMAIN


def test_tenants_with_the_same_addresses_and_names_hear_of_their_own(net: Net) -> None:
    red, blue = (net.network(name, project=name) for name in ("red", "blue"))
    net.port("r", network=red, dns_name="web", ip=("10.0.0.5",))
    net.port("b", network=blue, dns_name="web", ip=("10.0.0.7",))
    assert (found(ask(net, red, "web")), found(ask(net, blue, "web"))) == (["10.0.0.5"], ["10.0.0.7"])
    assert ask(net, red, dns.reversename.from_address("10.0.0.7").to_text(), "PTR").rcode() == dns.rcode.NXDOMAIN


# ---- who else is asked

def with_forwarders() -> Net:
    return Net(**FORWARDERS)


def test_what_is_nobodys_here_is_refused_without_forwarders_and_asked_for_with_them(net: Net) -> None:
    network, *_ = two(net)
    for name, kind in (("example.org", "A"), (dns.reversename.from_address("192.0.2.1").to_text(), "PTR"), (".", "NS")):
        assert ask(net, network, name, kind).rcode() == dns.rcode.REFUSED
    net = with_forwarders()
    network, *_ = two(net)
    query = dns.message.make_query("Example.org", "A")
    asked = names.reply(net.compiler.world, on(network), query.to_wire(), 1422)
    assert isinstance(asked, Ask) and asked.of == names.ASKED and not asked.what[1]
    passed = dns.message.from_wire(wire.question(asked.what[0]))
    assert passed.question == query.question and passed.flags & dns.flags.RD and passed.edns == 0
    assert ask(net, network, "web").flags & dns.flags.RA and found(ask(net, network, "web")) == ["10.0.0.5"]
    assert ask(net, network, f"nobody.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    assert ask(net, network, "example.org", flags=0).rcode() == dns.rcode.REFUSED       # it wants no recursion


@pytest.mark.parametrize("edns", [False, True])
def test_what_another_resolver_says_comes_as_it_is_if_it_is_an_answer(edns: bool) -> None:
    net = with_forwarders()
    network, *_ = two(net)
    query = dns.message.make_query("example.org", "A", use_edns=edns, payload=1232)
    asked = names.reply(net.compiler.world, on(network), query.to_wire(), 1422)
    assert isinstance(asked, Ask)
    theirs = dns.message.make_response(dns.message.from_wire(wire.question(asked.what[0])), recursion_available=True)
    theirs.answer.append(dns.rrset.from_text("example.org.", 60, "IN", "A", "192.0.2.80"))
    theirs.id = 4711
    told = dns.message.from_wire(asked.then(theirs.to_wire()))
    assert query.is_response(told) and found(told) == ["192.0.2.80"] and (told.edns == 0) == edns
    assert dns.message.from_wire(asked.then(None)).rcode() == dns.rcode.SERVFAIL
    other = dns.message.make_response(dns.message.make_query("example.net", "A"))
    for wrong in (other.to_wire(), b"", b"\0" * 12, query.to_wire()):
        assert dns.message.from_wire(asked.then(wrong)).rcode() == dns.rcode.SERVFAIL
    theirs.answer.append(dns.rrset.from_text("example.org.", 60, "IN", "TXT", *[f'"{number:0200}"' for number in range(9)]))
    long = dns.message.from_wire(asked.then(theirs.to_wire(max_size=65535)))
    assert long.flags & dns.flags.TC and not long.answer and query.is_response(long)


# ---- what may come

def test_edns_is_answered_and_a_version_that_is_not_known_refused(net: Net) -> None:
    network, *_ = two(net)
    answer = ask(net, network, "web", use_edns=0, payload=4096, want_dnssec=True)
    assert answer.edns == 0 and answer.payload == wire.USUAL and found(answer) == ["10.0.0.5"]
    assert ask(net, network, "web").edns == -1
    query = dns.message.make_query("web", "A", use_edns=0)
    query.use_edns(1)
    assert said(net, network, query).rcode() == dns.rcode.BADVERS


def test_many_addresses_are_cut_for_who_takes_little_and_whole_over_tcp(net: Net) -> None:
    network = net.network("net", subnets=("10.0.0.0/16",))
    for start in (1, 33):
        net.port(f"p{start}", dns_name="many", device_id="vm", ip=[f"10.0.1.{number}" for number in range(start, start + 32)])
    cut = ask(net, network, "many")
    assert cut.flags & dns.flags.TC and not cut.answer
    assert len(found(ask(net, network, "many", use_edns=0, payload=1232))) == 64
    assert len(found(said(net, network, dns.message.make_query("many", "A"), None))) == 64


@pytest.mark.parametrize(("change", "code"), [
    ({"opcode": dns.opcode.NOTIFY}, dns.rcode.NOTIMP), ({"opcode": dns.opcode.UPDATE}, dns.rcode.NOTIMP),
    ({"rdclass": "CH"}, dns.rcode.REFUSED), ({"kind": "AXFR"}, dns.rcode.REFUSED), ({"kind": "IXFR"}, dns.rcode.REFUSED)])
def test_other_things_than_questions_for_names_are_refused(net: Net, change: dict[str, Any], code: int) -> None:
    network, *_ = two(net)
    query = dns.message.make_query("web", change.get("kind", "A"), change.get("rdclass", "IN"))
    query.set_opcode(change.get("opcode", dns.opcode.QUERY))
    answer = names.reply(net.compiler.world, on(network), query.to_wire(), 1422)
    assert isinstance(answer, bytes) and answer[3] & 15 == code and answer[:2] == query.to_wire()[:2]


def test_nothing_that_comes_makes_trouble_and_no_answer_is_longer_than_it_may_be(net: Net) -> None:
    network, *_ = two(net)
    chance, world = random.Random(5), net.compiler.world
    good = [dns.message.make_query(name, kind, use_edns=chance.choice((False, True))).to_wire()
            for name in ("web", f"web.{ZONE}", "5.0.0.10.in-addr.arpa", "a.b.c.d", "host-10-0-0-6", "host-x", "x" * 63)
            for kind in ("A", "PTR", "ANY", "OPT")]
    answered = 0
    for _ in range(20_000):
        raw = bytearray(chance.choice(good))
        for _ in range(chance.randint(0, 4)):
            raw[chance.randrange(len(raw))] = chance.choice((0, 1, 63, 64, 192, 255, chance.randrange(256)))
        cut = bytes(raw[:chance.randint(0, len(raw))]) if chance.random() < 0.3 else bytes(raw)
        answer = names.reply(world, on(network), cut, 1422)
        if answer is not None:
            assert isinstance(answer, bytes) and len(answer) <= wire.USUAL and answer[:2] == cut[:2] and answer[2] & 0x80
            answered += 1
    assert answered > 5000
    assert names.reply(world, on(network), dns.message.make_response(dns.message.make_query("web", "A")).to_wire(), 512) is None
