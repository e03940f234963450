"""Discovery: which port of which switch is at the other end of the wire.

    every 5 s, from each port that is up and no tenant's:  LLDP, sealed ─► the wire ─► `listen` ─► us ─► fact `link`

The seal (controller/seals.py) proves that the frame is ours, has left just now, and has come back only once. Whatever is
not so changes nothing and raises an alarm that names the port. Ports that tenants are bound to take no part: nothing is
sent to them, and a frame of ours that comes from one has been carried there.

A link holds for 60 s without being heard again, so that wires which lose a third of all frames stay; it goes at once with
either of its ports (see controller/fading.py).
"""
from apps.pipeline import ADMIT, METERS
from controller.app import Alarm, Fact, FromPort, Said, Sealed, Unseal, answers, every, fades, flows, only
from controller.openflow import Meter, controller, match, meter
from controller.packet import lldp
from topology.binding import tenant

APP = 30
EVERY, LASTS = 5, 60                # seconds
RATE = 10                           # frames a second from one port
LLDP = {"eth_type": lldp.ETHERTYPE, "eth_dst": lldp.NEAREST_BRIDGE, "vlan_vid": 0}
WHAT = "discovery"


def takes_part(world, seen):
    """Whether there may be a link at this interface: it is up, and no tenant's. On a host somebody must have said so."""
    return bool(here(world, seen)) and seen.link_state == "up" and world.ask(tenant, seen.id) is None


def may_lead_on(seen):
    """Whether it is on a switch without host, or said to be a wire."""
    return seen.host_id is None or seen.wire


@only(may_lead_on)
def here(world, seen):
    return (seen.switch_id,) if may_lead_on(seen) and seen.switch_id and seen.ofport else ()


def port_of(world, seen):
    return ((seen.switch_id, seen.ofport),)


@every(EVERY, per="interface", to=port_of, eager=5, at_once=True)
@only(may_lead_on)
def speak(world, seen):
    if not takes_part(world, seen) or not here(world, seen):
        return Said()
    frame = lldp.parts(seen.hw_address or "02:00:00:00:00:01", seen.switch_id, str(seen.ofport), LASTS)
    return Said((Sealed(about(seen.switch_id, seen.ofport), *frame),))


def about(switch_id, port):
    return f"{switch_id}:{port}".encode()


@flows(per="interface", on=here, each=True)
def listen(world, seen, switch_id):
    """A port of its own rate: whoever floods one is not heard there, and nobody else suffers."""
    if takes_part(world, seen):
        yield Meter(METERS["discovery"] + seen.ofport, pps=RATE, burst=RATE)
        yield ADMIT, "discovery", match(LLDP, in_port=seen.ofport), (meter(METERS["discovery"] + seen.ofport), controller())


@flows(per="switch", on=lambda world, switch: (switch.id,) if switch.host_id is None else (), each=True)
def overhear(world, switch, switch_id):
    """Discovery's frames from any other port; bridges never forward what is sent to that address."""
    yield Meter(METERS["overheard"], pps=RATE, burst=RATE)
    yield ADMIT, "never", match(LLDP), (meter(METERS["overheard"]), controller())


@answers(of=overhear)
def refuse(world, switch, frame):
    """From a port whose own flow is not there yet it is as good as any."""
    def at(port):
        seen, told = world.get("interface", f"{switch.id}:{port}"), lldp.read(frame)
        if seen is not None and takes_part(world, seen):
            return hear(world, seen, frame)
        if seen is None or told is None or told.proof is None:      # a port that has gone meanwhile accuses nobody
            return ()
        return (Alarm(WHAT, {"because": "a tenant's port says it is switch port " + named(told)}),)
    return (FromPort(at),)


@answers(of=listen)
def hear(world, seen, frame):
    told = lldp.read(frame)
    if told is None or told.proof is None:              # some other device's: not our business
        return ()
    return (Unseal(about(told.chassis, told.port), told.proof, told.chassis, lambda took: links(world, seen, told, took),
                   Alarm(WHAT, {"claimed": named(told)})),)


def links(world, seen, told, took):
    """What follows from a frame that is genuine, and was `took` µs on the way."""
    source, seen = (world.get("interface", id) for id in (f"{told.chassis}:{told.port}", seen.id))     # as they are by now
    if source is None or seen is None or not takes_part(world, source) or not takes_part(world, seen):
        return
    for end in (source, seen):
        if world.find("station", "switch_id+ofport", (end.switch_id, end.ofport)):
            yield Alarm(WHAT, {"claimed": named(told), "because": f"a machine is at {end.switch_id} port {end.ofport}: it was relayed"})
            return
    known = world.get("link", source.id)
    target = seen.switch_id, seen.ofport
    if source.id == seen.id:
        yield Alarm(WHAT, {"claimed": named(told), "because": "it has come back to where it was sent"})
        return
    if known is not None and (known.target_switch_id, known.target_port) != target:
        yield Alarm(WHAT, {"claimed": named(told), "because": f"its frames come out at {known.target_switch_id} port "
                                                              f"{known.target_port} already: this one was relayed"})
        return
    speeds = [one.speed for one in (source, seen) if one.speed]
    yield Fact("link", {"id": source.id, "source_switch_id": source.switch_id, "source_port": source.ofport,
                        "target_switch_id": seen.switch_id, "target_port": seen.ofport,
                        "speed": min(speeds, default=None), "latency": steady(known.latency if known else None, max(took, 1))})


def steady(known, took):
    """The latency to say, in µs: another than before only if it is another by far, so that paths do not flutter."""
    if known is not None and (abs(took - known) < 500 or known < 2 * took < 4 * known):
        return known
    return took


def named(told):
    return f"{told.chassis[:16]} port {told.port[:10]}"


@fades("link", seconds=LASTS)
def ends(link):
    return (link.source_switch_id, link.source_port), (link.target_switch_id, link.target_port)


def age(model, link):
    """Seconds since it was last heard of."""
    known = model.live.get("link.age")
    return known(link) if known else None
