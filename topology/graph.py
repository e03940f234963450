"""The graph of switches, as paths are found on it: links that are seen in both directions.

A fact `link` is one direction of a wire, as discovery has seen it. A wire of which one direction alone is seen carries
nothing: what goes into it may never come back, and its sender would not hear if it broke.
"""
from controller.app import query


@query
def graph(world):
    """networkx.MultiDiGraph: a node for each switch; an edge for each direction of a wire, its key the source port.

    Edges have `port` and `target_port` (OpenFlow numbers), `speed` (Mbit/s or None) and `latency` (µs or None). It is
    the same object until a switch or a link changes: do not alter it, copy it.
    """
    import networkx  # takes long to load, and few ask: not at every start
    found = networkx.MultiDiGraph()
    found.add_nodes_from(switch.id for switch in world.find("switch", "all", True))
    links = {link.id: link for link in world.find("link", "all", True)}
    for link in links.values():
        if link.source_switch_id in found and link.target_switch_id in found and is_two_way(link, links):
            found.add_edge(link.source_switch_id, link.target_switch_id, key=link.source_port, port=link.source_port,
                           target_port=link.target_port, speed=link.speed, latency=link.latency)
    return found


def is_two_way(link, links):
    """Whether the wire's other direction is among these links (rows by id) too."""
    back = links.get(f"{link.target_switch_id}:{link.target_port}")
    return back is not None and (back.target_switch_id, back.target_port) == (link.source_switch_id, link.source_port)
