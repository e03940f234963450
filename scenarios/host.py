"""One emulated host: a network namespace with an Open vSwitch of its own, in its userspace datapath.

eth0 is on the management network; eth1 is the underlay's, inside the bridge br-phy, whose own port carries the tunnel
address: only there does the userspace datapath find the route for what it encapsulates. Every host knows the others' MAC
addresses from the start: that datapath drops the first packet to a tunnel's other end while it asks, which kernels do not.
In a cloud with a physical network eth2 leads there, inside the bridge br-ex (outside.py).
"""

import functools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from scenarios import underlay
from scenarios.capture import Capture
from scenarios.namespace import Namespace, run

# Another Open vSwitch than the machine's own may be put here by scenarios/other_ovs.py: HADRON_OVS names its directory.
OTHER = os.environ.get("HADRON_OVS", "")
SCHEMA = f"{OTHER}/vswitch.ovsschema" if OTHER else "/usr/share/openvswitch/vswitch.ovsschema"
if OTHER:
    os.environ["PATH"] = f"{OTHER}/bin:{os.environ['PATH']}"
PROTOCOLS = "OpenFlow14"

DATABASE = """
ovsdb-server $D/conf.db --remote=punix:$D/db.sock --remote=db:Open_vSwitch,Open_vSwitch,manager_options \\
  --private-key=db:Open_vSwitch,SSL,private_key --certificate=db:Open_vSwitch,SSL,certificate \\
  --bootstrap-ca-cert=db:Open_vSwitch,SSL,ca_cert \\
  --unixctl=$D/ovsdb-server.ctl --pidfile=$D/ovsdb-server.pid -vconsole:err --detach --no-chdir --log-file=$D/ovsdb-server.log
"""
VSWITCHD = """
ovs-vswitchd unix:$D/db.sock --unixctl=$D/ovs-vswitchd.ctl --pidfile=$D/ovs-vswitchd.pid -vconsole:err --detach --no-chdir \\
  --disable-system --enable-dummy --log-file=$D/ovs-vswitchd.log
"""
SWITCH = VSWITCHD + """
ip addr replace $TUNNEL/24 dev br-phy
ip link set br-phy up
for host in $HOSTS; do ovs-appctl -t $D/ovs-vswitchd.ctl tnl/neigh/set br-phy ${host%=*} ${host#*=} >/dev/null; done
"""
FIRST = """
ip link set lo up
ip addr add $MANAGEMENT/24 dev eth0
ip link set eth0 up
ip link set eth1 up
ethtool -K eth1 tx off >/dev/null 2>&1
""" + DATABASE + """
ovs-vsctl --no-wait -- init -- set Open_vSwitch . ovs_version=$VERSION external_ids:system-id=$NAME \\
  external_ids:hostname=$NAME external_ids:hadron-ip=$TUNNEL \\
  -- add-br br-phy -- set Bridge br-phy datapath_type=netdev fail_mode=standalone other_config:disable-in-band=true \\
  other_config:hwaddr=\\"$MAC\\" \\
  -- add-port br-phy eth1
""" + SWITCH
EXTERNAL = """
ip link set eth2 up
ethtool -K eth2 tx off >/dev/null 2>&1
ovs-vsctl --timeout=10 add-br br-ex -- set Bridge br-ex datapath_type=netdev fail_mode=standalone \\
  other_config:disable-in-band=true -- add-port br-ex eth2 \\
  -- set Open_vSwitch . external_ids:hadron-bridge-mappings=physnet1:br-ex
"""


class Host:
    """A host of a cloud; `name` is also its system-id and hostname."""

    def __init__(self, prefix: str, number: int, directory: Path, cloud_number: int, hosts: int) -> None:
        self.number = number
        self.name = f"{prefix}-h{number}"
        self.directory = directory / f"h{number}"
        self.tunnel_address = underlay.tunnel_address(number)
        self.management_address = underlay.management_address(cloud_number, number)
        self.controller_address = underlay.controller_address(cloud_number)
        places = {f"OVS_{kind}DIR": str(self.directory) for kind in ("RUN", "LOG", "DB", "SYSCONF")}
        self.namespace = Namespace(self.name, places | {
            "D": str(self.directory), "NAME": self.name, "TUNNEL": self.tunnel_address,
            "MANAGEMENT": self.management_address, "VERSION": ovs_version(), "MAC": underlay.tunnel_mac(number),
            "HOSTS": " ".join(f"{underlay.tunnel_address(each)}={underlay.tunnel_mac(each)}"
                              for each in range(1, hosts + 1) if each != number),
        })

    def start(self, database: Path, *, external: bool = False) -> None:
        """Bring up the links and Open vSwitch, with a copy of this empty database; br-ex too, if there is a wire outside."""
        self.directory.mkdir()
        shutil.copy(database, self.directory / "conf.db")
        self.namespace.script(FIRST + (EXTERNAL if external else ""))

    def run(self, command: Sequence[str], *, check: bool = True,
            timeout: float = 30) -> "subprocess.CompletedProcess[str]":
        """Run a command on the host; the Open vSwitch tools find this host's daemons by themselves."""
        return self.namespace.run(command, check=check, timeout=timeout)

    def vsctl(self, *words: str, timeout: int = 10) -> str:
        """ovs-vsctl; waits for ovs-vswitchd to follow unless --no-wait is among the words. Returns what it prints."""
        return self.run(["ovs-vsctl", f"--timeout={timeout}", *words], timeout=timeout + 5).stdout.strip()

    def ofctl(self, *words: str, timeout: float = 30) -> str:
        """ovs-ofctl in OpenFlow 1.4. Returns what it prints."""
        return self.run(["ovs-ofctl", "-O", PROTOCOLS, *words], timeout=timeout).stdout

    def appctl(self, *words: str, daemon: str = "ovs-vswitchd") -> str:
        """ovs-appctl, to ovs-vswitchd unless said otherwise. Returns what it prints."""
        return self.run(["ovs-appctl", "-t", str(self.directory / f"{daemon}.ctl"), *words]).stdout

    def dump_flows(self, bridge: str = "br-int", *, counters: bool = False) -> list[str]:
        """All flows of a bridge as ovs-ofctl writes them, one in each item, sorted; with packet counters if asked for."""
        text = self.ofctl("dump-flows", bridge, *([] if counters else ["--no-stats"]))
        return sorted(line.strip() for line in text.splitlines() if "reply" not in line and line.strip())

    def set_manager(self, target: str | None = None) -> None:
        """What an administrator does to put the host under a controller; tcp:<controller>:6640 unless said otherwise."""
        self.vsctl("set-manager", target or f"tcp:{self.controller_address}:6640")

    def capture(self, expression: str = "", *, device: str = "eth1", direction: str = "inout") -> Capture:
        """Record frames on a device of the host (the underlay's if not said otherwise); as VM.capture."""
        return Capture(self.namespace, device, expression, direction)

    def pid(self, daemon: str = "ovs-vswitchd") -> int | None:
        """The daemon's process, if it runs."""
        try:
            pid = int((self.directory / f"{daemon}.pid").read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            threads = len(os.listdir(f"/proc/{pid}/task"))
        except (OSError, ValueError):
            return None
        # One that has ended may wait seconds for init to take notice; while threads end it still holds its files' locks.
        return None if state in "ZX" and threads < 2 else pid

    def stop(self, daemon: str = "ovs-vswitchd", *, kill: bool = False) -> None:
        """End a daemon: in good order, or as a crash would."""
        deadline = time.monotonic() + 10
        if pid := self.pid(daemon):
            os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
        while self.pid(daemon):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: {daemon} does not end")
            time.sleep(0.005)

    def stop_vswitchd(self, *, kill: bool = False) -> None:
        """End ovs-vswitchd: in good order, or as a crash would."""
        self.stop(kill=kill)

    def start_vswitchd(self) -> None:
        """Start ovs-vswitchd, and give br-phy its address back, which may have gone with the device."""
        self.namespace.script(SWITCH)

    def restart_database(self, *, kill: bool = False) -> None:
        """Stop and start ovsdb-server; ovs-vswitchd goes on forwarding meanwhile."""
        self.stop("ovsdb-server", kill=kill)
        self.namespace.script(DATABASE)

    def restart_vswitchd(self, *, kill: bool = False) -> None:
        """Stop and start ovs-vswitchd: all flows are gone, the database stays."""
        self.stop_vswitchd(kill=kill)
        self.start_vswitchd()


@functools.cache
def ovs_version() -> str:
    """The version of Open vSwitch on this machine, such as 3.1.0."""
    found = re.search(r"\d+(\.\d+)+", run(["ovs-vswitchd", "--version"]).stdout)
    return found.group() if found else "unknown"


def empty_database(path: Path) -> Path:
    """A new Open vSwitch database file, to be copied for every host."""
    run(["ovsdb-tool", "create", str(path), SCHEMA])
    return path
