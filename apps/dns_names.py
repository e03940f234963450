"""Names of ports: what may be one, which is whose, and how it is written out."""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from controller.errors import Conflict, Invalid
from controller.types import Type, parsed
from controller.values import ip

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST = 253                          # characters of a whole name, without the last dot (RFC 1035 §2.3.4)
INDEX = "network_id+dns_name"


def _name(text: str) -> str:
    """Labels of letters, digits and hyphens (RFC 1123 §2.1), in lower case; with a dot at the end it is whole."""
    low = text.lower()
    labels = low.removesuffix(".").split(".")
    numeric = len(labels) > 1 and labels[-1].isdigit()
    if low and (len(low) > 255 or numeric or not all(map(_LABEL.fullmatch, labels))):
        raise ValueError(text)
    return low


def _whole(name: str) -> str:
    """Neutron wants domains with their last dot."""
    if name and not name.endswith("."):
        raise ValueError(name)
    return name


_BAD: tuple = ("-a", "a-", "a..b", ".a", "a_b", "a b", "x" * 64, "a.1", "é", "a\n", ".", ".".join(["x" * 60] * 5), 1, [], True)
NAME = Type("dns-name", parsed(_name, "a name for DNS: labels of letters, digits and hyphens"), {"type": "string"},
            ("web", "web-1", "Web", "a.b", "1"), _BAD)
DOMAIN = Type("dns-domain", parsed(lambda text: _whole(_name(text)), "a domain for DNS with a dot at its end: example.org."),
              {"type": "string"}, ("example.org.", "Example.ORG.", "local."), (*_BAD, "example.org"))
ZONE = Type("dns-zone", parsed(_name, "a domain for DNS: example.org"), {"type": "string"}, ("example.org.", "local"), _BAD)


def _forwarder(text: str) -> tuple[str, int]:
    """`192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`."""
    found = re.fullmatch(r"\[([^\]]+)\]:(\d{1,5})|([^:]+):(\d{1,5})|(.+)", text)
    if found is None:
        raise ValueError(text)
    port = int(found[2] or found[4] or 53)
    if not 0 < port < 65536:
        raise ValueError(text)
    return ip(found[1] or found[3] or found[5]), port


def _read_forwarder(value: Any) -> tuple[str, int]:
    if isinstance(value, tuple) and len(value) == 2:
        return value[0], value[1]
    read: tuple[str, int] = parsed(_forwarder, "the address of a resolver, and perhaps its port: 192.0.2.53:53")(value)
    return read


FORWARDER = Type("forwarder", _read_forwarder, {"type": "string"}, ("192.0.2.53", "[2001:db8::53]:5353"),
                 ("resolver", "192.0.2.53:0", "192.0.2.53:99999", "[::1]", 1, ""))


# ---- whose is which

def domain_of(settings: Mapping[str, Any], network: Any) -> str:
    """The domain of a network's names, without the last dot; "" for none."""
    return str(network.dns_domain or settings["dns"]["domain"]).removesuffix(".")


def hostname(port: Any, address: str) -> str:
    """What a port's address is called within its domain."""
    return port.dns_name or f"host-{address.replace('.', '-').replace(':', '-')}"


def full_name(settings: Mapping[str, Any], network: Any, port: Any, address: str) -> str:
    """The same with its domain, without the last dot."""
    return whole(hostname(port, address), _domain_at(settings, network, port))


def _domain_at(settings: Mapping[str, Any], network: Any, port: Any) -> str:
    return port.dns_domain.removesuffix(".") or domain_of(settings, network)


def whole(name: str, domain: str) -> str:
    """A name with its domain, without the last dot; one that has a dot at its end is whole already."""
    return f"{name}.{domain}" if name and domain and not name.endswith(".") else name.removesuffix(".")


def name_of_floating(settings: Mapping[str, Any], network: Any, floating: Any) -> str:
    """What a floating IP of a network is called, without the last dot; "" without a name."""
    return whole(floating.dns_name, floating.dns_domain.removesuffix(".") or domain_of(settings, network))


def assignment(model: Any, port: Any) -> list[dict[str, str]]:
    """The names of a port's addresses, as Neutron shows them."""
    domain = _domain_at(model.settings, model.get("network", port.network_id), port)
    named = [(fixed["ip_address"], hostname(port, fixed["ip_address"])) for fixed in port.fixed_ips]
    return [{"ip_address": address, "hostname": name, "fqdn": whole(name, domain) + "."} for address, name in named]


def address_in(label: str) -> str | None:
    """The address of which a default name is made: host-10-0-0-5."""
    said = label.removeprefix("host-")
    if said == label:
        return None
    for text in (said.replace("-", "."), said.replace("-", ":")):
        try:
            return ip(text)
        except ValueError:
            continue
    return None


def splits(name: str) -> Iterator[tuple[str, str]]:
    """Every way to see a name as one in a domain, the longest domain first."""
    labels = name.split(".")
    for at in range(1, len(labels) + 1):
        yield ".".join(labels[:at]), ".".join(labels[at:])


def address_of_pointer(name: str) -> str | None:
    """The address that a name under in-addr.arpa or ip6.arpa stands for (RFC 1035 §3.5, RFC 3596 §2.5)."""
    labels = name.split(".")
    try:
        if labels[-2:] == ["in-addr", "arpa"] and len(labels) == 6 and all(one.isdigit() for one in labels[:4]):
            return ip(".".join(str(int(one)) for one in reversed(labels[:4])))
        if labels[-2:] == ["ip6", "arpa"] and len(labels) == 34:
            digits = "".join(reversed(labels[:32]))
            return ip(":".join(digits[at:at + 4] for at in range(0, 32, 4)))
    except ValueError:
        return None
    return None


# ---- what may be set

def check_floating(write: Any, document: Mapping[str, Any], network: Any) -> None:
    """A floating IP's name and domain: short enough together, and no other's of the project."""
    name, domain = document["dns_name"], document["dns_domain"]
    if domain and not name:
        raise Invalid("dns_domain", "is the domain of a name: give dns_name too")
    if not name:
        return
    within = domain.removesuffix(".") or domain_of(write.settings, network)
    _check_whole(name, within)
    for other in write.find("floatingip", "project_id", document["project_id"]):
        there = write.need("network", other.floating_network_id)
        if name_of_floating(write.settings, there, other) == whole(name, within):
            raise Conflict("DuplicateRecordSet", f"dns_name: name {name} is duplicated: floating IP {other.id} has it; "
                                                 "choose another")


def _check_whole(name: str, domain: str) -> None:
    if name.endswith(".") and not name[:-1].endswith(f".{domain}"):
        raise Invalid("dns_name", f"a name with a dot at its end must be within the domain {domain}.")
    if len(name if name.endswith(".") else f"{name}.{domain}") > _LONGEST:
        raise Invalid("dns_name", f"must not be longer than {_LONGEST} characters together with the domain {domain}")


def check(write: Any, document: Mapping[str, Any], before: Any = None) -> None:
    """A port's name and domain: short enough together, within the domain if the name is whole, and nobody else's."""
    name, domain = document["dns_name"], document["dns_domain"]
    if not name or before is not None and (name, domain) == (before.dns_name, before.dns_domain):
        return
    network = write.need("network", document["network_id"])
    within = domain.removesuffix(".") or domain_of(write.settings, network)
    _check_whole(name, within)
    for port in write.find("port", INDEX, (document["network_id"], name)):
        machine = document["device_id"] and port.device_id == document["device_id"]
        if port.id != document["id"] and not machine:
            raise Conflict("DuplicateRecordSet", f"dns_name: name {name} is duplicated: port {port.id} of network "
                                                 f"{network.id} has it; choose another")
