"""/metrics: for Prometheus (text format 0.0.4), to administrators: switches, the desk, and what ports were counted."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from webob import Request, Response

from apps.statistics import DIRECTIONS
from controller.errors import Forbidden
from controller.policy import Context
from rest.errors import no_such_address, not_allowed

Sample = tuple[dict[str, str], float]

_SWITCH = {"bytes_in": "Bytes that a switch has said", "bytes_out": "Bytes that a switch was told", "packets_in": "Packets it handed to us",
           "packets_dropped": "Of those, packets nobody had time for", "packets_out": "Packets it was given to send",
           "changes": "Entries changed", "refused": "Entries it refused", "errors": "Errors that it answered"}


class Metrics:
    """A mount of rest.api.Api. `sessions` is Switches.report, `counts` controller.stats.Statistics."""

    def __init__(self, control: Any, desk: Any, sessions: Callable[[], list[dict[str, Any]]], counts: Any) -> None:
        self._control, self._desk, self._sessions, self._counts = control, desk, sessions, counts

    def __call__(self, request: Request, context: Context, path: list[str]) -> Response:
        """One request. Raises Refused."""
        if path:
            raise no_such_address()
        if request.method not in ("GET", "HEAD"):
            raise not_allowed(request.method, ("GET",))
        if not context.is_admin:
            raise Forbidden("metrics: administrators only; a project's own is at /v2.0/usage")
        return Response(body="".join(self._lines()).encode(), content_type="text/plain", charset="UTF-8")

    def _lines(self) -> Iterator[str]:
        sessions, standing = self._sessions(), dict(self._control.standing)
        model = self._control.model
        yield from _family("switches_known", "gauge", "Switches that are ours", [({}, model.count("switch", "all", True))])
        yield from _family("switch_in_step", "gauge", "1: it holds what it should",
                           [({"switch": id}, float(one.in_step)) for id, one in standing.items()])
        for name, text in _SWITCH.items():
            yield from _family(f"switch_{name}_total", "counter", f"{text}, since it came",
                               [({"switch": one["switch_id"]}, one[name]) for one in sessions])
        yield from _family("desk_work_total", "counter", "Pieces of work done", [({}, self._desk.worked)])
        yield from _family("desk_busy_seconds_total", "counter", "Seconds spent on them", [({}, self._desk.busy)])
        yield from _family("alarms", "gauge", "Alarms kept", [({}, len(self._control.alarms))])
        yield from _family("objects", "gauge", "Objects of each kind",
                           [({"kind": kind}, len(rows)) for kind, rows in model.rows.items() if rows])
        sums = [one for one in self._counts.sums(kind="port", about="") if one.series.what in DIRECTIONS]
        for unit, of in (("packets", 1), ("bytes", 2)):
            yield from _family(f"port_{unit}_total", "counter", f"{unit.capitalize()} that a port has sent (tx) or received (rx)", [
                ({"port": one.series.id, "network": one.series.within, "project": one.series.project,
                  "direction": DIRECTIONS[one.series.what]}, one[of]) for one in sums])


def _family(name: str, type: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """One metric with all its samples."""
    yield f"# HELP hadron_{name} {text}\n# TYPE hadron_{name} {type}\n"
    for labels, value in samples:
        said = ",".join(f'{key}="{_escaped(one)}"' for key, one in labels.items())
        yield f"hadron_{name}{{{said}}} {value}\n" if said else f"hadron_{name} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
