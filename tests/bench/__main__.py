"""`make bench`: the figures of README and docs, as JSON; progress goes to standard error.

    python -m tests.bench                 all
    python -m tests.bench compile rest    some
    python -m tests.bench --quick         small sizes, to see that everything runs
"""
from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time

BENCHES = ("rest", "compile", "bind", "bulk", "sync", "packets", "announcements", "dataplane", "routed", "simulation")


def machine() -> dict:
    """What the figures were taken on: they mean nothing without it."""
    version = subprocess.run(["ovs-vswitchd", "--version"], capture_output=True, text=True, check=False).stdout
    return {"cores": os.cpu_count(), "python": platform.python_version(),
            "open_vswitch": version.splitlines()[0].rsplit(" ", 1)[-1] if version else None}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", metavar="BENCH", help=f"some of {', '.join(BENCHES)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    choice = parser.parse_args()
    unknown = set(choice.which) - set(BENCHES)
    if unknown:
        parser.error(f"no bench {sorted(unknown)[0]}; there are {', '.join(BENCHES)}")
    found: dict = {"machine": machine(), "quick": choice.quick}
    for name in choice.which or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        found[name] = importlib.import_module(f"tests.bench.{name}").run(quick=choice.quick)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
