"""What emulated machines run that does not come from a package: in a directory of this process, from which programs may be run.

On most machines they may not from /run, where clouds keep their files (it is mounted noexec).
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path


@functools.cache
def _directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hadron-programs-")


@functools.cache
def script(name: str, text: str) -> Path:
    """A script, to be run by others as long as this process lives."""
    file = Path(_directory().name) / name
    file.write_text(text)
    file.chmod(0o755)
    return file


@functools.cache
def dhclient() -> str:
    """A copy of dhclient: where AppArmor watches, it keeps the one from the package to /var/lib/dhcp and to a script of its own."""
    found = shutil.which("dhclient")
    return shutil.copy(found, f"{_directory().name}/dhclient") if found else "dhclient"
