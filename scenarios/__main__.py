"""`python -m scenarios`: lists the experiments; NAME runs one, with its own options; `all` runs each and says how it went.

An experiment is a module of this package with a line ABOUT, which says what it shows, and a main(words) that prints a
line `VERDICT: …` and gives 0 for the verdict hoped for, 1 for another, 2 if it could not be run here.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
FINE, OTHER, NOT_RUN = 0, 1, 2


def experiments() -> dict[str, str]:
    """What each experiment is about, by name."""
    found = {}
    for file in sorted(HERE.glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Assign) and [getattr(one, "id", "") for one in node.targets] == ["ABOUT"]:
                found[file.stem] = ast.literal_eval(node.value)
    return found


def run(name: str, words: Sequence[str]) -> int:
    """One experiment, its output as it comes."""
    return subprocess.call([sys.executable, "-m", f"scenarios.{name}", *words], cwd=HERE.parent)


def run_all(names: Sequence[str]) -> int:
    """One after another, quietly; then a table of the verdicts."""
    rows, worst = [], FINE
    for name in names:
        print(f"{name} ...", flush=True)
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"scenarios.{name}"], cwd=HERE.parent, capture_output=True, text=True)
        said = [line.partition("VERDICT: ")[2] for line in done.stdout.splitlines() if line.startswith("VERDICT: ")]
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        rows.append((name, {FINE: "good", NOT_RUN: "not run"}.get(done.returncode, "BAD"),
                     f"{time.monotonic() - began:.0f} s", said[-1] if said else last))
        worst = max(worst, OTHER if done.returncode not in (FINE, NOT_RUN) else FINE)
    width = max(map(len, names))
    print(f"\n{'EXPERIMENT':{width}}  VERDICT  TIME")
    for name, verdict, seconds, text in rows:
        print(f"{name:{width}}  {verdict:7}  {seconds:>5}  {text}")
    return worst


def main(words: Sequence[str]) -> int:
    known = experiments()
    if not words or words[0] in ("-h", "--help", "list"):
        width = max(map(len, known))
        print("\n".join(f"{name:{width}}  {about}" for name, about in known.items()))
        print("\npython -m scenarios NAME [OPTIONS] runs one, python -m scenarios all runs each")
        return FINE
    if words[0] == "all":
        return run_all(list(known))
    if words[0] not in known:
        print(f"scenarios: there is no {words[0]}; there are {', '.join(known)}", file=sys.stderr)
        return NOT_RUN
    return run(words[0], words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
