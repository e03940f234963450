"""What is done on a host, and what its database says of it."""
from __future__ import annotations

PORT = "aaaaaaaa-0000-4000-8000-{:012d}"


def forget(host):
    host.vsctl("del-manager", "--", "--if-exists", "del-br", "br-int", "--", "--if-exists", "del-br", "br-other",
               "--", "set", "Open_vSwitch", ".", f"external_ids:system-id={host.name}",
               f"external_ids:hadron-ip={host.tunnel_address}", "--", "remove", "Open_vSwitch", ".", "external_ids",
               "ovn-encap-ip", "--", "del-ssl")


def under(hosts, *machines):
    for machine in machines:
        machine.set_manager(f"tcp:{machine.controller_address}:{hosts.port}")
    for machine in machines:
        hosts.wait(lambda machine=machine: hosts.provisioned(machine.name))


def dummy(host, name, port_id, *more):
    """Plug an interface that needs no device."""
    host.vsctl("add-port", "br-int", name, "--", "set", "Interface", name, "type=dummy", f"external_ids:iface-id={port_id}",
               'external_ids:attached-mac="FA:16:3e:00:00:01"', *more)


def transactions(host):
    """How many transactions of ours the host's database has recorded."""
    return (host.directory / "conf.db").read_bytes().count(b'"_comment":"Hadron: ')


def get(host, table, row, column):
    return host.vsctl("get", table, row, column).replace('"', "")
