"""What gateways and floating addresses have in common: where a router leads outside, and how it is heard there."""
from apps.pipeline import FORWARD, NETWORK, SENDER
from apps.places import gateway_switch, is_gateway, uplink_of
from controller.app import Missing
from controller.openflow.actions import IN_PORT, move, push_vlan, set_field
from controller.openflow.match import match

ARP = 0x806


def outside(world, port):
    """The router, its outside network and the wire on the gateway host; without them the asking rule has no flows."""
    if not is_gateway(port):
        raise Missing("router", port.device_id)
    router, network = world.need("router", port.device_id), world.need("network", port.network_id)
    switch = world.ask(gateway_switch, router.id)
    wire = world.ask(uplink_of, switch, network.provider_physical_network) if switch else None
    if wire is None or not router.admin_state_up:
        raise Missing("uplink", network.id)
    return router, network, wire


def on_gateway(world, port):
    """The gateway host of the router whose outside port this is."""
    if not is_gateway(port):
        return ()
    switch = world.ask(gateway_switch, port.device_id)
    return (switch,) if switch else ()


def outside_address(port, v=4):
    return next((fixed for fixed in port.fixed_ips if (":" in fixed.ip_address) == (v == 6)), None)


def snat(router):
    info = router.external_gateway_info
    return info is not None and info.get("enable_snat") is not False



def to_wire(network):
    """Back by the wire that a frame came from, with the tag that was taken off."""
    tag = network.provider_segmentation_id if network.provider_network_type == "vlan" else None
    return (push_vlan(), set_field(vlan_vid=0x1000 | tag), IN_PORT) if tag else (IN_PORT,)


def answer_arp(network, mac, ip):
    """ARP requests from outside for an address are answered where they come in."""
    yield FORWARD, "outside", match({NETWORK: network.key, SENDER: 0, "eth_type": ARP, "arp_op": 1, "arp_tpa": ip}), (
        move("eth_src", "eth_dst"), set_field(eth_src=mac), set_field(arp_op=2), move("arp_sha", "arp_tha"),
        set_field(arp_sha=mac), move("arp_spa", "arp_tpa"), set_field(arp_spa=ip), *to_wire(network))
