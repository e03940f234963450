"""Law 9: imports point downwards and in no circle; features know neither the framework nor the clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("controller", "apps", "topology", "rest", "scenarios")

# Which layer a module is in; of several patterns the longest that fits. Modules of one layer may import each other.
LAYERS = {
    "controller.times": 0,
    "controller.values": 0,
    "controller.errors": 0,
    "controller.garbage": 0,
    "controller.ids": 0,
    "controller.rows": 0,
    "controller.hooks": 0,
    "controller.rules": 0,
    "controller.derived": 0,
    "controller.types": 1,
    "controller.resource": 1,
    "controller.attributes": 1,
    "controller.attribute": 1,
    "controller.object_words": 1,
    "controller.checks": 1,
    "controller.particles": 1,
    "controller.openflow.*": 1,
    "controller.queues": 1,
    "controller.packet.*": 1,
    "controller.model": 2,
    "controller.numbers": 2,
    "controller.draft": 2,
    "controller.policy": 2,
    "controller.grants": 2,
    "controller.context": 0,
    "controller.sharing": 2,
    "controller.budgets": 2,
    "controller.store.*": 2,
    "controller.remembered": 3,
    "controller.world": 3,
    "controller.claims": 3,
    "controller.spread": 3,
    "controller.compile": 3,
    "controller.transaction": 3,
    "controller.facts": 3,
    "controller.write": 3,
    "controller.conversation": 3,
    "controller.conversations": 3,
    "controller.app": 4,
    "controller.later": 5,
    "controller.errands": 6,
    "controller.fetching": 6,
    "controller.resolver": 6,
    "apps.*": 5,
    "topology.*": 5,
    "controller.analysis.*": 5,
    "controller.desk": 6,
    "controller.announcements": 5,
    "controller.standing": 5,
    "controller.tidings": 5,
    "controller.vigil": 5,
    "controller.certificates": 5,
    "controller.alarms": 5,
    "controller.refusals": 5,
    "controller.confirmations": 5,
    "controller.host_rows": 5,
    "controller.control": 6,
    "controller.rollout": 5,
    "controller.switch_ports": 5,
    "controller.fading": 5,
    "controller.keeping": 5,
    "controller.replies": 5,
    "controller.pace": 3,
    "controller.seals": 3,
    "controller.switch.*": 6,
    "rest.*": 6,
    "controller.folding": 5,
    "controller.stats": 6,
    "controller.journal": 6,
    "controller.metrics": 6,
    "controller.cluster": 6,
    "controller.access": 7,
    "controller.config": 7,
    "controller.main": 7,
    "controller.__main__": 7,
    "rest.cli": 7,
    "rest.cli_*": 7,
    "rest.__main__": 7,
    "scenarios.*": 7,
}
# What a feature may know of others: places and declarations are everybody's; this one asks who answers what.
KNOWN_TO_ALL = {
    "apps.pipeline",
    "apps.places",
    "apps.choices",
    "apps.exits",
    "apps.servers",
    "apps.uplinks",
    "apps.seats",
    "apps.ways",
    "apps.underlay",
    "apps.bandwidth",
    "apps.queues",
    "apps.example_routed",
    "apps.example_linked",
    "apps.guards",
    "apps.scopes",
    "apps.complaints",
    "apps.limits",
    "apps.log_reasons",
    "apps.metered",
    "apps.watched",
    "apps.outside",
    "apps.protocols",
    "apps.replies",
    "apps.realms",
    "apps.addresses",
    "apps.prefixes",
    "apps.router_ports",
    "apps.dhcp_options",
    "apps.extra_options",
    "apps.dns_names",
    "apps.dhcp6_options",
    "apps.security_group_defaults",
    "apps.access_rules",
}
ASKS: dict[str, set[str]] = {
    "apps.multipath": {"apps.transport"},
    "apps.circuits": {"apps.transport"},
    "apps.port_bindings": {"apps.switching", "apps.qos", "apps.watches"},
    "apps.port_binding_documents": {"apps.ports"},
    "apps.path_policies": {"apps.transport"},
    "apps.relays": {"apps.switching"},
    "apps.questions": {"apps.dhcp", "apps.dhcp6", "apps.router_advertisements"},
    "apps.services": {"apps.metadata", "apps.names"},
    "apps.metadata": {"apps.metadata_documents"},
    "apps.metadata_documents": {"apps.network_config", "apps.network_formats"},
    **dict.fromkeys(("apps.dhcp6", "apps.router_advertisements"), {"apps.names"}),
    "apps.dhcp": {"apps.names", "apps.switching"},
    "apps.names": {"apps.known_names"},
    "apps.flavors": {"apps.availability_zones", "apps.service_providers"},
    "apps.floating_ips": {"apps.networks"},
    "apps.network_config": {"apps.names", "apps.dhcp", "apps.network_formats"},
    "apps.network_formats": {"apps.network_config"},
    "apps.routers": {"apps.external_gateways"},
    "apps.external_gateways": {"apps.qos_policies"},
    "apps.qos_minimums": {"apps.qos_policies"},
    "apps.networks": {"apps.segment_ranges", "apps.segments", "apps.wires"},
    "apps.segments": {"apps.wires"},
    "apps.address_groups": {"apps.security_groups"},
    "apps.local_ips": {"apps.neighbours", "apps.port_security", "apps.security_groups"},
    "apps.wires": {"apps.segment_ranges"},
    "apps.addresses": {"apps.subnet_choice"},
    "apps.ports": {"apps.subnet_choice"},
    "apps.routes": {"apps.routing"},
    "apps.extra_routes": {"apps.routing"},
    "apps.gateways": {"apps.routing"},
    "apps.multihoming": {"apps.routing", "apps.gateways"},
    "apps.wire_routers": {"apps.routing", "apps.provider_networks"},
    "apps.wire_advertisements": {"apps.router_advertisements"},
    "apps.gateway_hosts": {"apps.routing", "apps.gateways"},
    "apps.address_scopes": {"apps.routing", "apps.gateways"},
    "apps.floating_nat": {"apps.routing"},
    "apps.hops": {"apps.routing", "apps.gateways"},
}
# Only these files import what is outside and has a life of its own.
ONLY = {
    "os_ken": {"controller.switch.osken"},
    "cheroot": {"rest.server", "rest.connection"},
    "sqlite3": {"controller.store.sqlite", "controller.store.ledger", "controller.store.entries", "controller.store.files"},
    "yaml": {"apps.network_formats", "controller.particles", "controller.config", "scenarios.controller"},
}
PURE = (
    "os_ken",
    "time",
    "random",
    "socket",
    "os",
    "threading",
    "datetime",
    "asyncio",
    "select",
    "selectors",
    "subprocess",
    "urllib",
    "http",
    "webob",
    "secrets",
    "uuid",
)
# Below the write path nobody has a clock, a thread or chance (the store waits for disks, and logs go where they go).
TIMELESS = (
    "controller.model",
    "controller.world",
    "controller.compile",
    "controller.app",
    "controller.openflow.*",
    "apps.*",
)


@lru_cache(1)
def modules() -> dict[str, Path]:
    """Every module of the project, by name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def imported(module: str, *, at_start: bool = False) -> Iterator[str]:
    """What a module imports, ours and others'; `at_start` leaves out what only type checkers or single functions do."""
    tree = ast.parse(modules()[module].read_text())
    for node in _at_start(tree) if at_start else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: say where {node.module} is: no relative imports"
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                yield inner if inner in modules() else str(node.module)


def _at_start(tree: ast.Module) -> Iterator[ast.AST]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.Try):
            yield from (each for each in node.body if isinstance(each, ast.Import | ast.ImportFrom))


def fits(module: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return module.startswith(pattern[:-1]) or module == pattern.removesuffix(".*")
    return module == pattern


def layer(module: str) -> int | None:
    """The layer of a module; None for a bare package, which holds nothing."""
    found = max((pattern for pattern in LAYERS if fits(module, pattern)), key=len, default=None)
    return None if found is None else LAYERS[found]


def test_every_module_has_a_layer() -> None:
    lost = [module for module in modules() if layer(module) is None and module not in PACKAGES]
    assert not lost, f"say in LAYERS where they belong: {lost}"


def test_imports_point_downwards() -> None:
    upwards = [
        f"{module} (layer {layer(module)}) imports {other} (layer {layer(other)})"
        for module in modules()
        for other in imported(module)
        if other in modules() and layer(module) is not None and (layer(other) or 0) > (layer(module) or 0)
    ]
    assert not upwards, "\n".join(upwards)


def test_the_check_would_see_an_import_that_points_upwards() -> None:
    assert (layer("controller.model") or 0) < (layer("controller.compile") or 0) < (layer("apps.switching") or 0)
    assert "controller.compile" in set(imported("controller.app"))


def test_no_module_imports_itself_through_others() -> None:
    graph = {module: {other for other in imported(module, at_start=True) if other in modules()} for module in modules()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, "in a circle: " + " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("outside", ONLY)
def test_what_is_outside_is_imported_in_one_place(outside: str) -> None:
    users = {module for module in modules() if any(other.split(".")[0] == outside for other in imported(module))}
    assert users <= ONLY[outside], f"{outside} is imported by {sorted(users - ONLY[outside])}"


def test_features_and_the_compiler_know_no_framework_clock_chance_or_socket() -> None:
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if any(fits(module, one) for one in TIMELESS)
        for other in imported(module)
        if other.split(".")[0] in PURE and not (module.startswith("controller.openflow") and other == "socket")
    ]  # inet_pton: addresses as text
    assert not wrong, "\n".join(wrong)


def test_features_know_words_and_not_each_other() -> None:
    for module in modules():
        if module.startswith("apps."):
            known = {other for other in imported(module) if other.startswith("apps.")}
            strange = known - KNOWN_TO_ALL - ASKS.get(module, set())
            assert not strange, f"{module} imports {sorted(strange)}: put what both need into a query in apps/places.py"


def test_the_controller_knows_no_feature() -> None:
    """But for the file that wires everything together."""
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if module.startswith("controller.") and module not in ("controller.main", "controller.config", "controller.access")
        for other in imported(module)
        if other.split(".")[0] in ("apps", "topology", "rest", "scenarios") and module != "controller.__main__"
    ]
    assert not wrong, "\n".join(wrong)
