"""`make bench`: the figures of README and docs, as JSON; progress goes to standard error.

    python -m tests.bench                 all
    python -m tests.bench compile rest    some
    python -m tests.bench --quick         small sizes, to see that everything runs
    python -m tests.bench --into DIR      … also written there: bench.json, and pictures of what has some
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
from pathlib import Path

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
    parser.add_argument("--into", type=Path, metavar="DIR", help="write bench.json and pictures there too")
    choice = parser.parse_args()
    unknown = set(choice.which) - set(BENCHES)
    if unknown:
        parser.error(f"no bench {sorted(unknown)[0]}; there are {', '.join(BENCHES)}")
    found: dict = {"machine": machine(), "quick": choice.quick}
    for name in choice.which or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        began = time.monotonic()
        bench = importlib.import_module(f"tests.bench.{name}")
        found[name] = bench.run(quick=choice.quick)
        if choice.into and hasattr(bench, "pictures"):
            write(choice.into, bench.pictures(found[name]))
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    text = json.dumps(found, indent=2) + "\n"
    print(text, end="")
    if choice.into:
        write(choice.into, {"bench.json": text})
    return 0


def write(directory: Path, files: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    sys.exit(main())
