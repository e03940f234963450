"""What iperf3 measures between machines."""
from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.scenarios.site import Machine

SECONDS, SETTLING = 4, 1


def measured(client: Machine, server: str, *more: str) -> dict[str, Any]:
    """What iperf3 says that arrived, after it has settled; at the server somebody listens already."""
    done = subprocess.run(client.vm.namespace.wrapped(
        ["iperf3", "-c", server, "-t", str(SECONDS), "-O", str(SETTLING), "-J", *more]),
        capture_output=True, text=True, timeout=60, check=False)
    said = json.loads(done.stdout)
    assert "error" not in said, said["error"]
    return dict(said["end"])


def speed(end: dict[str, Any]) -> float:
    """Bits of payload that arrived in a second."""
    return float(end["sum_received"]["bytes"]) * 8 / float(end["sum_received"]["seconds"])
