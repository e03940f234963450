"""Ports as clients of Neutron know them: MAC, security, binding, DHCP options."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Forbidden, Invalid, Missing, Unsupported
from tests.kit.worlds import ADMIN, ANN, MIA, World, refused


def ips(port: Any) -> list[str]:
    return [fixed.ip_address for fixed in port.fixed_ips]


@pytest.fixture
def network(world: World) -> Any:
    return world.network("10.0.0.0/24")


# ---- MAC

def test_a_mac_is_made_of_the_base_and_the_ports_number(world: World, network: Any) -> None:
    made = [world.make("port", network_id=network.id) for _ in range(3)]
    assert [one.mac_address for one in made] == ["fa:16:3e:00:00:10", "fa:16:3e:00:00:11", "fa:16:3e:00:00:12"]
    other = World(settings={"base_mac": "02:00:5e:00:00:00"})
    assert other.make("port", network_id=other.make("network").id).mac_address == "02:00:5e:00:00:10"


def test_a_mac_is_unique_on_its_network(world: World, network: Any) -> None:
    world.make("port", network_id=network.id, mac_address="FA-16-3E-00-00-11")
    with refused("MacAddressInUse"):
        world.make("port", network_id=network.id, mac_address="fa:16:3e:00:00:11")
    second = world.make("port", network_id=network.id)
    assert second.mac_address not in ("fa:16:3e:00:00:11",)
    with refused("MacAddressInUse"):
        world.change(second, MIA, mac_address="fa:16:3e:00:00:11")
    assert world.make("port", network_id=world.make("network").id, mac_address="fa:16:3e:00:00:11")


def test_the_mac_of_a_bound_port_stays(world: World, network: Any) -> None:
    port = world.make("port", ADMIN, network_id=network.id, binding__host_id="host1")
    with refused("PortBound"):
        world.change(port, ADMIN, mac_address="fa:16:3e:00:aa:aa")
    world.change(port, ADMIN, mac_address=port.mac_address)
    moved = world.change(port, ADMIN, mac_address="fa:16:3e:00:aa:aa", binding__host_id="host2")
    assert moved.mac_address == "fa:16:3e:00:aa:aa"


# ---- security

def test_a_port_is_in_its_projects_default_group_unless_it_says_otherwise(world: World, network: Any) -> None:
    port = world.make("port", network_id=network.id)
    default = world.model.find("security_group", "project_id+name", (ANN.project_id, "default"))[0]
    assert port.security_groups == (default.id,)
    assert world.make("port", network_id=network.id, security_groups=None).security_groups == (default.id,)
    assert world.make("port", network_id=network.id, security_groups=[]).security_groups == ()
    web = world.make("security_group", name="web")
    assert world.change(port, security_groups=[web.id]).security_groups == (web.id,)
    assert world.change(port, security_groups=None).security_groups == (default.id,)
    with pytest.raises(Missing, match="Security group"):
        world.change(port, security_groups=["deadbeef-0000-4000-8000-000000000000"])


def test_without_port_security_there_are_neither_groups_nor_pairs(world: World, network: Any) -> None:
    free = world.make("port", network_id=network.id, port_security_enabled=False)
    assert free.security_groups == ()
    pair = [{"ip_address": "10.0.0.77"}]
    group = [world.make("security_group").id]
    with refused("PortSecurityAndIPRequiredForSecurityGroups"):
        world.make("port", network_id=network.id, port_security_enabled=False, security_groups=group)
    with refused("PortSecurityAndIPRequiredForSecurityGroups"):
        world.change(free, security_groups=group)
    with refused("AddressPairAndPortSecurityRequired"):
        world.make("port", network_id=network.id, port_security_enabled=False, allowed_address_pairs=pair)
    guarded = world.make("port", network_id=network.id, allowed_address_pairs=pair)
    with refused("PortSecurityPortHasSecurityGroup"):
        world.change(guarded, port_security_enabled=False)
    with refused("AddressPairAndPortSecurityRequired"):
        world.change(guarded, port_security_enabled=False, security_groups=[])
    assert world.change(guarded, port_security_enabled=False, security_groups=[], allowed_address_pairs=[])
    assert world.change(free, port_security_enabled=True, security_groups=group).security_groups == tuple(group)


def test_a_network_decides_for_ports_that_do_not_say(world: World) -> None:
    network = world.make("network", port_security_enabled=False)
    assert not world.make("port", network_id=network.id).port_security_enabled
    assert world.make("port", network_id=network.id, port_security_enabled=True).security_groups


def test_stateful_and_stateless_groups_do_not_mix(world: World, network: Any) -> None:
    groups = [world.make("security_group", stateful=stateful).id for stateful in (True, False)]
    with refused("SecurityGroupConflict"):
        world.make("port", network_id=network.id, security_groups=groups)
    port = world.make("port", network_id=network.id, security_groups=groups[:1])
    with refused("SecurityGroupConflict"):
        world.change(port, security_groups=groups)
    assert world.change(port, security_groups=groups[1:])


def test_address_pairs_have_the_ports_mac_unless_they_say_otherwise(world: World, network: Any) -> None:
    port = world.make("port", network_id=network.id, mac_address="fa:16:3e:00:00:01", allowed_address_pairs=[
        {"ip_address": "10.0.0.77"}, {"ip_address": "10.9.0.0/16", "mac_address": "00:00:5E:00:01:01"}])
    assert [(pair.ip_address, pair.mac_address) for pair in port.allowed_address_pairs] == [
        ("10.0.0.77", "fa:16:3e:00:00:01"), ("10.9.0.0/16", "00:00:5e:00:01:01")]
    changed = world.change(port, MIA, mac_address="fa:16:3e:00:00:02")
    assert [pair.mac_address for pair in changed.allowed_address_pairs] == ["fa:16:3e:00:00:02", "00:00:5e:00:01:01"]
    assert world.change(port, allowed_address_pairs=None).allowed_address_pairs == ()


@pytest.mark.parametrize("pairs", [
    [{"ip_address": "10.0.0.7"}, {"ip_address": "10.0.0.7"}], [{"ip_address": f"10.0.0.{n}"} for n in range(1, 12)],
    [{"ip_address": "224.0.0.5"}], [{"ip_address": "ff02::5"}], [{"mac_address": "fa:16:3e:00:00:01"}],
    [{"ip_address": "10.0.0.7", "mac_address": "01:00:5e:00:00:01"}], [{"ip_address": "10.0.0.7", "colour": "red"}]])
def test_wrong_address_pairs_are_refused(world: World, network: Any, pairs: list) -> None:
    with pytest.raises(Invalid, match="^allowed_address_pairs"):
        world.make("port", network_id=network.id, allowed_address_pairs=pairs)


def test_a_pair_given_with_and_without_the_ports_mac_is_the_same_pair(world: World, network: Any) -> None:
    with refused("DuplicateAddressPairInRequest"):
        world.make("port", network_id=network.id, mac_address="fa:16:3e:00:00:01", allowed_address_pairs=[
            {"ip_address": "10.0.0.7"}, {"ip_address": "10.0.0.7", "mac_address": "fa:16:3e:00:00:01"}])


def test_owners_that_stand_for_services_are_for_administrators(world: World, network: Any) -> None:
    with pytest.raises(Forbidden, match="device_owner"):
        world.make("port", network_id=network.id, device_owner="network:dhcp")
    port = world.make("port", network_id=network.id, device_owner="compute:nova", device_id="vm1")
    with pytest.raises(Forbidden, match="device_owner"):
        world.change(port, device_owner="network:router_interface")
    assert world.change(port, ADMIN, device_owner="network:dhcp").device_owner == "network:dhcp"


# ---- binding

def test_a_bound_port_tells_how_it_is_plugged_in(world: World, network: Any) -> None:
    port = world.make("port", network_id=network.id)
    assert world.show(port, ADMIN)["binding:vif_type"] == "unbound" and "binding:vif_type" not in world.show(port)
    world.change(port, ADMIN, binding__host_id="host1", binding__profile={"a": [1]})
    shown = world.show(port, ADMIN)
    assert shown["binding:vif_type"] == "ovs" and shown["binding:profile"] == {"a": (1,)}
    assert shown["binding:vif_details"] == {"port_filter": True, "ovs_hybrid_plug": False, "connectivity": "l2",
                                            "bridge_name": "br-int", "datapath_type": "system"}
    world.writer.learn([("host", {"id": "h1", "hostname": "host1", "datapath_types": ["netdev"]})])
    assert world.show(port, ADMIN)["binding:vif_details"]["datapath_type"] == "netdev"
    world.change(port, ADMIN, binding__host_id=None, binding__profile=None)
    assert world.show(port, ADMIN)["binding:vif_type"] == "unbound" and world.show(port, ADMIN)["binding:profile"] == {}
    with pytest.raises(Invalid, match="^binding:profile: must not be longer"):
        world.change(port, ADMIN, binding__profile={"a": "x" * 5000})


@pytest.mark.parametrize("attributes", [
    {"binding__vnic_type": "direct"},
    {"device_profile": "gpu"}, {"trusted": True}, {"propagate_uplink_status": False}])
def test_what_is_not_served_is_refused_by_name(world: World, network: Any, attributes: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match=f"^{next(iter(attributes)).replace('__', ':')}"):
        world.make("port", ADMIN, network_id=network.id, **attributes)


def test_the_status_is_what_the_running_controller_says(world: World, network: Any) -> None:
    port = world.make("port", network_id=network.id)
    assert world.show(port)["status"] == "DOWN"
    world.model.live["port.status"] = lambda row: "ACTIVE" if row.id == port.id else "BUILD"
    assert world.show(port)["status"] == "ACTIVE"


# ---- DHCP options

def test_options_are_replaced_removed_and_kept(world: World, network: Any) -> None:
    def options(port: Any) -> dict[str, str]:
        return {option.opt_name: option.opt_value for option in port.extra_dhcp_opts}

    port = world.make("port", network_id=network.id, extra_dhcp_opts=[
        {"opt_name": "bootfile-name", "opt_value": "a"}, {"opt_name": "mtu", "opt_value": None, "ip_version": 4},
        {"opt_name": "tftp-server", "opt_value": "10.0.0.1", "ip_version": "4"}])
    assert options(port) == {"bootfile-name": "a", "tftp-server": "10.0.0.1"}
    changed = world.change(port, extra_dhcp_opts=[{"opt_name": "bootfile-name", "opt_value": "b"},
                                                  {"opt_name": "tftp-server", "opt_value": None}])
    assert options(changed) == {"bootfile-name": "b"}
    assert options(world.change(port, extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1400"}])) == {
        "bootfile-name": "b", "mtu": "1400"}
    assert options(world.change(port, extra_dhcp_opts=None)) == {"bootfile-name": "b", "mtu": "1400"}


@pytest.mark.parametrize("option", [
    {"opt_name": "bootfile-name", "opt_value": "a\ndhcp-option=6,6.6.6.6"}, {"opt_name": "mtu\n", "opt_value": "1400"},
    {"opt_name": "bootfile-name", "opt_value": "a\0b"}, {"opt_name": "bootfile-name", "opt_value": "a\rb"},
    {"opt_name": "no-such-option", "opt_value": "1"}, {"opt_name": "mtu", "opt_value": "many"},
    {"opt_name": "server-id", "opt_value": "10.0.0.1"}, {"opt_name": "bootfile-name", "opt_value": ""},
    {"opt_name": "x" * 65, "opt_value": "1"}, {"opt_name": "bootfile-name", "opt_value": "x" * 256},
    {"opt_name": "bootfile-name"}, {"opt_value": "1"}, {"opt_name": "mtu", "opt_value": "1400", "ip_version": 5}])
def test_options_that_could_not_be_sent_are_refused(world: World, network: Any, option: dict) -> None:
    with pytest.raises(Invalid, match="^extra_dhcp_opts"):
        world.make("port", network_id=network.id, extra_dhcp_opts=[option])


def test_options_for_ipv6_are_those_of_dhcpv6(world: World, network: Any) -> None:
    wanted = [{"opt_name": "dns-server", "opt_value": "fd00::1", "ip_version": 6},
              {"opt_name": "dns-server", "opt_value": "10.0.0.1", "ip_version": 4}]
    port = world.make("port", network_id=network.id, extra_dhcp_opts=wanted)
    assert list(port.extra_dhcp_opts) == wanted
    for wrong in ({"opt_name": "mtu", "opt_value": "1400"}, {"opt_name": "dns-server", "opt_value": "10.0.0.1"},
                  {"opt_name": "server-id", "opt_value": "00:01"}):
        with pytest.raises(Invalid, match="^extra_dhcp_opts"):
            world.make("port", network_id=network.id, extra_dhcp_opts=[{**wrong, "ip_version": 6}])


def test_one_option_twice_is_refused(world: World, network: Any) -> None:
    with pytest.raises(Invalid, match="mtu is there twice"):
        world.make("port", network_id=network.id, extra_dhcp_opts=[
            {"opt_name": "mtu", "opt_value": "1400"}, {"opt_name": "mtu", "opt_value": "1300"}])


def test_a_conflict_names_who_is_in_the_way(world: World, network: Any) -> None:
    port = world.make("port", network_id=network.id)
    with pytest.raises(Conflict, match=port.id):
        world.make("port", network_id=network.id, fixed_ips=[{"ip_address": ips(port)[0]}])
