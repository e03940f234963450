"""What `make bench` says of a fabric that grows, and the picture that it draws of it."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.bench import recompute, simulation


def test_the_time_for_paths_after_a_cut_is_measured_and_its_growth_is_drawn() -> None:
    row = recompute.measured(20)
    assert 0 < row["cut_ms"] <= row["cut_most_ms"] and row["cut_entries"] >= 4
    rows = [{"switches": count, **row} for count in (10, 20)]
    missing = dict.fromkeys(simulation.FIGURES, 1.0)
    pictures = simulation.pictures({"growth": [missing | row for row in rows]})
    drawn = ElementTree.fromstring(pictures["growth.svg"])
    assert len(drawn.findall(".//{*}polyline")) == len(simulation.FIGURES)
    assert {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")} >= {"10", "20", *simulation.FIGURES.values()}
