"""/inspect/...: what runs and why, over HTTP. `hadron` on the command line asks the same.

    GET  /inspect/switches                                    administrators
    GET  /inspect/ports?network=&host=                        own ports, and those on own networks
    GET  /inspect/flows?switch=&port=&network=&table=&drops=  flows of own objects
    GET  /inspect/why?flow=&switch=                           a flow of an own object
    GET  /inspect/pipeline
    POST /inspect/audit?switch=&recompute=                    administrators
    GET  /inspect/alarms                                      about own objects
    GET  /inspect/doctor                                      administrators
    GET  /inspect/topology?view=                              own objects; the physical view administrators
    GET  /inspect/topology?paths=SWITCH:SWITCH&count=         administrators
    GET  /inspect/what-if?link=&switch=&host=                 administrators
    POST /inspect/forget?host=&certificate=                   administrators

Administrators see everything. A project sees what belongs to it, without the fabric below: no switches, hosts,
interfaces, tunnel keys or addresses, and nothing of other projects. What lives on the desk is read there.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import orjson
from webob import Request, Response

from apps.pipeline import PIPELINE
from controller.errors import Forbidden, Missing
from controller.policy import Context
from rest import (
    inspect_audit,
    inspect_doctor,
    inspect_flows,
    inspect_forget,
    inspect_ports,
    inspect_topology,
    inspect_why,
)
from rest.errors import Answered, bad_request, no_such_address, not_allowed
from rest.inspect_objects import Known, called
from rest.inspect_pipeline import drawn
from rest.query import pairs, parameters

MOST_AT_ONCE = 4
"""Requests that may ask switches or recompile at one time: each holds a thread of the listener."""
MOST_FLOWS = 100_000
"""Flows in one answer."""
MOST_EXPLAINED = 20
"""Flows that `why` explains in one answer."""

Params = Mapping[str, str]


class Inspect:
    """Answers /inspect. `call` is Desk.call; `counters` asks a switch what its flows counted (Switches.counters);
    `sessions` is Switches.report, `peers` is OvsdbServer.peers.
    """

    def __init__(self, control: Any, call: Callable[..., Any], *, counters: Callable[[str], Future] | None = None,
                 sessions: Callable[[], list[dict]] | None = None, peers: Callable[[], list] | None = None) -> None:
        self.control, self.model, self.compiler = control, control.model, control.compiler
        self.pipeline, self._call, self._policy = PIPELINE, call, control.writer.policy
        self._sessions, self._peers = sessions or list, peers
        self._reader = inspect_flows.Reader(counters)
        self._rules = {rule.name: rule for rules in self.compiler.rules_of.values() for rule in rules}
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._drawing: dict[str, Any] | None = None
        self._answers: dict[str, tuple[str, frozenset[str], Callable[[Context, Params], dict[str, Any]]]] = {
            "switches": ("GET", frozenset(), self._switches),
            "ports": ("GET", frozenset({"network", "host"}), self._ports),
            "flows": ("GET", frozenset({"switch", "port", "network", "table", "drops"}), self._flows),
            "why": ("GET", frozenset({"flow", "switch"}), self._why),
            "pipeline": ("GET", frozenset(), self._pipeline),
            "audit": ("POST", frozenset({"switch", "recompute"}), self._audit),
            "alarms": ("GET", frozenset(), self._alarms),
            "doctor": ("GET", frozenset(), self._doctor),
            "topology": ("GET", frozenset({"view", "paths", "count"}), self._topology),
            "what-if": ("GET", frozenset({"link", "switch", "host"}), self._what_if),
            "forget": ("POST", frozenset({"host", "certificate"}), self._forget)}

    # ---- HTTP

    def __call__(self, request: Request, context: Context, path: list[str]) -> Response:
        """One request below /inspect (a mount of rest.api.Api). Raises Refused."""
        if request.body and request.method == "POST":
            raise bad_request("body: leave it out; what is wanted is said in the query")
        method = "GET" if request.method == "HEAD" else request.method
        status, body = self.handle(method, path, pairs(request.environ.get("QUERY_STRING", "")), context)
        return Response(status=status, body=orjson.dumps(body, default=list), content_type="application/json",
                        charset="UTF-8")

    def handle(self, method: str, path: list[str], params: list[tuple[str, str]], context: Context) -> tuple[int, Any]:
        """(status, answer) of one question. Raises Refused."""
        if not path and method == "GET":
            return 200, {"inspect": [{"name": name, "method": verb} for name, (verb, _, _) in self._answers.items()]}
        if len(path) != 1 or path[0] not in self._answers:
            raise no_such_address()
        verb, known, answer = self._answers[path[0]]
        if method != verb:
            raise not_allowed(method, (verb,))
        return 200, answer(context, parameters(params, sorted(known)))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Not too many at once may keep the switches, the desk and the listener's threads busy."""
        if not self._turns.acquire(blocking=False):
            raise Answered(503, "HTTPServiceUnavailable", "Too many are looking at once; try again.", (("Retry-After", "1"),))
        try:
            yield
        finally:
            self._turns.release()

    def _host(self, switch: str) -> str:
        row = self.model.get("switch", switch)
        host = self.model.get("host", row.host_id) if row is not None and row.host_id else None
        return (host.hostname or host.id) if host is not None else ""

    def _names(self, switch: str) -> tuple[str, ...]:
        """Its host's id; on a switch without host its own name."""
        row = self.model.get("switch", switch)
        return () if row is None else (row.host_id,) if row.host_id else (row.bridge or "",)

    def _switch(self, text: str) -> str:
        """The switch that a person means: by its id (zeros in front may be left out), or its host."""
        ids = sorted(set(self.model.rows["switch"]) | set(self.control.standing))
        found = [id for id in ids if id.lstrip("0") == text.lower().lstrip("0")] or [
            id for id in ids if text and text in (self._host(id), *self._names(id))]
        if len(found) != 1:
            raise Missing("switch", text) if not found else bad_request(f"switch: {text} has {', '.join(found)}; say which")
        return found[0]

    # ---- questions

    def _switches(self, context: Context, params: Params) -> dict[str, Any]:
        _admin(context, "switches")
        sessions = {one["switch_id"]: one for one in self._sessions()}
        return {"switches": inspect_ports.switches(self.control, sessions, self._host)}

    def _ports(self, context: Context, params: Params) -> dict[str, Any]:
        known = Known(self.model, context, self._policy)
        if "host" in params:
            _admin(context, "host")
        network = known.find("network", params["network"]).id if "network" in params else None
        return {"ports": inspect_ports.ports(self.control, known, network, params.get("host"))}

    def _flows(self, context: Context, params: Params) -> dict[str, Any]:
        known = Known(self.model, context, self._policy)
        question = self._question(known, params)
        found = self._call(inspect_flows.wanted, self.compiler, question)
        if len(found) > MOST_FLOWS:
            raise bad_request(f"{len(found)} flows are meant, and at most {MOST_FLOWS} are told: name a table, a port or a switch")
        ids = sorted({switch for one in found for switch in one.switches} | ({question.switch} if question.switch else set()))
        with self._turn():
            held = self._reader.read([id for id in ids if id in self.control.standing])
        teller = inspect_flows.Teller(known, self.pipeline, self._rules, self._host)
        flows = teller.all(found, held)
        if not context.is_admin:
            return {"flows": flows}
        if question.objects is None and question.switch in held:
            desired = self._call(self.compiler.desired, question.switch)
            flows += teller.aliens(question.switch, desired, held[question.switch], question)
        return {"flows": flows, "switches": [{"switch": id, "host": self._host(id), "read": id in held} for id in ids]}

    def _question(self, known: Known, params: Params) -> inspect_flows.Question:
        """Which flows are meant. A project that does not say means those of all its objects."""
        if "switch" in params:
            _admin(known.context, "switch")
        switch = self._switch(params["switch"]) if "switch" in params else None
        table = inspect_flows.table_number(self.pipeline, params["table"]) if "table" in params else None
        objects: list[tuple[str, str]] | None = None
        shared: list[tuple[str, str]] = []
        if "port" in params:
            port = known.find("port", params["port"])
            objects, shared = [("port", port.id)], [("security_group", id) for id in port.security_groups]
        if "network" in params:
            within = self._within(known.find("network", params["network"]).id)
            objects = within if objects is None else [one for one in objects if one in within]
        if objects is None and not known.context.is_admin:
            objects = [(kind, row.id) for kind in self.compiler.rules_of for row in known.own(kind)]
        if objects is None and switch is None:
            switch = self._only_switch()
        if objects is not None:
            objects, shared = ([(kind, id) for kind, id in some if known.owns(kind, self.model.get(kind, id))]
                               for some in (objects, shared))
        return inspect_flows.Question(switch, None if objects is None else tuple(objects), tuple(shared), table,
                                      _yes(params, "drops"))

    def _within(self, network: str) -> list[tuple[str, str]]:
        """A network, and every object that names it."""
        kinds = [kind for kind, keys in self.model.keys.items() if "network_id" in keys]
        return [("network", network), *((kind, row.id) for kind in kinds for row in self.model.find(kind, "network_id", network))]

    def _only_switch(self) -> str:
        ids = sorted(set(self.model.rows["switch"]) | set(self.control.standing))
        if len(ids) != 1:
            raise bad_request(f"switch: there are {len(ids)}; say which switch, port or network")
        return ids[0]

    def _why(self, context: Context, params: Params) -> dict[str, Any]:
        if "flow" not in params:
            raise bad_request("flow: say which, by its cookie, its text or the id of an object")
        if "switch" in params:
            _admin(context, "switch")
        known = Known(self.model, context, self._policy)
        asked = inspect_why.asked_for(params["flow"], self.pipeline)
        switch = self._switch(params["switch"]) if "switch" in params else None
        found, exact = inspect_why.Search(self.compiler, self._call, known, self.pipeline).find(asked, switch)
        if not found:
            raise Answered(404, "FlowNotFound", f"No flow that is wanted now is {params['flow'].strip()[:200]}.")
        teller = inspect_flows.Teller(known, self.pipeline, self._rules, self._host)
        with self._turn():
            said = [self._call(inspect_why.explained, self.compiler, unit, key, teller, self.pipeline)
                    for unit, key in found[:MOST_EXPLAINED]]
        return {"flows": [one for one in said if one is not None], "exact": exact, "found": len(found)}

    def _pipeline(self, context: Context, params: Params) -> dict[str, Any]:
        if self._drawing is None:
            self._drawing = drawn(self.model.resources)
        return self._drawing

    def _audit(self, context: Context, params: Params) -> dict[str, Any]:
        _admin(context, "audit")
        switch = self._switch(params["switch"]) if "switch" in params else None
        recompute = _yes(params, "recompute")
        say = inspect_audit.Say(Known(self.model, context, self._policy), self.pipeline, self._host)
        with self._turn():
            answer = inspect_audit.audited(self.control, self._call, switch, say)
            if recompute:
                answer["recompute"] = inspect_audit.recomputed(self.compiler, self._call, say)
                answer["fine"] = answer["fine"] and not answer["recompute"]["differ"]
        return answer

    def _alarms(self, context: Context, params: Params) -> dict[str, Any]:
        alarms = self._call(lambda: list(self.control.alarms))
        if context.is_admin:
            return {"alarms": [{**one, "host": self._host(one["switch"])} if "switch" in one else one for one in alarms]}
        known, own = Known(self.model, context, self._policy), []
        for alarm in alarms:
            kind, _, id = alarm.get("object", "").partition(" ")
            row = self.model.get(kind, id) if kind in self.model.resources else None
            if row is not None and known.owns(kind, row):
                own.append({name: alarm[name] for name in ("alarm", "at", "object", "packets") if name in alarm}
                           | {"called": called(known.said(kind, id))})
        return {"alarms": own}

    def _topology(self, context: Context, params: Params) -> dict[str, Any]:
        if "paths" in params:
            _admin(context, "paths")
            with self._turn():
                return inspect_topology.paths(self.model, self.compiler.world, self._call, params, self._switch)
        view = params.get("view") or ("physical" if context.is_admin else "logical")
        if view == "physical":
            _admin(context, "the physical view")
        known = Known(self.model, context, self._policy)
        return inspect_topology.viewed(self.model, self.compiler.world, known, self._call, view)

    def _what_if(self, context: Context, params: Params) -> dict[str, Any]:
        _admin(context, "what-if")
        with self._turn():
            return inspect_topology.supposed(self.model, self.compiler.world, self._call, params, self._switch)

    def _doctor(self, context: Context, params: Params) -> dict[str, Any]:
        _admin(context, "doctor")
        fabric = inspect_doctor.Fabric(self.model, dict(self.control.standing), self.control.home,
                                       {one["switch_id"]: one for one in self._sessions()},
                                       self._peers() if self._peers is not None else None)
        say = inspect_audit.Say(Known(self.model, context, self._policy), self.pipeline, self._host)
        findings = inspect_doctor.examine(fabric, self._call(inspect_audit.refused, self.control, say),
                                          self._call(lambda: list(self.compiler.world.broken.values())))
        return {"findings": [one._asdict() for one in findings], "fine": all(one.severity != "bad" for one in findings)}

    def _forget(self, context: Context, params: Params) -> dict[str, Any]:
        _admin(context, "forget")
        if "host" not in params:
            raise bad_request("host: say which, by its id or its name")
        connected = [one.host_id for one in (self._peers() if self._peers is not None else ()) if one.host_id]
        return inspect_forget.forget(self.control, self._call, params["host"], connected, certificate=_yes(params, "certificate"))


def _yes(params: Params, name: str) -> bool:
    if params.get(name, "false").lower() not in ("true", "false", "1", "0", ""):
        raise bad_request(f"{name}: must be true or false")
    return params.get(name, "false").lower() in ("true", "1", "")


def _admin(context: Context, what: str) -> None:
    if not context.is_admin:
        raise Forbidden(f"{what}: administrators only")
