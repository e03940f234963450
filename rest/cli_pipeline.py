"""The packet's path drawn in 80 columns, and as a graph for Graphviz.

    ●─●─●───── to guard, answer, forward      a dot joins the line of a table that packets go to ...
    │ │ └────► 10 guard                       ... and there it ends; lines that cross without a dot do not meet
"""
from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

WIDTH = 80
_STEP = 2                       # columns from one line to the next
_INDENT = 18                    # columns before the details of a table
_PLAIN = str.maketrans({"│": "|", "─": "-", "●": "*", "└": "`", "►": ">", "▼": "v", "·": "-", "…": "."})


def ascii_only(text: str) -> str:
    """The drawing for a terminal that has nothing better."""
    return text.translate(_PLAIN)


def drawing(pipeline: Mapping[str, Any], *, brief: bool = False) -> str:
    """The pipeline (rest.inspect_pipeline.described) as text; `brief`: only what each table asks and leads to."""
    lines = _Lines(pipeline["tables"])
    found = [lines.row("a packet comes in"), lines.row("  │"), lines.row("  ▼")]
    for table in pipeline["tables"]:
        found += _table(table, lines, brief)
    if brief:
        return _page(found)
    found += ["Registers"]
    for one in pipeline["registers"]:
        found += textwrap.wrap(f"{one['name']} ({one['field']}): {one['purpose']}", WIDTH, initial_indent="  ",
                               subsequent_indent="      ")
    if pipeline["silent"]:
        names = ", ".join(one["rule"] for one in pipeline["silent"])
        found += ["", *textwrap.wrap(f"Not drawn, because the example has nothing for them: {names}", WIDTH)]
    return _page(found)


def _page(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Lines:
    """The lines at the left: one for each table that is not only reached by falling into it, from its first source."""

    def __init__(self, tables: list[Mapping[str, Any]]) -> None:
        self.place = {table["name"]: number for number, table in enumerate(tables)}
        first: dict[str, int] = {}
        self.again: dict[str, list[str]] = {}          # tables that later ones send packets back to
        for number, table in enumerate(tables):
            for target in table["back"]:
                self.again.setdefault(target, []).append(table["name"])
            for target in table["to"]:
                first.setdefault(target, number)
        self.lane: dict[str, int] = {}
        self.open: dict[int, str] = {}
        ends: dict[int, int] = {}                      # lane -> the place at which it is free again
        for target in sorted(first, key=lambda name: (first[name], -self.place[name])):
            lane = next(n for n in range(len(first)) if ends.get(n, -1) <= first[target])
            self.lane[target], ends[lane] = lane, self.place[target]
        self.width = _STEP * (max(self.lane.values(), default=-1) + 1)

    def row(self, text: str) -> str:
        """A text beside the lines that are open."""
        return f"{self._through()} {text}"

    def _through(self) -> str:
        cells = [" "] * self.width
        for lane in self.open:
            cells[_STEP * lane] = "│"
        return "".join(cells)

    def arrive(self, name: str) -> str:
        """The line to a table ends."""
        lane = self.lane.get(name)
        if lane is None or lane not in self.open:
            return ""
        del self.open[lane]
        cells = list(self._through())
        cells[_STEP * lane] = "└"
        for at in range(_STEP * lane + 1, self.width):
            if cells[at] == " ":
                cells[at] = "─"
        return "".join(cells)

    def leave(self, targets: list[str]) -> str:
        """Lines to these tables begin, or are joined."""
        lanes = sorted(self.lane[target] for target in targets)
        cells = list(self._through())
        for at in range(_STEP * lanes[0], self.width):
            if cells[at] == " ":
                cells[at] = "─"
        for target in targets:
            cells[_STEP * self.lane[target]] = "●"
            self.open[self.lane[target]] = target
        return "".join(cells)


def _table(table: Mapping[str, Any], lines: _Lines, brief: bool) -> Iterator[str]:
    arrival = lines.arrive(table["name"])
    head = f"{table['number']:>3} {table['name']:<10} "
    room = WIDTH - lines.width - 1
    purpose = textwrap.wrap(table["purpose"], room - len(head))
    yield f"{arrival}►{head}{purpose[0]}" if arrival else lines.row(head + purpose[0])
    for line in purpose[1:]:
        yield lines.row(" " * len(head) + line)
    if table["name"] in lines.again:
        yield lines.row(f"{'from':>8}{'':<{_INDENT - 8}}{', '.join(lines.again[table['name']])}, again")
    for word, said in () if brief else _details(table):
        for place, line in enumerate(textwrap.wrap(said, room - _INDENT)):
            yield lines.row(f"{word if not place else '':<{_INDENT}}{line}")
    if table["to"]:
        leaving = lines.leave(table["to"])
        targets = textwrap.wrap(", ".join(table["to"]), room - 7)
        yield f"{leaving}─── to {targets[0]}"
        for line in targets[1:]:
            yield lines.row(" " * 6 + line)
    yield lines.row("")


def _details(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(what, text) of each line below a table's name: its levels with their rules, its registers, what ends in it."""
    levels: dict[str, dict[str, list[str]]] = {}
    for rule in table["rules"]:
        for level in rule["levels"]:
            levels.setdefault(level, {}).setdefault(rule["app"], []).append(rule["rule"].rpartition(".")[2])
    for level in sorted(levels, key=lambda name: -table["levels"].get(name, 0)):
        rules = "; ".join(f"{app}: {', '.join(names)}" for app, names in levels[level].items())
        yield f"{table['levels'].get(level, level):>7} {level}", rules
    registers = [f"{word} {', '.join(table[word])}" for word in ("reads", "sets") if table[word]]
    if registers:
        yield "", "; ".join(registers)
    for drop in table["drops"]:
        yield f"{'':>4}drops", drop["reason"]
    if table["back"]:
        yield f"{'':>4}back", f"to {', '.join(table['back'])}"
    ends: dict[str, list[str]] = {}
    for one in table["ends"]:
        ends.setdefault(one["end"], []).append(_short(one["rule"]))
    for end, names in ends.items():
        yield f"{'':>4}ends", f"{end} ({', '.join(names)})"


def _short(rule: str) -> str:
    return ".".join(rule.split(".")[-2:])


# ---- Graphviz

def dot(pipeline: Mapping[str, Any]) -> str:
    """The pipeline as a directed graph: `hadron pipeline --dot | dot -Tsvg > pipeline.svg`."""
    found = ["digraph hadron {", '  node [shape=box, fontname="sans", fontsize=10];', '  edge [color="gray40"];',
             '  in [label="a packet comes in", shape=plain];']
    ends = sorted({one["end"] for table in pipeline["tables"] for one in table["ends"]})
    found += [f"  {_quoted('end ' + end)} [label={_quoted(end)}, shape=oval];" for end in ends]
    for table in pipeline["tables"]:
        apps = sorted({rule["app"] for rule in table["rules"]})
        rules = [_short(rule["rule"]) for rule in table["rules"]]
        label = "\n".join([f"{table['number']} {table['name']}", *textwrap.wrap(table["purpose"], 40), "", *rules])
        found.append(f"  {_quoted(table['name'])} [label={_quoted(label)}, tooltip={_quoted(', '.join(apps))}];")
    if pipeline["tables"]:
        found.append(f"  in -> {_quoted(pipeline['tables'][0]['name'])};")
    for table in pipeline["tables"]:
        found += [f"  {_quoted(table['name'])} -> {_quoted(target)};" for target in table["to"] + table["back"]]
        found += [f"  {_quoted(table['name'])} -> {_quoted('end ' + end)} [style=dashed];"
                  for end in sorted({one["end"] for one in table["ends"]})]
    return "\n".join([*found, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\l")
    return f'"{escaped}"'
