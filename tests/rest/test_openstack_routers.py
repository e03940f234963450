"""The real `openstack` command and openstacksdk build routers through Hadron."""
import pytest
from openstack import exceptions


def test_the_command_builds_a_router(openstack):
    for name, block in (("web", "10.0.0.0/24"), ("db", "10.1.0.0/24")):
        openstack(f"network create {name}")
        openstack(f"subnet create --network {name} --subnet-range {block} {name}-sub")
    made = openstack("router create --description first --tag red r")
    assert (made["status"], made["description"], made["routes"], made["distributed"]) == ("ACTIVE", "first", [], True)
    openstack("router add subnet r web-sub")
    port = openstack("port create --network db p")["id"]
    openstack("router add port r p")
    openstack("router add route r --route destination=10.9.0.0/16,gateway=10.0.0.9")
    openstack("router set --name r2 --disable --route destination=10.8.0.0/16,gateway=10.0.0.9 r")
    shown = openstack("router show r2")
    assert {one["ip_address"] for one in shown["interfaces_info"]} == {"10.0.0.1", "10.1.0.2"}
    assert {one["destination"] for one in shown["routes"]} == {"10.8.0.0/16", "10.9.0.0/16"}
    assert shown["admin_state_up"] is False
    openstack("router unset --route destination=10.8.0.0/16,gateway=10.0.0.9 --tag red r2")
    openstack("router remove route r2 --route destination=10.9.0.0/16,gateway=10.0.0.9")
    listed = openstack("router list --long")
    assert [(one["Name"], one["Routes"], one["Tags"]) for one in listed] == [("r2", [], [])]
    assert "still has ports" in openstack.fails("router delete r2")
    assert port in [one["ID"] for one in openstack("port list --router r2")]
    assert "overlaps" in openstack.fails("router add subnet r2 " + openstack(
        "subnet create --network web --subnet-range 10.1.0.0/16 wide")["id"])
    openstack("router remove subnet r2 web-sub")
    openstack("router remove port r2 p")
    assert "is not an external network" in openstack.fails("router set --external-gateway web r2")
    openstack("router delete r2")
    assert openstack("router list") == []


def test_the_library_builds_a_router(library):
    network = library
    net = network.create_network(name="net")
    one, six = (network.create_subnet(network_id=net.id, ip_version=version, cidr=cidr)
                for version, cidr in ((4, "10.0.0.0/24"), (6, "fd00::/64")))
    router = network.create_router(name="r", description="sdk")
    assert (router.status, router.is_admin_state_up, router.routes) == ("ACTIVE", True, [])
    answer = network.add_interface_to_router(router, subnet=one.id)
    assert (answer["subnet_ids"], answer["network_id"]) == ([one.id], net.id)
    port = network.create_port(network_id=net.id, fixed_ips=[{"subnet_id": six.id}])
    network.add_interface_to_router(router, port=port.id)
    assert {each.device_id for each in network.ports(device_owner="network:router_interface")} == {router.id}
    routes = [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]
    network.add_extra_routes_to_router(router, {"router": {"routes": routes}})
    assert network.find_router("r").routes == network.get_router(router.id).routes == routes
    with pytest.raises(exceptions.ConflictException, match="required by one or more routes"):
        network.remove_interface_from_router(router, subnet=one.id)
    network.remove_extra_routes_from_router(router, {"router": {"routes": routes}})
    assert network.update_router(router, routes=routes, is_admin_state_up=False).routes == routes
    assert network.update_router(router, routes=[]).routes == []
    with pytest.raises(exceptions.ConflictException, match="cannot be deleted directly via the port API"):
        network.delete_port(port)
    network.remove_interface_from_router(router, port=port.id)
    network.remove_interface_from_router(router, subnet=one.id)
    network.delete_router(router, ignore_missing=False)
    assert list(network.routers()) == []
