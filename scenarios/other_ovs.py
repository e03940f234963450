"""Another version of Open vSwitch beside the machine's own, for emulated hosts: `python -m scenarios.other_ovs DIRECTORY`.

Debian's packages of another release are unpacked with the libraries that they need, and run by their own loader; nothing is
installed. `HADRON_OVS=DIRECTORY` then has the emulated hosts use it. A directory that has it already is left alone.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PACKAGES = ("openvswitch-switch", "openvswitch-common", "libc6", "libssl3t64", "libcap-ng0", "libnuma1", "libunbound8",
            "libbpf1", "libxdp1", "libelf1t64", "zlib1g", "libzstd1", "libevent-2.1-7t64", "libnghttp2-14")
PROGRAMS = ("usr/sbin/ovsdb-server", "usr/lib/openvswitch-switch/ovs-vswitchd", "usr/bin/ovs-vsctl", "usr/bin/ovs-ofctl",
            "usr/bin/ovs-appctl", "usr/bin/ovsdb-tool", "usr/bin/ovsdb-client")
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def fetch(directory: Path) -> str:
    """Put it there, if it is not; returns its version. Raises CalledProcessError if a package cannot be had."""
    program = directory / "bin" / "ovs-vswitchd"
    if not program.exists():
        shutil.rmtree(directory, ignore_errors=True)
        root = directory / "root"
        for package in _download(directory / "packages"):
            _run(["dpkg-deb", "-x", str(package), str(root)])
        shutil.copy(root / "usr/share/openvswitch/vswitch.ovsschema", directory / "vswitch.ovsschema")
        (directory / "bin").mkdir()
        for name in PROGRAMS:
            _wrap(directory / "bin" / Path(name).name, root, name)
    return _run([str(program), "--version"]).splitlines()[0]


def _download(directory: Path) -> list[Path]:
    """The packages' files, by an apt of its own that knows nothing of what is installed here."""
    for each in ("lists/partial", "cache/archives/partial", "files"):
        (directory / each).mkdir(parents=True)
    (directory / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n")
    (directory / "status").write_text("")
    settings = {"Dir::Etc::sourcelist": "sources.list", "Dir::State::lists": "lists", "Dir::Cache": "cache",
                "Dir::State::status": "status"}
    apt = ["apt-get", "-qq", "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Sandbox::User=root"]
    for name, place in settings.items():
        apt += ["-o", f"{name}={directory / place}"]
    _run([*apt, "update"])
    _run([*apt, "download", *PACKAGES], cwd=directory / "files")
    return sorted((directory / "files").glob("*.deb"))


def _mirror() -> str:
    """The mirror of Debian that this machine's own apt asks. SystemExit if it asks none."""
    asked = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages"]).split()
    found = [one for one in dict.fromkeys(asked) if one.rstrip("/").endswith("/debian")]
    if not found:
        raise SystemExit("apt knows no mirror of Debian, whose packages these are: add one to its sources, or give HADRON_OVS")
    return found[0]


def _wrap(program: Path, root: Path, name: str) -> None:
    libraries = root / LIBRARIES
    program.write_text(f"#!/bin/sh\nexec {libraries}/ld-linux-x86-64.so.2 --library-path {libraries} --argv0 {program.name} "
                       f"{root / name} \"$@\"\n")
    program.chmod(0o755)


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd).stdout


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1]).resolve()))
