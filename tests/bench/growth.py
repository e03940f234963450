"""How figures grow with the number of switches, drawn: a panel for each, as one SVG picture."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

WIDTH, HEIGHT, EDGE = 300, 200, 48


def svg(rows: Iterable[Mapping[str, Any]], figures: Mapping[str, str]) -> str:
    """`rows` have `switches` and the figures; `figures` says what each is called, unit and all."""
    known = sorted(rows, key=lambda row: row["switches"])
    panels = [panel(place, title, [(row["switches"], row[name]) for row in known])
              for place, (name, title) in enumerate(figures.items())]
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(panels)}" height="{HEIGHT}" '
                      'font-family="sans-serif" font-size="11">', '<rect width="100%" height="100%" fill="white"/>',
                      *panels, "</svg>", ""])


def panel(place: int, title: str, points: list[tuple[int, float]]) -> str:
    """One figure over the number of switches; both axes begin at nothing."""
    most_x, most_y = max(x for x, _ in points), max(y for _, y in points) or 1
    wide, high = WIDTH - 1.5 * EDGE, HEIGHT - 1.5 * EDGE

    def at(x: float, y: float) -> tuple[float, float]:
        return round(EDGE + wide * x / most_x, 1), round(HEIGHT - EDGE + EDGE / 4 - high * y / most_y, 1)

    (left, bottom), (right, top) = at(0, 0), at(most_x, most_y)
    line = " ".join(f"{x},{y}" for x, y in (at(*point) for point in points))
    dots = [f'<circle cx="{x}" cy="{y}" r="3" fill="#1f5fa8"/>' for x, y in (at(*point) for point in points)]
    said = [f'<text x="{at(x, 0)[0]}" y="{bottom + 14}" text-anchor="middle">{x}</text>' for x, _ in points]
    said += [f'<text x="{left - 4}" y="{at(0, y)[1] + 4}" text-anchor="end">{y:g}</text>' for y in (0, most_y)]
    return "\n".join([f'<g transform="translate({place * WIDTH} 0)">', f'<text x="{left}" y="16">{title}</text>',
                      f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="black"/>',
                      f'<polyline points="{line}" fill="none" stroke="#1f5fa8"/>', *dots, *said, "</g>"])
