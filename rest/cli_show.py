"""Answers of /inspect as text, 80 columns wide unless the terminal is wider."""
from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from rest.errors import printable

WIDTH = 80
_GAP = 2
_NARROWEST = 6


class Page:
    """Where text goes: wrapped to a width; tables are drawn by `rich` on a terminal, by spaces elsewhere.

    Names come from tenants: nothing is printed that a terminal would take for a command.
    """

    def __init__(self, out: TextIO | None = None, *, wide: bool = False) -> None:
        self.out = out or sys.stdout
        self.terminal = self.out.isatty()
        self.wide = wide
        self.width = max(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if self.terminal else WIDTH

    def line(self, text: str = "") -> None:
        """A line as it is."""
        print(printable(text), file=self.out)

    def text(self, text: str, *, indent: str = "", first: str | None = None) -> None:
        """Running text, or a flow, which is broken after commas too."""
        start = indent if first is None else first
        if self.wide:
            self.line(start + text)
            return
        for place, piece in enumerate(_pieces(text, self.width - len(indent))):
            self.line((indent if place else start) + piece)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Rows below their columns' names; what is too long is wrapped within its column."""
        cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
        if self.terminal and not self.wide:
            self._rich(columns, cells)
            return
        widths = _widths([list(columns), *cells], None if self.wide else self.width)
        for row in [list(columns), *cells]:
            wrapped = [_cell(cell, width) for cell, width in zip(row, widths, strict=True)]
            for number in range(max(map(len, wrapped))):
                parts = [(lines[number] if number < len(lines) else "").ljust(width)
                         for lines, width in zip(wrapped, widths, strict=True)]
                self.line((" " * _GAP).join(parts).rstrip())

    def _rich(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
        table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*map(Text, row))
        Console(file=self.out, width=self.width).print(table)


def _pieces(text: str, width: int) -> Iterator[str]:
    """Text in lines: broken at spaces, and after commas where there are none."""
    line = ""
    for word in text.replace(",", ",\0").replace(" ", " \0").split("\0"):
        while len(line) + len(word.rstrip()) > width:
            if not line:
                yield word[:width]
                word = word[width:]
                continue
            yield line.rstrip()
            line = ""
        line += word
    yield line.rstrip()


def _cell(text: str, width: int) -> list[str]:
    return [line for part in text.split("\n") for line in textwrap.wrap(part, width) or [""]]


def _widths(rows: Sequence[Sequence[str]], limit: int | None) -> list[int]:
    """How wide each column is: as its longest line, narrower until all fit: the widest first of those whose words stay
    whole, then, where that is not enough, of all.
    """
    columns = [[line for cell in column for line in cell.split("\n")] for column in zip(*rows, strict=True)]
    widths = [max(1, *map(len, lines)) for lines in columns]
    words = [max([_NARROWEST, *(len(word) for line in lines for word in line.split())]) for lines in columns]
    while limit is not None and sum(widths) + _GAP * (len(widths) - 1) > limit and max(widths) > _NARROWEST:
        room = [width if width > word else 0 for width, word in zip(widths, words, strict=True)]
        narrowed = room if any(room) else widths
        widths[narrowed.index(max(narrowed))] -= 1
    return widths


# ---- words

def size(count: int | None) -> str:
    """Bytes for people."""
    if count is None:
        return "?"
    number, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"


def moment(seconds: float) -> str:
    """A time for people, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def object_words(said: dict[str, Any] | None) -> str:
    """An object with its id: `port web (3fa2c1d0-...)`; one without a name with what it says."""
    if not said:
        return "nobody"
    if said.get("name"):
        return f"{said['kind']} {said['name']} ({said['id']})"
    return f"{said['kind']} {said['id']}" + (f" ({said['summary']})" if said.get("summary") else "")


def written_words(said: dict[str, Any]) -> str:
    """Who wrote an object and when."""
    parts = [f"project {said['project_id']}"] if said.get("project_id") else []
    if said.get("created_at"):
        parts.append(f"created {said['created_at']}")
    if said.get("updated_at") and said["updated_at"] != said.get("created_at"):
        parts.append(f"changed {said['updated_at']}")
    if said.get("user"):
        parts.append(f"by {said['user']}")
    if said.get("revision_number") is not None:
        parts.append(f"revision {said['revision_number']}")
    return ", ".join(parts)
