"""Law 7: every flow is legal in its table, and no two units claim a key with different bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache

import pytest

from apps.example import documents
from apps.pipeline import (
    ACCESS_IN,
    ACCESS_OUT,
    ADDRESSES,
    ALLOWED,
    ANSWER,
    COUNT_IN,
    COUNT_OUT,
    DELIVER,
    FORWARD,
    GUARD,
    IN_TRACK,
    KEEP,
    LEAVE,
    METERING,
    NAT_OUT,
    ND_GUARD,
    ND_REPLY,
    ND_TARGET,
    PIPELINE,
    ROUTE,
    TUNNEL_PORT,
)
from apps.security_groups import ONWARD
from controller.app import APPS, RULES, TALLIES, Rule
from controller.compile import Compiler
from controller.model import Model
from controller.openflow import Flow, Group, Meter, Table, decode, drop, match, output
from controller.openflow.actions import PORT_CONTROLLER, PORT_IN_PORT
from controller.openflow.buckets import read_group
from controller.openflow.fields import FIELDS
from controller.types import freeze
from controller.world import Missing
from tests.kit.worlds import core
from tests.laws.chance import Chance, furnish
from tests.laws.fabric import Fabric, holds_for, load
from tests.laws.operations import Batch, name

SEEDS, LENGTH = 12, 80
RESERVED = {PORT_IN_PORT, PORT_CONTROLLER, *TUNNEL_PORT.values()}


# Into a router: it takes one off the time to live. To the end of an answer. And to the rules, once more for the receiver:
# from there it never comes to FORWARD. And each gateway of a router is asked in turn whether a connection is its own.
# What was sent to a local IP is answered as what it has become, which its zone says; what comes back is from nobody then.
ROUND = {(FORWARD.number, LEAVE.number), (FORWARD.number, ND_REPLY.number), (IN_TRACK.number, ADDRESSES.number),
         (KEEP.number, KEEP.number), (ANSWER.number, ANSWER.number), (DELIVER.number, DELIVER.number), *((METERING.number, to.number) for to in (METERING, ROUTE, NAT_OUT))}


def turn(table: int) -> float:
    """When a packet comes to a table at the latest: to those of routers by way of FORWARD, to rules for the receiver."""
    if ADDRESSES.number <= table <= ALLOWED.number:
        return IN_TRACK.number + table / 100
    return FORWARD.number + table / 100 if LEAVE.number <= table < FORWARD.number else table


WIDE = {f"xxreg{wide}": tuple(f"reg{4 * wide + part}" for part in range(4)) for wide in range(4)}


class Illegal(AssertionError):
    """A flow that should not be, and why."""


def actions_of(entry: Flow | Group) -> Iterator[decode.Action]:
    """All actions, those inside ct() too."""
    if isinstance(entry, Group):
        found: Iterable[decode.Action] = [
            action for bucket in read_group(entry.body).buckets for action in bucket.actions
        ]
    else:
        found = decode.read_body(entry.body).actions
    for action in found:
        yield action
        if isinstance(action, decode.Track | decode.Clone):
            yield from action.then


@cache
def first_written() -> dict[str, float]:
    """Register -> the first table in which a flow of some switch writes it."""
    found: dict[str, float] = {}
    model = Model(core())
    for kind, document in documents():              # in which every rule has something to say
        model.put(kind, model.make(kind, freeze(document)))
    for flow in (
        entry for flows, _ in load(model).units.values() for entry in flows.values() if isinstance(entry, Flow)
    ):
        for action in actions_of(flow):
            match action:
                case decode.SetField() | decode.Larger():
                    target = action.field
                case decode.Move():
                    target = action.target
                case _:
                    target = None
            if target is not None and "reg" in target.name:
                for register in WIDE.get(target.name, (target.name,)):
                    found[register] = min(found.get(register, 255), turn(flow.table.number))
    return found


class Law:
    """The flows of one switch, and what is there for them to use."""

    def __init__(self, flows: dict, ports: set[int]) -> None:
        self.flows, self.ports = flows, ports | RESERVED
        self.meters = {key[1] for key in flows if key[0] == "meter"}
        self.groups = {key[1] for key in flows if key[0] == "group"}
        self.users: dict[int, int] = {}  # group -> the last table from which a flow leads to it
        for entry in flows.values():
            for action in actions_of(entry) if isinstance(entry, Flow) else ():
                if isinstance(action, decode.ToGroup):
                    self.users[action.id] = max(self.users.get(action.id, 0), entry.table.number)
        self.joins = {
            (key[0], decode.read_match(key[2])["conj_id"][0])
            for key in flows
            if isinstance(key[0], int) and "conj_id" in decode.read_match(key[2])
        }

    def check(self) -> None:
        for entry in self.flows.values():
            try:
                if isinstance(entry, Flow):
                    self._place(entry)
                    self._match(entry)
                    self._body(entry)
                if not isinstance(entry, Meter):
                    for action in actions_of(entry):
                        self._action(entry, action)
            except Illegal as wrong:
                raise Illegal(f"{wrong}: {entry!r} of {entry.why}") from None

    def _place(self, flow: Flow) -> None:
        _must(PIPELINE.tables.get(flow.table.number) is flow.table, "the table is not one of the pipeline's")
        levels = set(flow.table.levels.values())
        if flow.table is ROUTE:                         # the longer prefix comes first: two levels for each length
            levels |= {flow.table.levels["route"] + length for length in range(258)}
        if flow.table in (ACCESS_IN, ACCESS_OUT):       # … and for each priority that a tenant may choose
            levels |= {flow.table.levels["rule"] + number for number in range(1, 1001)}
        if flow.table in (COUNT_IN, COUNT_OUT):         # … and for each length of an own block and of a peer's
            levels |= {number + length for name, number in flow.table.levels.items() if name in ("peer", "twin")
                       for length in range(129 * 129)}
        if flow.table in (GUARD, ND_GUARD, ND_TARGET):  # … and above refusals for those of whom they are counted
            levels |= {number + 1 for number in levels}
        if flow.table in ONWARD:                        # … and above rules for what they have allowed
            levels |= {flow.table.levels[name] + above for name in ("rule", "remote") for above in (1, 2)}
        _must(flow.priority in levels, f"{flow.priority} is no level of {flow.table}")
        app = flow.why.app if flow.why else None
        _must(app in APPS, "nobody says why")
        _must(flow.cookie >> 56 == app, "the cookie does not say whose it is")

    def _match(self, flow: Flow) -> None:
        for field, (value, mask) in decode.read_match(flow.match).items():
            _must(field in FIELDS, f"{field} is no field")
            _must(mask != 0 and not value & ~mask, f"{field} asks for bits that it does not look at")
            if "reg" in field:
                _must(field in PIPELINE.registers, f"{field} is not declared")
                _must(
                    first_written().get(field, 255) < turn(flow.table.number),
                    f"{PIPELINE.registers[field].name} is read before it is written",
                )
            if field == "in_port":
                _must(value in self.ports, f"there is no port {value}")

    def _body(self, flow: Flow) -> None:
        body = decode.read_body(flow.body)
        _must(not body.other, "an instruction that we do not know")
        _must(bool(flow.body) or bool(flow.why and flow.why.reason), "a drop without a reason")
        _must(body.goto is None or self._onward(flow, body.goto), f"goes back to {body.goto}")
        _must(body.meter is None or body.meter in self.meters, f"there is no meter {body.meter}")

    @staticmethod
    def _around(entry: Flow | Group, table: int) -> bool:
        return isinstance(entry, Flow) and (entry.table.number, table) in ROUND

    def _onward(self, entry: Flow | Group, table: int) -> bool:
        _must(isinstance(entry, Flow) or entry.id in self.users, "no flow leads to the group")
        at = entry.table.number if isinstance(entry, Flow) else self.users[entry.id]
        return table > at and table in PIPELINE.tables

    def _action(self, entry: Flow | Group, action: decode.Action) -> None:
        match action:
            case decode.Unknown():
                raise Illegal("an action that we do not know")
            case decode.Output(port, _):
                _must(port in self.ports, f"there is no port {port}")
            case decode.Tell(meter):
                _must(meter in self.meters, f"there is no meter {meter}")
            case decode.ToGroup(id):
                _must(id in self.groups, f"there is no group {id}")
            case decode.Resubmit(table):
                _must(self._around(entry, table) or self._onward(entry, table), f"resubmits back to {table}")
            case decode.Track(table=table):
                _must(table is None or self._around(entry, table) or self._onward(entry, table), f"tracks back to {table}")
                # To look a connection up and turn it back is fine; to commit one without an address ends vswitchd 3.1.
                bare = action.nat is not None and not action.nat.kind
                _must(not (bare and action.commit), "commits a translation that knows no address")
            case decode.SetField(field, value, _) if "reg" in field.name:
                parts = [PIPELINE.registers.get(part) for part in WIDE.get(field.name, (field.name,))]
                room = sum(part.bits for part in parts if part is not None)
                _must(None not in parts and not value >> room, f"{value:#x} does not fit into {field.name}")
            case decode.Conjunction(id, 2, _):
                _must(
                    isinstance(entry, Flow) and (entry.table.number, id) in self.joins,
                    f"nobody asks whether conjunction {id} holds",
                )


def _must(true: bool, said: str) -> None:
    if not true:
        raise Illegal(said)


def every_flow_is_legal(history: Sequence[Batch]) -> None:
    fabric = Fabric()
    for number, batch in enumerate(history):
        fabric.follow([batch])
        if number % 4 and number < len(history) - 1:
            continue
        for switch in fabric.compiler.switches():
            ports = {seen.ofport for kind in ("interface", "uplink")
                     for seen in fabric.model.find(kind, "switch_id", switch) if seen.ofport}
            ports |= {link.source_port for link in fabric.model.find("link", "source_switch_id", switch)}
            Law(fabric.compiler.desired(switch), ports).check()


def nobody_quarrels(history: Sequence[Batch]) -> None:
    fabric = Fabric()
    for batch in history:
        fabric.follow([batch])
        quarrels = [f"{switch}: {' and '.join(map(str, units))}" for switch, _, units in fabric.compiler.conflicts()]
        assert not quarrels, quarrels
        for rule, args in fabric.compiler.units:
            held: dict = {}
            with suppress(Missing):
                for said in rule.make(fabric.compiler.world, fabric.model.get(rule.per, args[0]), *args[1:]):
                    key, does = (said[:3], said[3]) if isinstance(said, tuple) else (said.key, said.body) \
                        if not isinstance(said, dict) else (None, None)
                    assert held.setdefault(key, does) == does, f"{rule} for {args} wants two things under one key: {said}"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_flow_is_legal_in_its_table(seed: int) -> None:
    holds_for(every_flow_is_legal, furnish(seed, tame=True) + Chance(seed, tame=True).history(LENGTH))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_two_units_want_different_flows_under_one_key(seed: int) -> None:
    holds_for(nobody_quarrels, furnish(seed, tame=True) + Chance(seed, tame=True).history(LENGTH))


# ---- the checks themselves


def test_two_units_that_want_different_flows_under_one_key_are_seen() -> None:
    def first(world, switch):  # noqa: ANN001, ANN202
        yield FORWARD, "port", match(eth_dst="fa:16:3e:00:00:01"), (output(1),)

    def second(world, switch):  # noqa: ANN001, ANN202
        yield FORWARD, "port", match(eth_dst="fa:16:3e:00:00:01"), (output(2),)

    rules = []
    for make in (first, second):
        make.__module__ = "apps.switching"
        rules.append(Rule(make, "switch", lambda world, switch: (switch.id,), False))
    model = Model(core())
    compiler = Compiler(model, rules, TALLIES, strict=True)
    compiler.update([model.put("switch", model.make("switch", {"id": name("switch", 0)}))])
    ((switch, key, units),) = compiler.conflicts()
    assert (switch, [rule.name for rule, _ in units]) == (
        name("switch", 0),
        ["apps.switching.first", "apps.switching.second"],
    )
    assert compiler.holder(switch, key) == compiler.units[units[0]][0][key]


@pytest.mark.parametrize(
    ("wrong", "said"),
    (
        ((FORWARD, 99, match(), (drop("no"),)), "is no level"),
        ((FORWARD, 0, match(), (output(77),)), "there is no port 77"),
        ((FORWARD, 0, match(in_port=77), (drop("no"),)), "there is no port 77"),
        ((PIPELINE.tables[0], 0, match(reg6=1), (drop("no"),)), "is read before it is written"),
    ),
)
def test_an_illegal_flow_is_seen(wrong: tuple[Table, int, bytes, tuple], said: str) -> None:
    fabric = Fabric().follow(furnish(1, tame=True))
    switch = sorted(fabric.compiler.switches())[0]
    known = next(iter(fabric.compiler.desired(switch).values())).why
    flow = Flow(*wrong, known)
    with pytest.raises(Illegal, match=said):
        ports = {*range(1, 77), *range(65100, 65120), *range(65200, 65230)}
        Law({**fabric.compiler.desired(switch), flow.key: flow}, ports).check()


def test_all_features_are_under_the_law() -> None:
    assert {rule.name.rpartition(".")[0] for rule in RULES} >= {
        "apps.switching",
        "apps.provider_networks",
        "apps.routing",
        "apps.port_security",
        "apps.neighbours",
        "apps.security_groups",
        "apps.dhcp",
    }
    used: set[Rule] = set()
    for seed in range(4 * SEEDS):
        fabric = Fabric().follow(furnish(seed, tame=True))
        for batch in Chance(seed, tame=True).history(LENGTH // 2):
            fabric.follow([batch])
            used |= {rule for (rule, _), (flows, where) in fabric.compiler.units.items() if flows and where.switches()}
        if used >= set(RULES):
            break
    assert used >= set(RULES), f"never used by random operations: {[rule.name for rule in set(RULES) - used]}"
