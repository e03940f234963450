"""A graph as text: one line for each node, and rails to the left of them that join those which a wire joins.

    ┌─┬─● s1
    │ │     web 10.0.0.5
    └─┼─● s2
      └─● s3
"""
from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

PASS, UP, DOWN = "│", "up", "down"
MOST = 24                               # rails beside each other; a denser graph is not drawn


class TooDense(Exception):
    """So many rails would be needed that nobody could follow them."""


def drawn(nodes: Mapping[Hashable, Sequence[str]], wires: Iterable[tuple[Hashable, Hashable]]) -> Iterator[str]:
    """The lines. Each node has its own lines of text, the first one beside it. Raises TooDense."""
    wires = [(one, other) for one, other in wires if one != other]
    order = {node: place for place, node in enumerate(_ordered(nodes, wires))}
    rails = _rails(order, wires)
    width = max((rail for rail, _, _ in rails), default=-1) + 1
    if width > MOST:
        raise TooDense(width)
    for node, place in order.items():
        marks: dict[int, str] = {}
        for rail, first, last in rails:
            if first <= place <= last:
                marks[rail] = DOWN if place == first else UP if place == last else PASS
        first_line, *more = nodes[node] or [""]
        yield f"{_row(marks, width)}● {first_line}".rstrip()
        below = {rail: PASS for rail, mark in marks.items() if mark != UP}
        for text in more:
            yield f"{''.join(below.get(rail, ' ') + ' ' for rail in range(width))}    {text}".rstrip()


def _ordered(nodes: Mapping[Hashable, Sequence[str]], wires: Sequence[tuple[Hashable, Hashable]]) -> list[Hashable]:
    """Neighbours near each other: each part of the graph from one of its ends, breadth first."""
    around: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
    for one, other in wires:
        around[one].append(other)
        around[other].append(one)
    found: dict[Hashable, None] = {}
    for start in sorted(nodes, key=lambda node: (len(around[node]), str(node))):
        waiting = deque([start])
        while waiting:
            node = waiting.popleft()
            if node not in found:
                found[node] = None
                waiting.extend(sorted(set(around[node]) - found.keys(), key=lambda each: (len(around[each]), str(each))))
    return list(found)


def _rails(order: Mapping[Hashable, int], wires: Sequence[tuple[Hashable, Hashable]]) -> list[tuple[int, int, int]]:
    """(rail, first row, last row) of each wire; a rail is used again after the row where its wire ends."""
    free_from: list[int] = []
    found = []
    for first, last in sorted(sorted((order[one], order[other])) for one, other in wires):
        rail = next((number for number, row in enumerate(free_from) if row < first), len(free_from))
        if rail == len(free_from):
            free_from.append(0)
        free_from[rail] = last
        found.append((rail, first, last))
    return found


def _row(marks: Mapping[int, str], width: int) -> str:
    """The rails beside a node: from the first one that ends or begins here a line leads to it."""
    ends = [rail for rail, mark in marks.items() if mark != PASS]
    text = ""
    for rail in range(width):
        line = bool(ends) and rail >= min(ends)
        mark, leftmost = marks.get(rail), bool(ends) and rail == min(ends)
        if mark is None:
            text += "──" if line else "  "
        elif mark == PASS:
            text += "┼─" if line else "│ "
        elif mark == DOWN:
            text += "┌─" if leftmost else "┬─"
        else:
            text += "└─" if leftmost else "┴─"
    return text
