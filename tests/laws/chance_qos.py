"""Chance draws policies of quality of service and their rules: the part of `chance.py` that `apps/qos.py` needs."""

from __future__ import annotations

from tests.laws.chance_routed import Routed
from tests.laws.operations import Operation, name

POLICIES, POLICY_RULES = 3, 6
POLICING = ("bandwidth_limit_rule", "packet_rate_limit_rule", "dscp_marking_rule", "minimum_bandwidth_rule")


class Policing(Routed):
    """Policies and their rules."""

    def policy(self) -> Operation:
        return Operation("qos_policy", name("qos_policy", self._below(POLICIES)), {"name": "gold"})

    def policy_rule(self) -> Operation:
        """A tame policy has one rule of a type and direction, whose number says which."""
        number = self._below(POLICY_RULES)
        kind = self.random.choice(POLICING)
        said = {
            "bandwidth_limit_rule": {"max_kbps": self.random.choice((64, 10_000)), "max_burst_kbps": 0},
            "packet_rate_limit_rule": {"max_kpps": 1 + self._below(2), "max_burst_kpps": 0},
            "dscp_marking_rule": {"dscp_mark": self.random.choice((10, 46))},
            "minimum_bandwidth_rule": {"min_kbps": self.random.choice((1000, 60_000))},
        }[kind]
        one_way = {"dscp_marking_rule": {}, "minimum_bandwidth_rule": {"direction": "egress"}}
        direction = one_way[kind] if kind in one_way else {"direction": ("egress", "ingress")[number % 2]}
        if self.tame and kind in one_way:
            number -= number % 2
        return Operation(kind, name(kind, number), {"qos_policy_id": name("qos_policy", number // 2), **said, **direction})

    def floating(self) -> Operation:
        """Like any other, and perhaps with a policy."""
        one = super().floating()
        assert one.document is not None
        return one._replace(document={**one.document, "qos_policy_id": self.some_policy()})

    def router(self) -> Operation:
        """Its gateways perhaps with policies."""
        one = super().router()
        assert one.document is not None
        gateways = [{**each, "qos_policy_id": self.some_policy()} for each in one.document["external_gateways"]]
        return one._replace(document={**one.document, "external_gateways": gateways})

    def some_policy(self) -> str | None:
        """What a port or a network says of its policy; most say nothing."""
        return name("qos_policy", self._below(POLICIES)) if self._maybe(0.3) else None

    def queues(self) -> dict[str, object]:
        """What a host or an uplink says of queues where frames leave."""
        return {"queues": "eth9" if self._maybe(0.6) else None, "speed": self.random.choice((None, 100))}
