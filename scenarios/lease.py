"""DHCPv4 by a real client, and the lease that it was given."""

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from scenarios import programs
from scenarios.namespace import Namespace, ip_batch

# Both clients call it: udhcpc with the event as its argument, dhclient with it in $reason. It never touches /etc/resolv.conf,
# which in an emulated machine would be the real machine's.
SCRIPT = r"""#!/bin/sh
event=${1:-$reason}
case "$event" in
deconfig|PREINIT)
    ip -4 addr flush dev eth0 ;;
bound|renew|BOUND|RENEW|REBIND|REBOOT)
    ip -4 addr replace "${ip:-$new_ip_address}/${subnet:-$new_subnet_mask}" dev eth0
    (echo "event=$event"; env) >"$LEASE.new" && mv "$LEASE.new" "$LEASE" ;;
esac
exit 0
"""
ASKED = ("subnet", "router", "dns", "hostname", "domain", "broadcast", "ntpsrv", "mtu", "staticroutes", "lease", "serverid",
         "search", "tftp", "bootfile")
# dhclient has no name of its own for option 121 (RFC 3442).
CLASSLESS = "rfc3442-classless-static-routes"
ASKED_DHCLIENT = ("subnet-mask", "routers", "domain-name-servers", "interface-mtu", "host-name", "domain-name",
                  "broadcast-address", CLASSLESS)


class NoLease(Exception):
    """No DHCP server gave an address in time; the message is what the client said."""


@dataclass(frozen=True)
class Lease:
    """What a DHCP server gave; `options` has all of it under the client's own names."""

    address: str
    mask: str
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    mtu: int | None = None
    routes: tuple[tuple[str, str], ...] = ()
    """Classless static routes: destination and next hop, which is 0.0.0.0 for what is on the link."""
    seconds: int = 0
    server: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def take_lease(namespace: Namespace, file: Path, *, client: str, seconds: float, request: str | None,
               options: Mapping[str, str]) -> Lease:
    """Run a client until it has a lease, use the lease, and end the client, which does not give the address back.

    Raises NoLease if none comes within so many seconds.
    """
    file.unlink(missing_ok=True)
    started = time.monotonic()
    command = COMMANDS[client](programs.script("dhcp-client.sh", SCRIPT), file, seconds, request, options)
    # An empty environment: what the script finds in it is then the lease's.
    clean = ["env", "-i", f"PATH={os.environ.get('PATH', os.defpath)}", f"LEASE={file}"]
    done = namespace.run([*clean, *command], check=False, timeout=seconds + 10)
    if not file.exists():
        raise NoLease(f"{namespace.name}: none in {time.monotonic() - started:.1f} s: {done.stdout}{done.stderr}")
    end_daemon(file.with_suffix(".pid"))
    lease = read_lease(file.read_text())
    ip_batch(list(_settings(lease)), namespace=namespace.name)
    return lease


def _udhcpc(script: Path, file: Path, seconds: float, request: str | None, options: Mapping[str, str]) -> list[str]:
    words = ["busybox", "udhcpc", "-f", "-n", "-q", "-i", "eth0", "-s", str(script), "-T", "1", "-t", str(max(1, int(seconds)))]
    for name in ASKED:
        words += ["-O", name]
    for name, value in options.items():
        words += ["-x", f"{name}:{value}"]
    return words + (["-r", request] if request else [])


def _dhclient(script: Path, file: Path, seconds: float, request: str | None, options: Mapping[str, str]) -> list[str]:
    text = [f"option {CLASSLESS} code 121 = array of unsigned integer 8;", f"timeout {max(1, int(seconds))};",
            "initial-interval 1;", f"request {', '.join(ASKED_DHCLIENT)};"]
    text += [f"send {name} {json.dumps(value)};" for name, value in options.items()]
    text += [f"send dhcp-requested-address {request};"] if request else []
    config = file.with_suffix(".conf")
    config.write_text("\n".join(text) + "\n")
    leases, pid = file.with_suffix(".leases"), file.with_suffix(".pid")
    leases.unlink(missing_ok=True)
    return [programs.dhclient(), "-4", "-1", "-v", "-sf", str(script), "-e", f"LEASE={file}", "-cf", str(config), "-lf", str(leases),
            "-pf", str(pid), "eth0"]


COMMANDS = {"udhcpc": _udhcpc, "dhclient": _dhclient}


def end_daemon(file: Path) -> None:
    """dhclient stays to renew the lease; the next one would be in its way."""
    try:
        os.kill(int(file.read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        return
    file.unlink(missing_ok=True)


def _settings(lease: Lease):
    """What the lease means for the interface, as `ip` commands."""
    if lease.mtu:
        yield f"link set eth0 mtu {lease.mtu}"
    # RFC 3442: the router option is ignored if there are classless routes.
    for destination, hop in lease.routes or ([("default", lease.gateway)] if lease.gateway else []):
        yield f"route replace {destination} dev eth0{'' if hop == '0.0.0.0' else f' via {hop}'}"


def read_lease(text: str) -> Lease:
    """A lease from what the script has written."""
    given = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def option(udhcpc: str, dhclient: str) -> str:
        return given.get(udhcpc) or given.get(f"new_{dhclient}") or ""

    mtu = option("mtu", "interface_mtu")
    words = given.get("staticroutes", "").split()
    return Lease(
        address=option("ip", "ip_address"), mask=option("subnet", "subnet_mask"),
        gateway=option("router", "routers").split(" ")[0] or None, dns=tuple(option("dns", "domain_name_servers").split()),
        mtu=int(mtu) if mtu else None,
        routes=(tuple(zip(words[::2], words[1::2], strict=True))
                or classless_routes(bytes(map(int, given.get("new_rfc3442_classless_static_routes", "").split())))),
        seconds=int(option("lease", "dhcp_lease_time") or 0), server=option("serverid", "dhcp_server_identifier") or None,
        options=given,
    )


def classless_routes(data: bytes) -> tuple[tuple[str, str], ...]:
    """Routes as RFC 3442 writes them: a prefix length, as much of the destination as it needs, the next hop."""
    routes, at = [], 0
    while at < len(data):
        length, octets = data[at], (data[at] + 7) // 8
        destination = IPv4Address(data[at + 1:at + 1 + octets].ljust(4, b"\0"))
        routes.append((f"{destination}/{length}", str(IPv4Address(data[at + 1 + octets:at + 5 + octets]))))
        at += 5 + octets
    return tuple(routes)
