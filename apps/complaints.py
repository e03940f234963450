"""What routers send of their own when a packet cannot go on: words for `say_why` in `routing.py`."""
from apps.pipeline import FORWARD, GATE, NETWORK, ROUTE, ROUTER, SENDER
from apps.places import is_contested, owner, owners
from controller.openflow.actions import resubmit, set_field
from controller.packet import arp, ethernet, icmp6, icmp_errors, ipv6


def tell_outside(world, router, gates, to, seen, frame, why):
    """To who is outside why the packet goes no further: translated back as an answer of who is within, by the floating address if it has one."""
    for gate in gates:
        held = world.find("port", "network_id+mac_address", (gate.network_id, to))
        if not held:
            continue
        floating = world.get("floatingip", held[0].device_id)
        whole = floating is not None and floating.fixed_ip_address == seen.destination
        own = [seen.destination] if whole else [fixed.ip_address for fixed in gate.fixed_ips]
        if error := icmp_errors.error(frame, own, why):
            yield set_field({ROUTER: router.key, SENDER: gate.key, GATE: gate.key}) + resubmit(ROUTE), error


def ask_owners(world, router, port, destination):
    """Who of those that may have the next hop's address has it? Each is asked, and who answers says so to all."""
    for hop in (destination, *(one.nexthop for one in router.routes)):
        source = next((fixed.ip_address for fixed in port.fixed_ips if (":" in fixed.ip_address) == (":" in hop)), None)
        if source and is_contested(world, port.network_id, hop) and world.ask(owner, port.network_id, hop) is None:
            network, mac = world.need("network", port.network_id), ethernet.address(port.mac_address)
            frame = icmp6.who_is(mac, ipv6.address(source), ipv6.address(hop)) if ":" in hop else \
                arp.request(port.mac_address, source, hop)
            for _, to in world.ask(owners, port.network_id, hop):
                yield set_field({NETWORK: network.key, SENDER: port.key}) + resubmit(FORWARD), ethernet.address(to) + frame[6:]
