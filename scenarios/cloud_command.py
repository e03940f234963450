"""hadron-cloud: an emulated cloud from the command line.

    hadron-cloud up 3                         three hosts; they stay until `down`
    hadron-cloud connect                      on each host: ovs-vsctl set-manager tcp:<controller>:6640
    hadron-cloud plug 1 vm1 --port ID --mac MAC     a machine on host 1, as the interface of a port
    hadron-cloud dhcp vm1                     take a lease with a real client
    hadron-cloud outside out 198.51.100.9/24  a machine on the physical network outside (after up --external)
    hadron-cloud exec vm1 ping 10.0.0.5       any command in a machine, or on a host: exec h1 ovs-vsctl show
    hadron-cloud status | down
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from scenarios import leftovers
from scenarios.cloud import Cloud, clouds
from scenarios.lease import NoLease
from scenarios.namespace import CommandFailed, Namespace


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    choice = _parser().parse_args(words)
    if os.geteuid() != 0:
        print("hadron-cloud: must be root, to make network namespaces", file=sys.stderr)
        return 1
    try:
        return choice.run(choice)
    except (CommandFailed, NoLease, LookupError, FileExistsError, ValueError, TimeoutError) as error:
        print(f"hadron-cloud: {error}", file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired as error:
        print(f"hadron-cloud: no end after {error.timeout} s: {' '.join(error.cmd)}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hadron-cloud", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--prefix", default="hadron", help="which cloud, if there are several (default: hadron)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], help=text, description=text)
        made.set_defaults(run=run)
        return made

    up = command("up", _up, "make hosts, each with an Open vSwitch of its own")
    up.add_argument("hosts", type=int, nargs="?", default=3)
    up.add_argument("--mtu", type=int, default=1500, help="of the underlay between the hosts")
    up.add_argument("--external", action="store_true", help="with a physical network outside, physnet1, on br-ex of each host")
    up.add_argument("--manager", metavar="TARGET", help="put the hosts under this controller, such as tcp:10.99.1.254:6640")
    connect = command("connect", _connect, "put all hosts under a controller")
    connect.add_argument("target", nargs="?", help="default: tcp:<the root namespace's address>:6640")
    _plug_words(command("plug", _plug, "make a machine and plug it into a host's integration bridge"))
    out = command("outside", _outside, "make a machine on the physical network outside")
    out.add_argument("name")
    out.add_argument("address", help="with its prefix length")
    out.add_argument("--vlan", type=int, help="the VLAN that it is in; none if not given")
    command("unplug", _unplug, "remove a machine").add_argument("name")
    dhcp = command("dhcp", _dhcp, "take an IPv4 lease in a machine, with a real client")
    dhcp.add_argument("name")
    dhcp.add_argument("--client", choices=["udhcpc", "dhclient"], default="udhcpc")
    run = command("exec", _exec, "run a command in a machine (vm1) or on a host (h1)")
    run.add_argument("name")
    run.add_argument("command", nargs=argparse.REMAINDER)
    command("status", _status, "what is up").add_argument("--json", action="store_true")
    down = command("down", _down, "take the cloud down, or whatever is left of it")
    down.add_argument("--orphans", action="store_true", help="also clouds whose owner has died")
    return parser


def _plug_words(plug: argparse.ArgumentParser) -> None:
    plug.add_argument("host", type=int)
    plug.add_argument("name")
    plug.add_argument("--port", required=True, metavar="ID", help="the port's id at the controller")
    plug.add_argument("--mac", required=True, help="the port's MAC address")
    plug.add_argument("--mtu", type=int, default=1450)


def _up(choice: argparse.Namespace) -> int:
    cloud = Cloud(choice.hosts, choice.prefix, underlay_mtu=choice.mtu, keep=True, external=choice.external)
    if choice.manager:
        cloud.set_manager(choice.manager)
    print(f"{len(cloud.hosts)} hosts; they reach a controller at {cloud.controller_address}")
    return 0


def _connect(choice: argparse.Namespace) -> int:
    Cloud.attach(choice.prefix).set_manager(choice.target)
    return 0


def _plug(choice: argparse.Namespace) -> int:
    Cloud.attach(choice.prefix).plug(choice.host, choice.name, port_id=choice.port, mac=choice.mac, mtu=choice.mtu)
    return 0


def _outside(choice: argparse.Namespace) -> int:
    Cloud.attach(choice.prefix).external(choice.name, choice.address, choice.vlan)
    return 0


def _unplug(choice: argparse.Namespace) -> int:
    cloud = Cloud.attach(choice.prefix)
    cloud.unplug(_machine(cloud, choice.name))
    return 0


def _dhcp(choice: argparse.Namespace) -> int:
    lease = _machine(Cloud.attach(choice.prefix), choice.name).dhcp(client=choice.client)
    for name, value in asdict(lease).items():
        if name != "options" and value:
            print(f"{name}: {value}")
    return 0


def _machine(cloud: Cloud, name: str):
    if name not in cloud.vms:
        raise LookupError(f"{name}: no such machine; there are: {', '.join(cloud.vms) or 'none'}")
    return cloud.vms[name]


def _exec(choice: argparse.Namespace) -> int:
    cloud = Cloud.attach(choice.prefix)
    places: dict[str, Namespace] = {f"h{host.number}": host.namespace for host in cloud.hosts}
    places |= {machine.name: machine.namespace for machine in (*cloud.vms.values(), *cloud.outsiders.values())}
    if choice.name not in places:
        raise LookupError(f"{choice.name}: no such place; there are: {', '.join(places)}")
    command = choice.command[1:] if choice.command[:1] == ["--"] else choice.command
    place = places[choice.name]
    # The command takes over this process: signals, terminal and exit status are its own.
    wrapped = place.wrapped(command or [os.environ.get("SHELL", "sh")])
    sys.stdout.flush()
    os.execvpe(wrapped[0], wrapped, {**os.environ, **place.environment})


def _status(choice: argparse.Namespace) -> int:
    found = []
    for prefix in clouds():
        cloud = Cloud.attach(prefix)
        hosts = [{"name": f"h{host.number}", "address": host.management_address, "tunnel": host.tunnel_address,
                  "ovs-vswitchd": host.pid()} for host in cloud.hosts]
        found.append({"prefix": prefix, "controller": cloud.controller_address, "hosts": hosts,
                      "machines": [asdict(vm.plug) for vm in cloud.vms.values()],
                      "outside": [asdict(one.spot) for one in cloud.outsiders.values()]})
    if choice.json:
        print(json.dumps(found, indent=1))
        return 0
    for each in found:
        _print_cloud(each)
    if not found:
        print("no cloud is up; `hadron-cloud up 3` makes one")
    return 0


def _print_cloud(cloud: dict[str, Any]) -> None:
    print(f"{cloud['prefix']}: controller at {cloud['controller']}")
    for host in cloud["hosts"]:
        state = "up" if host["ovs-vswitchd"] else "ovs-vswitchd does not run"
        print(f"  {host['name']:<8} {host['address']:<15} tunnels {host['tunnel']:<15} {state}")
    for machine in cloud["machines"]:
        print(f"  {machine['name']:<8} on h{machine['host']}, port {machine['port_id']}, {machine['mac']}")
    for machine in cloud["outside"]:
        print(f"  {machine['name']:<8} outside, {'VLAN ' + str(machine['vlan']) if machine['vlan'] else 'no VLAN'}")


def _down(choice: argparse.Namespace) -> int:
    for prefix in [choice.prefix, *(leftovers.orphans() if choice.orphans else [])]:
        found = leftovers.sweep(prefix)
        print(f"{prefix}: {f'{len(found)} namespaces and links removed' if found else 'nothing was up'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
