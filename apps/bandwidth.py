"""Bandwidth: what each circuit gets of the links, and what circuits leave of a link for everything else."""
from apps.places import plugged
from controller.app import query
from topology.paths import adjacent, wires
from topology.reservations import Asked, Reserved, reserve, room

NOBODY = Reserved({}, {}, {})


def seat(world, circuit, end):
    """(switch, OpenFlow port) of an end ("a" or "z") that is there, or None."""
    port, place = getattr(circuit, f"{end}_port_id"), getattr(circuit, f"{end}_switch_port")
    if place is not None:
        switch, _, number = place.partition(":")
        seen = any(one.ofport == int(number) for one in world.find("interface", "switch_id", switch))
        return (switch, int(number)) if seen and world.get("switch", switch) is not None else None
    seen = world.ask(plugged, port)
    return (seen.switch_id, seen.ofport) if seen is not None and not seen.tag else None


def asked_for(world, circuit):
    """What a circuit asks of the links; None while an end is not there, or it is off."""
    ends = [seat(world, circuit, end) for end in "az"]
    if None in ends or not circuit.admin_state_up:
        return None
    return Asked(circuit.priority, circuit.key, ends[0][0], ends[1][0], circuit.committed_kbps,
                 circuit.peak_kbps or circuit.committed_kbps, circuit.protected)


@query
def wish(world, circuit_id):
    return asked_for(world, world.need("circuit", circuit_id))


def reserved(world, asked, but=lambda wire: False):
    """What these would get of all links, or of all but some."""
    around = world.ask(wires)
    return reserve(tuple(wire for held in around.values() for wire in held if not but(wire)), asked,
                   world.setting("circuit_percent") / 100, world.setting("link_speed"), world.setting("link_speed_limit"))


@query
def wishes(world):
    """What all circuits ask for."""
    return tuple(sorted(one for row in world.find("circuit", "all", True) if (one := world.ask(wish, row.id)) is not None))


@query
def shares(world):
    """What all circuits get."""
    asked = world.ask(wishes)
    return reserved(world, asked) if asked else NOBODY


@query
def given(world, circuit_id):
    """What one circuit gets; None without a path."""
    one = world.ask(wish, circuit_id)
    found = world.ask(shares).given.get(one.key) if one is not None else None
    return found if found is not None and found.path is not None else None


@query
def queued(world, switch_id):
    """The ports of a switch where what is sent waits in queues."""
    return frozenset(one.ofport for one in world.find("interface", "switch_id+queues", (switch_id, True)))


@query
def taken(world, switch_id):
    """{port: what circuits leave of its link} of a switch, where meters hold all else to that."""
    queues = world.ask(queued, switch_id)
    return {port: left for (switch, port), left in world.ask(shares).left.items() if switch == switch_id and port not in queues}


@query
def passing(world, switch_id):
    """{port: {number of a circuit: what is committed to it}} of a switch where what is sent waits in queues."""
    found: dict[int, dict[int, int]] = {port: {} for port in world.ask(queued, switch_id)}
    got = world.ask(shares).given if found else {}
    for one in world.ask(wishes) if found else ():
        path = got[one.key].path if one.key in got else None        # it may have heard of a circuit a moment before
        for switch, port in path.links if path is not None else ():
            if switch == switch_id and port in found:
                found[port][one.key] = one.committed
    return found


def room_at(world, interface):
    """The kbit/s that a wire to another switch carries."""
    speed = next((wire.speed for wire in world.ask(adjacent, interface.switch_id) if wire.port == interface.ofport), interface.speed)
    return speed_of(world, speed)


def speed_of(world, mbits):
    """The kbit/s of a link or interface that says so many Mbit/s, or nothing."""
    return room(mbits, world.setting("link_speed"), world.setting("link_speed_limit"))
