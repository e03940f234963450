"""Each error that clients know by name comes with its code, its name and a message that says which attribute."""
import pytest

NOBODY = "00000000-0000-0000-0000-00000000dead"


@pytest.fixture(scope="module")
def client(client):
    client.ask("PUT", "/v2.0/quotas/ops", {"quota": {"security_group": -1, "network": -1, "subnet": -1}})
    return client


@pytest.fixture(scope="module")
def things(client):
    """What the requests of the table refer to."""
    network = client.create("network", provider__network_type="vxlan", provider__segmentation_id=9)
    client.create("network", provider__network_type="vlan", provider__physical_network="physnet1", provider__segmentation_id=9)
    client.create("network", provider__network_type="flat", provider__physical_network="physnet1")
    subnet = client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    full = client.create("network")
    client.create("subnet", network_id=full["id"], ip_version=4, cidr="10.5.0.0/30")
    client.create("port", network_id=full["id"])
    group = client.create("security_group", name="used")
    port = client.create("port", network_id=network["id"], security_groups=[group["id"]])
    client.create("security_group_rule", security_group_id=group["id"], direction="ingress", protocol="tcp", port_range_min=22,
                  port_range_max=22)
    default = client.get("/v2.0/security-groups?name=default&project_id=ops")["security_groups"][0]
    client.ask("PUT", "/v2.0/quotas/poor", {"quota": {"network": 0}})
    return {"network": network["id"], "subnet": subnet["id"], "full": full["id"], "group": group["id"], "port": port["id"],
            "mac": port["mac_address"], "ip": port["fixed_ips"][0]["ip_address"], "default": default["id"], "nobody": NOBODY}


def subnet(**more):
    return {"subnet": {"network_id": "{network}", "ip_version": 4, "cidr": "10.9.0.0/24", **more}}


def port(**more):
    return {"port": {"network_id": "{network}", **more}}


def provider(kind, wire=None, key=None):
    given = {"provider:network_type": kind, "provider:physical_network": wire, "provider:segmentation_id": key}
    return {"network": {name: value for name, value in given.items() if value is not None}}


def rule(**more):
    return {"security_group_rule": {"security_group_id": "{group}", "direction": "ingress", **more}}


POOL = {"start": "10.9.0.10", "end": "10.9.0.20"}
TABLE = [
    ("GET", "networks/{nobody}", None, 404, "NetworkNotFound"),
    ("GET", "subnets/{nobody}", None, 404, "SubnetNotFound"),
    ("GET", "ports/{nobody}", None, 404, "PortNotFound"),
    ("GET", "security-groups/{nobody}", None, 404, "SecurityGroupNotFound"),
    ("GET", "security-group-rules/{nobody}", None, 404, "SecurityGroupRuleNotFound"),
    ("POST", "ports", {"port": {"network_id": "{nobody}"}}, 404, "NetworkNotFound"),
    ("POST", "subnets", subnet(network_id="{nobody}"), 404, "NetworkNotFound"),
    ("POST", "ports", port(security_groups=["{nobody}"]), 404, "SecurityGroupNotFound"),
    ("POST", "ports", port(fixed_ips=[{"subnet_id": "{nobody}"}]), 404, "SubnetNotFound"),
    ("DELETE", "networks/{network}", None, 409, "NetworkInUse"),
    ("DELETE", "subnets/{subnet}", None, 409, "SubnetInUse"),
    ("DELETE", "security-groups/{group}", None, 409, "SecurityGroupInUse"),
    ("DELETE", "security-groups/{default}", None, 409, "SecurityGroupInUse"),
    ("PUT", "security-groups/{default}", {"security_group": {"name": "mine"}}, 409, "SecurityGroupCannotUpdateDefault"),
    ("POST", "security-groups", {"security_group": {"name": "default"}}, 409, "SecurityGroupDefaultAlreadyExists"),
    ("POST", "ports", port(mac_address="{mac}"), 409, "MacAddressInUse"),
    ("POST", "ports", port(fixed_ips=[{"ip_address": "{ip}"}]), 409, "IpAddressInUse"),
    ("POST", "ports", {"port": {"network_id": "{full}"}}, 409, "IpAddressGenerationFailure"),
    ("POST", "ports", port(fixed_ips=[{"subnet_id": "{subnet}", "ip_address": "192.0.2.1"}]), 400, "InvalidIpForSubnet"),
    ("POST", "ports", port(fixed_ips=[{"ip_address": "192.0.2.1"}]), 400, "InvalidIpForNetwork"),
    ("POST", "networks", {"network": {"provider:network_type": "vxlan", "provider:segmentation_id": 9}}, 409, "TunnelIdInUse"),
    ("POST", "networks", provider("vlan", "physnet1", 9), 409, "VlanIdInUse"),
    ("POST", "networks", provider("vlan", "physnet1", 4095), 400, "InvalidInput"),
    ("POST", "networks", provider("vlan", "physnet1"), 400, "InvalidInput"),
    ("POST", "networks", provider("vlan"), 400, "InvalidInput"),
    ("POST", "networks", provider("flat", "physnet1"), 409, "FlatNetworkInUse"),
    ("POST", "networks", provider("flat", "physnet2", 9), 400, "InvalidInput"),
    ("POST", "networks", provider("vxlan", "physnet1"), 400, "InvalidInput"),
    ("POST", "networks", {"network": {"project_id": "poor"}}, 409, "OverQuota"),
    ("POST", "subnets", subnet(allocation_pools=[{"start": "10.9.0.9", "end": "10.9.0.2"}]), 400, "InvalidAllocationPool"),
    ("POST", "subnets", subnet(allocation_pools=[{"start": "10.8.0.1", "end": "10.8.0.9"}]), 400, "OutOfBoundsAllocationPool"),
    ("POST", "subnets", subnet(allocation_pools=[POOL, POOL | {"start": "10.9.0.15"}]), 409, "OverlappingAllocationPools"),
    ("POST", "subnets", subnet(gateway_ip="10.9.0.15", allocation_pools=[POOL]), 409, "GatewayConflictWithAllocationPools"),
    ("POST", "subnets", subnet(cidr="10.0.0.128/25"), 400, "InvalidInput"),
    ("POST", "subnets", subnet(gateway_ip="fd00::1"), 400, "InvalidInput"),
    ("POST", "subnets", subnet(ip_version=6), 400, "InvalidInput"),
    ("POST", "security-group-rules", rule(protocol="tcp", port_range_min=22, port_range_max=22), 409, "SecurityGroupRuleExists"),
    ("POST", "security-group-rules", rule(protocol="tcp", port_range_min=9, port_range_max=2), 400, "SecurityGroupInvalidPortRange"),
    ("POST", "security-group-rules", rule(port_range_min=9, port_range_max=9), 400, "SecurityGroupProtocolRequiredWithPorts"),
    ("POST", "security-group-rules", rule(protocol="icmp", port_range_max=3), 400, "SecurityGroupMissingIcmpType"),
    ("POST", "security-group-rules", rule(remote_ip_prefix="10.0.0.0/8", remote_group_id="{group}"), 400,
     "SecurityGroupMultipleRemoteEntites"),
    ("POST", "security-group-rules", rule(ethertype="IPv6", remote_ip_prefix="10.0.0.0/8"), 400, "SecurityGroupRuleParameterConflict"),
    ("POST", "security-group-rules", rule(protocol="112", port_range_min=1, port_range_max=2), 400, "SecurityGroupInvalidProtocolForPort"),
    ("POST", "ports", port(port_security_enabled=False, security_groups=["{group}"]), 409, "PortSecurityAndIPRequiredForSecurityGroups"),
    ("POST", "networks", {"network": {"nonsense": 1}}, 400, "InvalidInput"),
    ("POST", "networks", {"network": {"provider:network_type": "local"}}, 501, "NotImplemented"),
    ("GET", "networks?nonsense=1", None, 400, "HTTPBadRequest"),
    ("GET", "nothing", None, 404, "HTTPNotFound"),
    ("PATCH", "networks", None, 405, "HTTPMethodNotAllowed"),
    ("GET", "extensions/nothing", None, 404, "ExtensionNotFound"),
    ("DELETE", "networks/{network}/tags/none", None, 404, "TagNotFound"),
    ("DELETE", "quotas/nobody", None, 404, "TenantQuotaNotFound"),
]


def filled(value, things):
    """The value with what stands in braces replaced."""
    if isinstance(value, dict):
        return {name: filled(one, things) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, things) for one in value]
    return value.format(**things) if isinstance(value, str) else value


@pytest.mark.parametrize("method, path, body, status, name", TABLE, ids=[f"{one[4]} {one[0]} {one[1]}" for one in TABLE])
def test_an_error_has_its_code_and_name(client, things, method, path, body, status, name):
    answer = client.ask(method, f"/v2.0/{filled(path, things)}", filled(body, things))
    assert (answer.status, answer.error["type"]) == (status, name), answer.error
    assert set(answer.error) == {"type", "message", "detail"} and answer.error["detail"] == ""
    assert len(answer.error["message"]) > 10
