"""The calls that oVirt's engine makes to an external network provider: its order, its headers, its bytes.

As its sources make them (BaseNetworkProviderProxy and openstack-java-sdk over RESTEasy and Apache's HttpClient): JSON as
Jackson indents it, what is null left out but for the groups of a port that is changed, paths with two slashes where
the library joins them so.
"""
from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.rest.devstack import PASSWORD, Devstack, devstack

HEADERS = ("Accept: application/json", "X-Auth-Token: {token}", "Content-Type: application/json", "Content-Length: {length}",
           "Host: {host}", "Connection: Keep-Alive", "User-Agent: Apache-HttpClient/4.5.13 (Java/11.0.20)")
OWNER = "oVirt"
NIC = "0e6a1dbb-2e7a-4b2c-9ad1-0a5c1f0b7c11"


def jackson(value: Any, depth: int = 0) -> str:
    """JSON as Jackson's default pretty printer writes it."""
    if isinstance(value, dict):
        inner = "  " * (depth + 1)
        said = (f'{inner}{json.dumps(name)} : {jackson(one, depth + 1)}' for name, one in value.items())
        return "{\n" + ",\n".join(said) + "\n" + "  " * depth + "}"
    if isinstance(value, list):
        return f"[ {', '.join(jackson(one, depth) for one in value)} ]" if value else "[ ]"
    return json.dumps(value)


class Connection:
    """One kept connection of the engine's."""

    def __init__(self, port: int) -> None:
        self._host = f"127.0.0.1:{port}"
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._stream = self._socket.makefile("rb")
        self.token = ""

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of the answer to one request."""
        data = b"" if body is None else jackson(body).encode()
        lines = [line.format(token=self.token, length=len(data), host=self._host) for line in HEADERS
                 if not (line.startswith("Content-") and body is None or line.startswith("X-") and not self.token)]
        self._socket.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + data)
        status = int(self._stream.readline().split()[1])
        headers = {}
        while line := self._stream.readline().strip().decode():
            name, _, text = line.partition(":")
            headers[name.lower()] = text.strip()
        said = self._stream.read(int(headers.get("content-length", 0)))
        return status, headers, json.loads(said) if said else None

    def right(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer with one of the codes that the library takes for success."""
        status, _, said = self.ask(method, path, body)
        assert status in (200, 201, 202, 204), (method, path, status, said)
        return said

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def by_tenant(identity: Connection) -> str:
    """KeystoneTokenProvider: a token without a tenant, the tenants, then a token for one."""
    unscoped = identity.right("POST", "/v2.0//tokens", {"auth": {"passwordCredentials": {
        "username": "root", "password": PASSWORD}}})
    identity.token = unscoped["access"]["token"]["id"]
    tenants = identity.right("GET", "/v2.0//tenants")["tenants"]
    assert "admin" in [one["name"] for one in tenants]
    scoped = identity.right("POST", "/v2.0//tokens", {"auth": {"tenantName": "admin", "token": {"id": identity.token}}})
    assert scoped["access"]["token"]["tenant"]["name"] == "admin"
    return str(scoped["access"]["token"]["id"])


def without_tenant(identity: Connection) -> str:
    """ExternalNetworkTokenProvider: the first token is the one."""
    said = identity.right("POST", "/v2.0//tokens", {"auth": {"passwordCredentials": {
        "username": "root", "password": PASSWORD}}})
    return str(said["access"]["token"]["id"])


def by_project(identity: Connection) -> str:
    """KeystoneV3TokenProvider: a token for a project, in a header."""
    status, headers, _ = identity.ask("POST", "/v3//auth/tokens", {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": "root", "domain": {"name": "Default"}, "password": PASSWORD}}},
        "scope": {"project": {"domain": {"name": "Default"}, "name": "admin"}}}})
    assert status == 201
    return headers["x-subject-token"]


@pytest.fixture(scope="module")
def place():
    with devstack(settings={}) as running:
        yield running


@pytest.fixture(params=[by_tenant, without_tenant, by_project], ids=["v2.0", "v2.0 without a tenant", "v3"])
def engine(request, place: Devstack):
    """A connection of an engine that has logged in, where the provider needs that."""
    identity = Connection(place.fabric.hadron.identity.port)
    try:
        token = request.param(identity)
    finally:
        identity.close()
    one = Connection(place.fabric.hadron.rest.port)
    one.token = token
    yield one
    one.close()


def imported(engine: Connection) -> dict[str, dict[str, Any]]:
    """The networks as the engine imports them, by name; it reads these members and ignores others."""
    members = {"id", "name", "mtu", "provider:physical_network", "provider:network_type", "provider:segmentation_id",
               "port_security_enabled", "status", "subnets", "shared", "router:external", "tenant_id", "admin_state_up"}
    found = engine.right("GET", "/v2.0/networks")["networks"]
    assert all(members <= set(one) for one in found)
    return {one["name"]: one for one in found}


def port_of(engine: Connection, nic: str) -> Any:
    """locatePort: the whole list, and the first in it that is the nic's."""
    ports = engine.right("GET", "/v2.0/ports")["ports"]
    return next((one for one in ports if one["device_owner"] == OWNER and one["device_id"] == nic), None)


def test_networks_are_created_imported_and_removed(engine):
    assert engine.ask("GET", "/v2.0/")[0] == 200                                        # testConnection
    plain = engine.right("POST", "/v2.0/networks", {"network": {
        "name": "red", "admin_state_up": True, "mtu": 1400, "port_security_enabled": True}})["network"]
    wired = engine.right("POST", "/v2.0/networks", {"network": {
        "name": "wired", "provider:physical_network": "wire", "admin_state_up": True, "provider:network_type": "vlan",
        "provider:segmentation_id": 101}})["network"]
    flat = engine.right("POST", "/v2.0/networks", {"network": {
        "name": "flat", "provider:physical_network": "rack", "admin_state_up": True, "provider:network_type": "flat"}})["network"]
    found = imported(engine)
    assert {name: found[name]["id"] for name in ("red", "wired", "flat")} == {one["name"]: one["id"] for one in (plain, wired, flat)}
    assert (found["red"]["mtu"], found["wired"]["provider:segmentation_id"], found["flat"]["provider:network_type"]) == (
        1400, 101, "flat")
    subnet = engine.right("POST", "/v2.0/subnets", {"subnet": {
        "name": "s", "enable_dhcp": True, "network_id": engine.right("GET", f"/v2.0/networks/{plain['id']}")["network"]["id"],
        "dns_nameservers": ["192.0.2.53"], "ip_version": 4, "gateway_ip": "10.0.0.1", "cidr": "10.0.0.0/24"}})["subnet"]
    mine = [one for one in engine.right("GET", "/v2.0/subnets")["subnets"] if one["network_id"] == plain["id"]]
    assert [(one["id"], one["cidr"], one["ip_version"], one["gateway_ip"], one["dns_nameservers"]) for one in mine] == [
        (subnet["id"], "10.0.0.0/24", 4, "10.0.0.1", ["192.0.2.53"])]
    assert engine.ask("DELETE", f"/v2.0/subnets/{subnet['id']}")[0] == 204
    for one in (plain, wired, flat):
        assert engine.ask("DELETE", f"/v2.0/networks/{one['id']}")[0] == 204
    assert not imported(engine)


@pytest.mark.parametrize("groups", ["default", "none", "some"])
def test_a_machine_is_run_moved_and_stopped(engine, groups):
    network = engine.right("POST", "/v2.0/networks", {"network": {"name": "blue", "admin_state_up": True}})["network"]
    engine.right("POST", "/v2.0/subnets", {"subnet": {
        "name": "s", "enable_dhcp": True, "network_id": network["id"], "ip_version": 4, "cidr": "10.1.0.0/24"}})
    group = engine.right("POST", "/v2.0/security-groups", {"security_group": {"name": "servers"}})["security_group"]
    wanted = {"default": {}, "none": {"security_groups": []}, "some": {"security_groups": [group["id"]]}}[groups]
    assert port_of(engine, NIC) is None
    assert engine.right("GET", f"/v2.0/networks/{network['id']}")["network"]["name"] == "blue"
    port = engine.right("POST", "/v2.0/ports", {"port": {
        "admin_state_up": True, "device_id": NIC, "device_owner": OWNER, "mac_address": "00:1a:4a:16:01:51", "name": "nic1",
        "network_id": network["id"], **wanted, "binding:host_id": "host-a"}})["port"]
    had = port["security_groups"]
    assert len(had) == {"default": 1, "none": 0, "some": 1}[groups] and (group["id"] in had) is (groups == "some")
    assert (port["binding:host_id"], port["binding:vif_type"], port["mac_address"]) == ("host-a", "ovs", "00:1a:4a:16:01:51")
    assert port_of(engine, NIC)["id"] == port["id"]
    for host, groups_said, groups_then in (("host-b", had, had), ("host-a", None, None), ("host-b", [], []),
                                           ("host-a", [group["id"]], [group["id"]])):
        body = {"port": {"security_groups": groups_said, "binding:host_id": host, "mac_address": "00:1a:4a:16:01:51"}}
        moved = engine.right("PUT", f"/v2.0/ports/{port['id']}", body)["port"]
        assert moved["binding:host_id"] == host and moved["id"] == port["id"]
        if groups_then is None:                          # null is what a new port has that says nothing: the default group
            (default,) = moved["security_groups"]
            assert default != group["id"]
        else:
            assert moved["security_groups"] == groups_then
    assert engine.ask("DELETE", f"/v2.0/ports/{port_of(engine, NIC)['id']}")[0] == 204
    assert port_of(engine, NIC) is None
    assert engine.ask("DELETE", f"/v2.0/security-groups/{group['id']}")[0] == 204
    assert engine.ask("DELETE", f"/v2.0/networks/{network['id']}")[0] == 204


def test_an_engine_without_a_password_says_whose_its_objects_are(api):
    engine = Connection(api.port)
    try:
        network = engine.right("POST", "/v2.0/networks", {"network": {
            "name": "red", "admin_state_up": True, "tenant_id": OWNER}})["network"]
        port = engine.right("POST", "/v2.0/ports", {"port": {
            "admin_state_up": True, "device_id": NIC, "device_owner": OWNER, "mac_address": "00:1a:4a:16:01:52", "name": "nic1",
            "network_id": network["id"], "tenant_id": OWNER, "binding:host_id": "host-a"}})["port"]
        assert (network["tenant_id"], port["tenant_id"]) == (OWNER, OWNER)
        engine.right("DELETE", f"/v2.0/ports/{port['id']}")
        engine.right("DELETE", f"/v2.0/networks/{network['id']}")
    finally:
        engine.close()


def test_what_an_engine_does_wrong_is_told_by_a_code(place):
    identity = Connection(place.fabric.hadron.identity.port)
    wrong = {"auth": {"passwordCredentials": {"username": "root", "password": "wrong"}}}
    assert identity.ask("POST", "/v2.0//tokens", wrong)[0] == 401
    identity.close()
    engine = Connection(place.fabric.hadron.rest.port)
    engine.token = "expired"
    assert engine.ask("GET", "/v2.0/networks")[0] == 401
    engine.close()
