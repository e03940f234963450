"""IPv6 addresses as a machine takes them: by its kernel from router advertisements, or by dhclient from a DHCPv6 server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scenarios import programs
from scenarios.lease import NoLease, end_daemon
from scenarios.namespace import Namespace

SCRIPT = r"""#!/bin/sh
case "$reason" in
BOUND6|RENEW6|REBIND6|REBOOT6)
    [ -n "$new_ip6_address" ] && ip -6 addr replace "$new_ip6_address/128" dev eth0 nodad ;;
EXPIRE6|RELEASE6|STOP6|DEPREF6)
    [ -n "$old_ip6_address" ] && ip -6 addr del "$old_ip6_address/128" dev eth0 ;;
esac
case "$reason" in
PREINIT6) ;;
*) (echo "event=$reason"; env) >"$LEASE.new" && mv "$LEASE.new" "$LEASE" ;;
esac
exit 0
"""
ASKED = ("dhcp6.name-servers", "dhcp6.domain-search", "dhcp6.sntp-servers", "dhcp6.info-refresh-time")
# IPv6 begins anew: the kernel asks for routers now and not when it happens to; no one else can have the addresses.
AFRESH = """cd /proc/sys/net/ipv6/conf/eth0
echo 1 >disable_ipv6; echo {dad} >accept_dad; echo 1 >accept_ra; echo 0 >router_solicitation_delay
echo 128 >accept_ra_rt_info_max_plen 2>/dev/null || true
echo 0 >disable_ipv6
"""


@dataclass(frozen=True)
class Lease6:
    """What a DHCPv6 server gave; `options` has all of it under dhclient's own names."""

    event: str
    address: str | None = None
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    preferred: int = 0
    valid: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


def begin_ipv6(namespace: Namespace, *, dad: bool = False) -> None:
    """Start IPv6 on eth0 again: what it had is gone, and the kernel solicits routers at once (with `dad`: after it)."""
    namespace.script(AFRESH.format(dad=int(dad)))


def addresses6(namespace: Namespace, scope: str = "global") -> tuple[str, ...]:
    """The IPv6 addresses of eth0 that can be used, of one scope."""
    links = _listed(namespace, "addr", "show", "dev", "eth0", "scope", scope, "-tentative")
    return tuple(one["local"] for link in links for one in link.get("addr_info", ()) if "local" in one)


def routes6(namespace: Namespace) -> list[dict]:
    """The IPv6 routes through eth0, as `ip -j` tells of them."""
    return _listed(namespace, "route", "show", "dev", "eth0")


def _listed(namespace: Namespace, *words: str) -> list[dict]:
    return list(json.loads(namespace.run(["ip", "-6", "-j", *words]).stdout or "[]"))


def take_lease6(namespace: Namespace, file: Path, *, seconds: float = 10, stateless: bool = False,
                send: Sequence[str] = (), afresh: bool = True) -> Lease6:
    """Run dhclient until a server has answered, use what it gave, and end the client, which does not give it back.

    `stateless`: ask for information alone. `send`: more that dhclient.conf should have it send. `afresh`: forget the lease of
    an earlier run, which it would have confirmed. Raises NoLease if no answer comes within so many seconds.
    """
    config, leases, pid = (file.with_suffix(f".{end}6") for end in ("conf", "leases", "pid"))
    config.write_text("".join([f"timeout {max(1, int(seconds))};\n", f"request {', '.join(ASKED)};\n",
                               *(f"send {one};\n" for one in send)]))
    file.unlink(missing_ok=True)
    if afresh:
        leases.unlink(missing_ok=True)
    leases.touch()
    script = programs.script("dhcp6-client.sh", SCRIPT)
    command = [programs.dhclient(), "-6", "-1", "-v", *(["-S"] if stateless else []), "-sf", str(script), "-e", f"LEASE={file}",
               "-cf", str(config), "-lf", str(leases), "-pf", str(pid), "eth0"]
    started = time.monotonic()
    clean = ["env", "-i", f"PATH={os.environ.get('PATH', os.defpath)}", "timeout", f"{seconds + 5:.0f}"]
    done = namespace.run([*clean, *command], check=False, timeout=seconds + 10)
    end_daemon(pid)
    if not file.exists():
        raise NoLease(f"{namespace.name}: none in {time.monotonic() - started:.1f} s: {done.stdout}{done.stderr}")
    return read_lease6(file.read_text())


def read_lease6(text: str) -> Lease6:
    """A lease from what the script has written."""
    given = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return Lease6(given["event"], given.get("new_ip6_address"), tuple(given.get("new_dhcp6_name_servers", "").split()),
                  tuple(given.get("new_dhcp6_domain_search", "").split()), int(given.get("new_preferred_life", 0)),
                  int(given.get("new_max_life", 0)), given)
