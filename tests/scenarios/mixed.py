"""A site with hosts that tunnels join, and plain switches behind one of them that links join."""

from __future__ import annotations

import networkx

from scenarios.cloud import Plug
from scenarios.mesh import MTU, Mesh
from scenarios.namespace import ip_batch
from tests.scenarios.site import Machine, Site, Wish, wait

WIRE = 900


class Mixed:
    """The site, and plain switches in a row behind host 1: two, or as many as are asked for."""

    def __init__(self, site: Site, switches: int = 2) -> None:
        self.site, self.host = site, site.cloud.host(1)
        self.mesh = Mesh(self.host, networkx.path_graph(switches), controller=f"tcp:{site.hadron.config['openflow']['listen']}")
        ip_batch([f"link add wire mtu {MTU} type veth peer name riwe mtu {MTU}", "link set wire up", "link set riwe up"],
                 namespace=self.host.name)
        wait(lambda: "br-int" in self.host.vsctl("list-br"), "the integration bridge is not there", 20)
        self.host.vsctl("add-port", "br-int", "wire", "--", "set", "Interface", "wire", "external_ids:hadron-wire=true",
                        "--", "add-port", "s1", "riwe", "--", "set", "Interface", "riwe", f"ofport_request={WIRE}")
        wait(lambda: len(site.ask("GET", "/v2.0/links")["links"]) == 2 * switches, "links are not found", 60)

    def machine(self, wish: Wish) -> Machine:
        """A machine on the last plain switch; its port is bound to where it is plugged in."""
        last = len(self.mesh.names)
        port = self.site.create("port", **wish.body())
        vm, = self.site.cloud.plug_all([Plug(1, wish.name, port["id"], port["mac_address"], wish.network["mtu"])], bridge=f"s{last}")
        where = {"local_link_information": [{"switch_id": f"{last:016x}", "port_id": vm.plug.device}]}
        made = Machine(vm, self.site.change("port", port["id"], **{"binding:profile": where}))
        self.site.machines_by_name[wish.name] = made
        made.take_addresses()
        self.site.wait_active(made)
        return made
