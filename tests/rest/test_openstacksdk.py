"""openstacksdk, the library that Nova, Ansible and Terraform's relatives use, manages networks through Hadron."""
import pytest
from openstack import exceptions

from tests.kit.openstack import connection
from tests.kit.served import TOKENS, served


def test_a_tenants_first_day(library):
    network = library
    net = network.create_network(name="net", mtu=1400, description="sdk")
    four = network.create_subnet(network_id=net.id, ip_version=4, cidr="10.0.0.0/24", dns_nameservers=["9.9.9.9"])
    six = network.create_subnet(network_id=net.id, ip_version=6, cidr="fd00::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    group = network.create_security_group(name="web")
    rule = network.create_security_group_rule(security_group_id=group.id, direction="ingress", protocol="tcp",
                                              port_range_min=443, port_range_max=443)
    port = network.create_port(network_id=net.id, security_group_ids=[group.id], binding_host_id="h1",
                               fixed_ips=[{"subnet_id": four.id}, {"subnet_id": six.id}])
    assert {one["subnet_id"] for one in port.fixed_ips} == {four.id, six.id}
    assert (port.binding_vif_type, port.status, port.is_port_security_enabled) == ("ovs", "DOWN", True)
    assert network.find_network("net").id == network.get_network(net.id).id == net.id
    assert set(network.get_network(net.id).subnet_ids) == {four.id, six.id}
    assert [one.id for one in network.ports(network_id=net.id)] == [port.id]
    assert [one.id for one in network.ports(fixed_ips=[f"ip_address={port.fixed_ips[0]['ip_address']}"])] == [port.id]
    assert network.update_port(port, name="renamed", is_admin_state_up=False).is_admin_state_up is False
    assert network.find_port("renamed").id == port.id
    with pytest.raises(exceptions.ConflictException):
        network.delete_network(net.id)
    for delete, one in ((network.delete_port, port), (network.delete_security_group_rule, rule),
                        (network.delete_security_group, group), (network.delete_subnet, four), (network.delete_network, net)):
        delete(one, ignore_missing=False)
    assert network.find_network("net") is None


def test_bulk_tags_and_revisions(library):
    network = library
    nets = [network.create_network(name="bulk") for _ in range(2)]
    ports = list(network.create_ports([{"network_id": nets[0].id, "name": f"p{number}"} for number in range(5)]))
    assert sorted(port.name for port in ports) == [f"p{number}" for number in range(5)]
    tagged = network.set_tags(ports[0], ["red", "blue"])
    assert [one.id for one in network.ports(tags="red,blue")] == [tagged.id]
    assert {one.id for one in network.ports(network_id=nets[0].id, not_any_tags="red")} == {one.id for one in ports[1:]}
    changed = network.update_network(nets[1].id, description="a", if_revision=0)
    with pytest.raises(exceptions.PreconditionFailedException):
        network.update_network(nets[1].id, description="b", if_revision=0)
    assert network.get_network(nets[1].id).description == changed.description == "a"


def test_pages_extensions_quotas_and_errors(library):
    network = library
    net = network.create_network(name="paged")
    list(network.create_ports([{"network_id": net.id} for _ in range(25)]))
    assert len({one.id for one in network.ports(network_id=net.id, limit=4)}) == 25
    assert network.find_extension("sorting").alias == "sorting"
    assert network.update_quota("someone", networks=3).networks == 3
    assert network.get_quota("someone", details=True).networks == {"limit": 3, "used": 0, "reserved": 0}
    assert network.get_quota_default("someone").networks == 100
    network.delete_quota("someone")
    assert network.get_quota("someone").networks == 100
    with pytest.raises(exceptions.BadRequestException, match="cidr"):
        network.create_subnet(network_id=net.id, ip_version=4, cidr="nonsense")
    with pytest.raises(exceptions.NotFoundException):
        network.get_network("00000000-0000-0000-0000-000000000000")


def test_a_token_says_who_asks():
    with served(tokens=True) as api:
        ann, bob = connection(api.url, TOKENS["ann"]), connection(api.url, TOKENS["bob"])
        net = ann.network.create_network(name="anns")
        assert net.project_id == "one"
        assert bob.network.find_network("anns") is None
        with pytest.raises(exceptions.NotFoundException):
            bob.network.get_network(net.id)
        with pytest.raises(exceptions.ForbiddenException):
            connection(api.url, TOKENS["rob"]).network.delete_network(net.id, ignore_missing=False)
