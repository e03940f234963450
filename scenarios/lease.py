"""DHCPv4 by a real client, and the lease that it was given."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scenarios.namespace import CommandFailed, Namespace

# Both clients call it: udhcpc with the event as argument, dhclient with it in $reason. It never touches /etc/resolv.conf,
# which in an emulated machine would be the real machine's.
SCRIPT = r"""#!/bin/sh
event=${1:-$reason}
interface=${interface:-eth0}
case "$event" in
deconfig|PREINIT)
    ip -4 addr flush dev "$interface"; ip link set "$interface" up ;;
bound|renew|BOUND|RENEW|REBIND|REBOOT)
    ip=${ip:-$new_ip_address}; subnet=${subnet:-$new_subnet_mask}
    router=${router:-$new_routers}; mtu=${mtu:-$new_interface_mtu}
    ip -4 addr replace "$ip/$subnet" dev "$interface"
    [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
    if [ -n "$staticroutes" ]; then
        set -- $staticroutes   # RFC 3442: the router option is ignored if there are classless routes
        while [ $# -ge 2 ]; do
            if [ "$2" = 0.0.0.0 ]; then ip -4 route replace "$1" dev "$interface"
            else ip -4 route replace "$1" via "$2" dev "$interface"; fi
            shift 2
        done
    elif [ -n "$router" ]; then
        ip -4 route replace default via "${router%% *}" dev "$interface"
    fi
    (echo "event=$event"; env) >"$LEASE.new" && mv "$LEASE.new" "$LEASE" ;;
esac
exit 0
"""
ASKED = ("subnet", "router", "dns", "hostname", "domain", "broadcast", "ntpsrv", "mtu", "staticroutes", "lease", "serverid",
         "search", "tftp", "bootfile")


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
    """Classless static routes: destination and next hop."""
    seconds: int = 0
    server: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def take_lease(namespace: Namespace, file: Path, *, client: str, seconds: float, request: str | None,
               options: Mapping[str, str]) -> Lease:
    """Run a client until it has a lease. Raises NoLease if none comes within so many seconds."""
    script = file.parent / "dhcp-client.sh"
    if not script.exists():
        script.write_text(SCRIPT)
        script.chmod(0o755)
    file.unlink(missing_ok=True)
    started = time.monotonic()
    command = COMMANDS[client](script, file, seconds, request, options)
    try:
        done = namespace.run(["env", f"LEASE={file}", *command], check=False, timeout=seconds + 10)
    except CommandFailed as error:
        raise NoLease(str(error)) from error
    if not file.exists():
        raise NoLease(f"{namespace.name}: none in {time.monotonic() - started:.1f} s: {done.stdout}{done.stderr}")
    return _read(file.read_text())


def _udhcpc(script: Path, file: Path, seconds: float, request: str | None, options: Mapping[str, str]) -> list[str]:
    words = ["busybox", "udhcpc", "-f", "-n", "-q", "-i", "eth0", "-s", str(script), "-T", "1", "-t", str(max(1, int(seconds)))]
    for name in ASKED:
        words += ["-O", name]
    for name, value in options.items():
        words += ["-x", f"{name}:{value}"]
    return words + (["-r", request] if request else [])


def _dhclient(script: Path, file: Path, seconds: float, request: str | None, options: Mapping[str, str]) -> list[str]:
    names = "subnet-mask, routers, domain-name-servers, interface-mtu, host-name, domain-name, broadcast-address"
    text = [f"timeout {max(1, int(seconds))};", "initial-interval 1;", f"request {names};"]
    text += [f"send {name} {json.dumps(value)};" for name, value in options.items()]
    text += [f"send dhcp-requested-address {request};"] if request else []
    config = file.with_suffix(".conf")
    config.write_text("\n".join(text) + "\n")
    leases, pid = file.with_suffix(".leases"), file.with_suffix(".pid")
    leases.unlink(missing_ok=True)
    return ["dhclient", "-4", "-1", "-v", "-sf", str(script), "-e", f"LEASE={file}", "-cf", str(config), "-lf", str(leases),
            "-pf", str(pid), "eth0"]


COMMANDS = {"udhcpc": _udhcpc, "dhclient": _dhclient}


def _read(text: str) -> Lease:
    given = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def option(udhcpc: str, dhclient: str) -> str:
        return given.get(udhcpc) or given.get(f"new_{dhclient}") or ""

    words = option("staticroutes", "rfc3442_classless_static_routes").split()
    mtu = option("mtu", "interface_mtu")
    return Lease(
        address=option("ip", "ip_address"), mask=option("subnet", "subnet_mask"),
        gateway=option("router", "routers").split(" ")[0] or None, dns=tuple(option("dns", "domain_name_servers").split()),
        mtu=int(mtu) if mtu else None, routes=tuple(zip(words[::2], words[1::2], strict=False)),
        seconds=int(option("lease", "dhcp_lease_time") or 0), server=option("serverid", "dhcp_server_identifier") or None,
        options=given,
    )
