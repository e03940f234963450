"""Several paths of equal cost: connections are spread over them, and each keeps to one, in both directions.

The choice is made where a frame comes in, while its addresses can still be seen: a select group, whose symmetric hash
(addresses of either end, and ports of TCP and SCTP) is Open vSwitch's own, takes a switch by way of which it goes
(topology/equal.py). Switches on the way see labels only, and hold nothing more for it. Copies of a broadcast all take the
shortest path. Around a link that breaks they go like everything else, until the controller has heard of it.
"""
from functools import lru_cache

from apps.pipeline import EGRESS, PATHS, VIA, WRAP
from apps.places import networks_on, region, routed, tunnel_address
from apps.transport import LABEL_BITS, labels_of_all, to_switches
from controller.app import flows, query
from controller.openflow.actions import group, resubmit, set_field
from controller.openflow.group import Group
from controller.openflow.match import match
from topology.equal import Choice
from topology.trees import Trees, trees

APP = 61
GROUPS = 1 << 25                        # + label of the switch that frames are for: numbers of groups
TO_ONE = ("00:00:00:00:00:00", "01:00:00:00:00:00")


NOBODY = Choice.over(Trees.over({}), "", (), 0)


@query
def partners(world, switch_id):
    """The switches to which machines here may send over links, in order."""
    found = {switch for network in networks_on(world, switch_id)
             for switch in world.ask(region, *world.ask(routed, network))}
    tunnelled = world.ask(tunnel_address, switch_id) is not None
    return tuple(sorted(switch for switch in found - {switch_id}
                        if not (tunnelled and world.ask(tunnel_address, switch))))


@query
def equal(world, switch_id):
    """The equal paths from a switch to each of its partners."""
    targets, most = world.ask(partners, switch_id), world.setting("equal_paths")
    if not targets:
        return NOBODY
    now = world.ask(trees)
    once = world.known(equal, switch_id)
    return once.after(now, targets, most) if once not in (None, NOBODY) else Choice.over(now, switch_id, targets, most)


@flows(per="switch", on=to_switches)
def spread_out(world, switch):
    """To each switch to which there are several paths, by a group of them."""
    labels = world.ask(labels_of_all)
    for target, paths in world.ask(equal, switch.id).paths.items():
        vias = tuple(labels[path.via] for path in paths if path.via in labels) if target in labels else ()
        if len(vias) > 1:
            number = GROUPS + labels[target]
            yield one_of(number, vias)
            yield PATHS, "several", match({EGRESS: (labels[target], LABEL_BITS), "eth_dst": TO_ONE}), (group(number),)


@lru_cache(8192)
def one_of(number, vias):
    """The group that takes one of these ways."""
    return Group(number, "select", [(1, None, (set_field({VIA: via}), resubmit(WRAP))) for via in vias])
