"""Questions to the DNS of a network, written and read by another library than ours."""
from __future__ import annotations

from typing import Any, NamedTuple

import dns.message

from apps import names
from tests.kit.net import Net, Thing


class Asker(NamedTuple):
    """A machine on a network that asks."""
    network_id: str
    project_id: str


def on(network: Thing, project: str = "acme") -> Asker:
    return Asker(network.id, project)


def said(net: Net, network: Thing, query: dns.message.Message, limit: int | None = 1422,
         asker: str = "acme") -> dns.message.Message:
    """The answer to a message from a machine of a project on a network."""
    answer = names.reply(net.compiler.world, on(network, asker), query.to_wire(), limit)
    assert isinstance(answer, bytes), answer
    found = dns.message.from_wire(answer)
    assert query.is_response(found)
    return found


def ask(net: Net, network: Thing, name: str, kind: str = "A", asker: str = "acme", **more: Any) -> dns.message.Message:
    return said(net, network, dns.message.make_query(name, kind, **more), asker=asker)


def found(answer: dns.message.Message) -> list[str]:
    return sorted(record.to_text() for rrset in answer.answer for record in rrset)
