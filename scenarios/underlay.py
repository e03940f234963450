"""The wires between emulated hosts: a management network that the controller is on, and an underlay for tunnels.

Both are Linux bridges in a namespace of their own. The controller's end of the management network is a link in the root
namespace, with an address that no other cloud on this machine has; the underlay's addresses are the same in every cloud.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenarios.leftovers import RUN_DIRECTORY
from scenarios.namespace import ip_batch, run

MANAGEMENT, UNDERLAY = "10.99", "10.98.0"
CONTROLLER_END = 254
MAX_HOSTS = 250
# Router solicitations and multicast reports of every link end would be noise in each capture.
QUIET = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6\n"


@contextmanager
def claiming() -> Iterator[None]:
    """Only one process at a time chooses numbers for a new cloud."""
    RUN_DIRECTORY.mkdir(parents=True, exist_ok=True)
    with open(RUN_DIRECTORY / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_number() -> int:
    """The lowest management network, 10.99.<number>.0/24, that neither a cloud nor the machine itself uses; inside `claiming`."""
    used = set()
    for state in RUN_DIRECTORY.glob("*/state.json"):
        used.add(json.loads(state.read_text()).get("number", 0))
    for words in (line.split() for line in run(["ip", "-4", "-o", "addr"]).stdout.splitlines()):
        address = words[words.index("inet") + 1].split("/")[0].split(".")
        if ".".join(address[:2]) == MANAGEMENT:
            used.add(int(address[2]))
    return next(number for number in range(1, 255) if number not in used)


def controller_address(number: int) -> str:
    """Where the hosts of a cloud reach a controller in the root namespace."""
    return f"{MANAGEMENT}.{number}.{CONTROLLER_END}"


def management_address(number: int, host: int) -> str:
    return f"{MANAGEMENT}.{number}.{host}"


def tunnel_address(host: int) -> str:
    return f"{UNDERLAY}.{host}"


def tunnel_mac(host: int) -> str:
    return f"02:00:0a:62:00:{host:02x}"


def lay(prefix: str, number: int, hosts: int, mtu: int) -> None:
    """Make the namespaces of a cloud and the wires between them: eth0 (management) and eth1 (underlay) in each host."""
    wires = f"{prefix}-ul"
    root = f"{prefix}-mgmt"
    names = [f"{prefix}-h{host}" for host in range(1, hosts + 1)]
    ip_batch([f"netns add {name}" for name in [wires, *names]])
    for name in [wires, *names]:
        run(["ip", "netns", "exec", name, "sh", "-es"], text=QUIET)
    lines = [f"link add {root} type veth peer name root netns {wires}"]
    for host, name in enumerate(names, 1):
        lines += [f"link add eth0 netns {name} type veth peer name m{host} netns {wires}",
                  f"link add eth1 mtu {mtu} netns {name} type veth peer name u{host} mtu {mtu} netns {wires}"]
    ip_batch(lines)
    Path(f"/proc/sys/net/ipv6/conf/{root}/disable_ipv6").write_text("1")
    ip_batch([f"addr add {controller_address(number)}/24 dev {root}", f"link set {root} up"])
    ip_batch(_bridges(hosts, mtu), namespace=wires)


def _bridges(hosts: int, mtu: int) -> list[str]:
    lines = ["link set lo up", "link add management type bridge", f"link add underlay mtu {mtu} type bridge",
             "link set management up", "link set underlay up", "link set root master management up"]
    for host in range(1, hosts + 1):
        lines += [f"link set m{host} master management up", f"link set u{host} master underlay up"]
    return lines
