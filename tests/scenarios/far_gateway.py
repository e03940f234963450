"""A subnet whose gateway is not one of its addresses: a machine of its own that is on the link, and leads on."""
from __future__ import annotations

from tests.scenarios.site import Machine, Site, Wish

GATEWAY, BEYOND = "192.0.2.1", "203.0.113.9"


def behind_far_gateway(site: Site, project: str, host: int = 1) -> Machine:
    """A machine without an address yet. The gateway, on host 2, has whatever addresses it likes."""
    network = site.network(project, subnets=())
    site.create("subnet", network_id=network["id"], project_id=project, ip_version=4, cidr="10.66.0.0/24", gateway_ip=GATEWAY)
    (gateway,) = site.machines(Wish(f"{project}gate", network, 2, None, {"port_security_enabled": False, "security_groups": []}),
                               addresses=False)
    gateway.vm.namespace.script(f"ip addr replace {GATEWAY}/32 dev eth0; ip addr replace {BEYOND}/32 dev lo; "
                                "ip route replace 10.66.0.0/24 dev eth0")
    (machine,) = site.machines(Wish(f"{project}one", network, host, 0, {"fixed_ips": [{"ip_address": "10.66.0.11"}]}),
                               addresses=False)
    return machine
