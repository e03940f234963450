"""The real `openstack` command manages networks through Hadron, without authentication and with a token."""
import json
import subprocess
import sys
from pathlib import Path

from tests.kit.openstack import Openstack
from tests.kit.served import TOKENS, served


def test_networks_and_subnets(openstack):
    made = openstack("network create --mtu 1400 --description first --tag red net1")
    assert (made["mtu"], made["description"], made["status"], made["project_id"]) == (1400, "first", "ACTIVE", "ops")
    openstack("network set --name net2 --tag blue net1")
    openstack("network unset --tag red net2")
    shown = openstack("network show net2")
    assert (shown["id"], shown["tags"]) == (made["id"], ["blue"])
    assert [one["Name"] for one in openstack("network list --tags blue --long")] == ["net2"]
    assert openstack("network list --name nothing") == []

    four = openstack("subnet create --network net2 --subnet-range 10.0.0.0/24 --dns-nameserver 9.9.9.9 "
                     "--allocation-pool start=10.0.0.10,end=10.0.0.20 --host-route destination=10.9.0.0/16,gateway=10.0.0.1 sub4")
    assert (four["gateway_ip"], four["allocation_pools"]) == ("10.0.0.1", [{"start": "10.0.0.10", "end": "10.0.0.20"}])
    six = openstack("subnet create --network net2 --ip-version 6 --subnet-range fd00::/64 --ipv6-ra-mode slaac "
                    "--ipv6-address-mode slaac sub6")
    openstack("subnet set --dns-nameserver 9.9.9.10 --name sub44 --no-dhcp sub4")
    openstack("subnet unset --dns-nameserver 9.9.9.9 --host-route destination=10.9.0.0/16,gateway=10.0.0.1 sub44")
    shown = openstack("subnet show sub44")
    assert (shown["dns_nameservers"], shown["host_routes"], shown["enable_dhcp"]) == (["9.9.9.10"], [], False)
    assert {one["ID"] for one in openstack("subnet list --network net2")} == {four["id"], six["id"]}
    assert set(openstack("network show net2")["subnets"]) == {four["id"], six["id"]}
    assert "in use" in openstack.fails("network create --provider-network-type vxlan --provider-segment "
                                       f"{openstack('network show net2')['provider:segmentation_id']} twice")
    openstack("subnet delete sub44 sub6")
    openstack("network delete net2")
    assert "net2" in openstack.fails("network show net2")


def test_networks_on_a_physical_network(openstack):
    made = openstack("network create --provider-network-type vlan --provider-physical-network physnet1 --provider-segment 101 "
                     "--external --share vlan101")
    assert (made["provider:network_type"], made["provider:physical_network"], made["provider:segmentation_id"]) == \
        ("vlan", "physnet1", 101)
    assert (made["router:external"], made["shared"], made["mtu"]) == (True, True, 1500)
    openstack("network create --provider-network-type flat --provider-physical-network physnet1 flat1")
    found = openstack("network list --external")
    assert [one["ID"] for one in found] == [made["id"]]
    assert [one["Name"] for one in openstack("network list --provider-physical-network physnet1 --internal")] == ["flat1"]
    assert [one["Name"] for one in openstack("network list --provider-segment 101")] == ["vlan101"]
    openstack("network set --internal vlan101")
    assert openstack("network show vlan101")["router:external"] is False
    assert "is in use" in openstack.fails("network create --provider-network-type vlan --provider-physical-network physnet1 "
                                          "--provider-segment 101 twice")
    openstack("network delete vlan101 flat1")


def test_ports(openstack):
    openstack("network create net")
    openstack("subnet create --network net --subnet-range 10.1.0.0/24 sub")
    group = openstack("security group create group")
    port = openstack("port create --network net --fixed-ip subnet=sub,ip-address=10.1.0.9 --security-group group --host h1 "
                     "--device vm1 --device-owner compute:nova --allowed-address ip-address=10.9.0.1 "
                     "--extra-dhcp-option name=bootfile-name,value=pxe --tag web port1")
    assert port["fixed_ips"][0]["ip_address"] == "10.1.0.9" and port["security_group_ids"] == [group["id"]]
    assert (port["binding_host_id"], port["binding_vif_type"], port["status"]) == ("h1", "ovs", "DOWN")
    assert port["allowed_address_pairs"][0]["ip_address"] == "10.9.0.1" and port["tags"] == ["web"]
    assert [one["ID"] for one in openstack("port list --network net --fixed-ip ip-address=10.1.0.9 --long")] == [port["id"]]
    assert [one["ID"] for one in openstack("port list --fixed-ip subnet=sub --device-owner compute:nova --host h1")] == [port["id"]]
    assert openstack("port list --fixed-ip ip-substring=9.9.9") == []
    openstack("port set --name port2 --disable --no-security-group --no-fixed-ip --fixed-ip ip-address=10.1.0.10 port1")
    shown = openstack("port show port2")
    assert (shown["admin_state_up"], shown["security_group_ids"], shown["fixed_ips"][0]["ip_address"]) == (False, [], "10.1.0.10")
    openstack("port set --security-group group port2")
    openstack(f"port unset --security-group group --tag web --host "
              f"--allowed-address ip-address=10.9.0.1,mac-address={shown['mac_address']} port2")
    shown = openstack("port show port2")
    assert (shown["security_group_ids"], shown["allowed_address_pairs"], shown["tags"]) == ([], [], [])
    assert "Conflict" in openstack.fails("network delete net") or "in use" in openstack.fails("network delete net")
    openstack("port delete port2")
    openstack("network delete net")


def test_security_groups_and_rules(openstack):
    group = openstack("security group create --description web --stateless web")
    assert group["stateful"] is False
    rule = openstack("security group rule create --protocol tcp --dst-port 80:81 --remote-ip 10.0.0.0/8 --ingress web")
    assert (rule["port_range_min"], rule["port_range_max"], rule["ether_type"]) == (80, 81, "IPv4")
    ping = openstack("security group rule create --protocol icmp --icmp-type 8 --icmp-code 0 --remote-group web web")
    other = openstack("security group rule create --protocol 112 --ethertype IPv6 --egress --description vrrp web")
    assert other["protocol"] == "112"
    listed = {one["ID"] for one in openstack("security group rule list --long web")}
    assert {rule["id"], ping["id"], other["id"]} < listed and len(listed) == 5
    assert openstack(f"security group rule show {rule['id']}")["remote_ip_prefix"] == "10.0.0.0/8"
    openstack("security group set --name web2 --description changed --tag red web")
    shown = openstack("security group show web2")
    assert (shown["description"], shown["tags"]) == ("changed", ["red"])
    openstack("security group unset --tag red web2")
    openstack(f"security group rule delete {rule['id']} {ping['id']}")
    assert "web2" in [one["Name"] for one in openstack("security group list")]
    openstack("security group delete web2")
    assert "web2" not in [one["Name"] for one in openstack("security group list")]


def test_projects_quotas_and_extensions(openstack):
    assert openstack("network create --project lab labnet")["project_id"] == "lab"
    assert [one["Name"] for one in openstack("network list --project lab")] == ["labnet"]
    assert "pagination" in [one["Alias"] for one in openstack("extension list --network")]
    assert openstack("extension show tag-creation")["alias"] == "tag-creation"


def test_a_token_says_who_asks():
    with served(tokens=True) as api:
        ann = Openstack.by_token(api.url, TOKENS["ann"])
        bob = Openstack.by_token(api.url, TOKENS["bob"])
        rob = Openstack.by_token(api.url, TOKENS["rob"])
        stranger = Openstack.by_token(api.url, "no-such-token")
        assert ann("network create anns")["project_id"] == "one"
        assert [one["Name"] for one in rob("network list")] == ["anns"]
        assert bob("network list") == []
        assert "do not allow to delete" in rob.fails("network delete anns")
        assert "401" in stranger.fails("network list") or "authentication" in stranger.fails("network list")


def test_the_command_as_it_is_installed_does_the_same(api):
    command = [str(Path(sys.executable).with_name("openstack")), "--os-endpoint", api.url, "--os-auth-type", "none"]
    done = subprocess.run([*command, "network", "create", "net", "-f", "json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "net"
