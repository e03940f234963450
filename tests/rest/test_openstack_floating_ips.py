"""The real `openstack` command and openstacksdk lead outside through Hadron."""
import pytest
from openstack import exceptions


@pytest.fixture(scope="module")
def openstack(openstack):
    for name, wire, block in (("ext", "wan", "203.0.113.0/24"), ("ext2", "lan", "198.51.100.0/24")):
        openstack(f"network create --external --provider-network-type flat --provider-physical-network {wire} {name}")
        openstack(f"subnet create --network {name} --subnet-range {block} {name}-sub")
    openstack("network create web")
    openstack("subnet create --network web --subnet-range 10.0.0.0/24 web-sub")
    openstack("port create --network web p")
    return openstack


def test_the_command_leads_a_router_outside(openstack):
    openstack("router create --external-gateway ext --fixed-ip ip-address=203.0.113.9 --disable-snat out")
    info = openstack("router show out")["external_gateway_info"]
    assert (info["enable_snat"], [one["ip_address"] for one in info["external_fixed_ips"]]) == (False, ["203.0.113.9"])
    openstack("router set --external-gateway ext --enable-snat out")
    assert openstack("router show out")["external_gateway_info"]["enable_snat"] is True
    openstack("router set --external-gateway ext --fixed-ip subnet=ext-sub,ip-address=203.0.113.10 out")
    assert openstack("router show out")["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] == "203.0.113.10"
    openstack("router set --external-gateway ext2 out")
    assert openstack("router list --long")[0]["External gateway info"]["network_id"] == openstack("network show ext2")["id"]
    assert "uses it" in openstack.fails("network delete ext2")
    openstack("router unset --external-gateway out")
    assert openstack("router show out")["external_gateway_info"] is None
    assert "is not an external network" in openstack.fails("router set --external-gateway web out")
    openstack("router delete out")


def test_the_command_gives_a_port_a_floating_ip(openstack):
    openstack("router create --external-gateway ext r")
    openstack("router add subnet r web-sub")
    made = openstack("floating ip create --description mine --tag red ext")
    address = made["floating_ip_address"]
    assert (made["description"], made["tags"], made["port_id"], made["status"]) == ("mine", ["red"], None, "DOWN")
    openstack(f"floating ip set --port p --description ours {address}")
    shown = openstack(f"floating ip show {address}")
    assert (shown["fixed_ip_address"], shown["description"]) == (openstack("port show p")["fixed_ips"][0]["ip_address"], "ours")
    assert shown["router_id"] == openstack("router show r")["id"]
    listed = openstack("floating ip list --port p --router r --network ext --long")
    assert [one["Floating IP Address"] for one in listed] == [address]
    assert "already has a floating IP" in openstack.fails("floating ip create --port p ext")
    assert "not reachable" in openstack.fails("floating ip create --port p ext2")
    assert "required by one or more floating IPs" in openstack.fails("router unset --external-gateway r")
    openstack(f"floating ip unset --port {address}")
    assert openstack(f"floating ip show {address}")["port_id"] is None
    other = openstack("floating ip create --port p --fixed-ip-address 10.0.0.2 --subnet ext-sub "
                      "--floating-ip-address 203.0.113.99 ext")
    assert (other["floating_ip_address"], other["fixed_ip_address"]) == ("203.0.113.99", "10.0.0.2")
    openstack(f"floating ip delete {address} 203.0.113.99")
    assert openstack("floating ip list") == []
    openstack("router remove subnet r web-sub")
    openstack("router delete r")


def test_the_command_forwards_ports(openstack):
    openstack("router create --external-gateway ext f")
    openstack("router add subnet f web-sub")
    address = openstack("floating ip create ext")["floating_ip_address"]
    words = "--port p --internal-ip-address 10.0.0.2 --protocol tcp"
    made = openstack(f"floating ip port forwarding create {words} --internal-protocol-port 80 --external-protocol-port 8080 "
                     f"--description web {address}")
    assert (made["internal_port"], made["external_port"], made["protocol"], made["description"]) == (80, 8080, "tcp", "web")
    openstack(f"floating ip port forwarding create {words} --internal-protocol-port 90:95 --external-protocol-port 9090:9095 "
              f"{address}")
    openstack(f"floating ip port forwarding set --external-protocol-port 8081 --protocol udp {address} {made['id']}")
    shown = openstack(f"floating ip port forwarding show {address} {made['id']}")
    assert (shown["external_port"], shown["protocol"]) == (8081, "udp")
    listed = openstack(f"floating ip port forwarding list {address}")
    assert sorted(one["External Port Range"] for one in listed) == ["8081:8081", "9090:9095"]
    assert len(openstack(f"floating ip port forwarding list --external-protocol-port 8081 --protocol udp {address}")) == 1
    assert "in use by Port Forwarding" in openstack.fails(f"floating ip delete {address}")
    openstack(f"floating ip port forwarding delete {address} " + " ".join(one["ID"] for one in listed))
    openstack(f"floating ip delete {address}")
    openstack("router remove subnet f web-sub")
    openstack("router delete f")


def test_the_library_gives_a_port_a_floating_ip_and_forwards_ports(library):
    network = library
    outside = network.create_network(name="library", is_router_external=True, provider_network_type="flat",
                                     provider_physical_network="man")
    network.create_subnet(network_id=outside.id, ip_version=4, cidr="192.0.2.0/24")
    net = network.create_network(name="net")
    subnet = network.create_subnet(network_id=net.id, ip_version=4, cidr="10.0.0.0/24")
    port = network.create_port(network_id=net.id)
    router = network.create_router(external_gateway_info={"network_id": outside.id})
    assert router.external_gateway_info["enable_snat"] is True
    network.add_interface_to_router(router, subnet_id=subnet.id)
    one = network.create_ip(floating_network_id=outside.id, port_id=port.id)
    assert (one.fixed_ip_address, one.router_id, one.port_details["mac_address"]) == (
        "10.0.0.2", router.id, port.mac_address)
    assert network.find_ip(one.floating_ip_address).id == network.get_ip(one.id).id == one.id
    assert [each.id for each in network.ips(port_id=port.id)] == [one.id]
    with pytest.raises(exceptions.ConflictException, match="required by one or more floating IPs"):
        network.update_router(router, external_gateway_info=None)
    assert network.update_ip(one, port_id=None).port_id is None
    made = network.create_floating_ip_port_forwarding(
        one, internal_port_id=port.id, internal_ip_address="10.0.0.2", internal_port=22, external_port=2222, protocol="tcp")
    assert made.external_port == 2222
    changed = network.update_floating_ip_port_forwarding(one, made.id, external_port=2223)
    assert (changed.external_port, network.get_floating_ip_port_forwarding(one, made.id).internal_port) == (2223, 22)
    assert [each.id for each in network.floating_ip_port_forwardings(one)] == [made.id]
    assert network.find_floating_ip_port_forwarding(one, made.id).id == made.id
    network.delete_floating_ip_port_forwarding(one, made.id, ignore_missing=False)
    network.delete_ip(one, ignore_missing=False)
    network.remove_interface_from_router(router, subnet_id=subnet.id)
    network.delete_router(router, ignore_missing=False)
