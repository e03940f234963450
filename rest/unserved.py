"""The extensions of Neutron's API that are not served, and why: `GET /v2.0/extensions/ALIAS` says so, and docs/api.md.

Every alias that neutron-lib knows is either here or in extensions.py; a test holds both to that.
"""

AGENTS = "nothing is scheduled: every host does its part by flows; what is where is told (dhcp-agents, l3-agents and the like)"
BGP = "routes are not exchanged with routers outside"
FIREWALL = "access lists (/v2.0/access-rules) and security groups are what guards"
HARDWARE = "interfaces are Open vSwitch's: nothing is offloaded or passed through"
MINIMUM = "packets are not promised: promise bits (minimum_bandwidth_rules)"
RECEIVING = "what a port receives waits nowhere on its host: promise those who send to it a minimum"
MIRRORS = "mirrors are not served; what crosses a port is seen with tcpdump on its host"
PLACEMENT = "nothing is reserved with a placement service"
VPN = "tunnels to other sites are not served"

UNSERVED: dict[str, str] = {
    "agent-resources-synced": PLACEMENT,
    "network_availability_zone": "a network, its DHCP and its metadata are wherever its ports are: a hint would mean nothing",
    "bgp": BGP, "bgp_4byte_asn": BGP, "bgp_dragent_scheduler": BGP, "ovn-bgp": BGP, "evpn": BGP,
    "bgpvpn": BGP, "bgpvpn-routes-control": BGP, "bgpvpn-vni": BGP, "rbac-bgpvpn": BGP, "standard-attr-bgpvpn": BGP,
    "standard-attr-bgpvpn-network-association": BGP, "standard-attr-bgpvpn-port-association": BGP,
    "standard-attr-bgpvpn-router-association": BGP,
    "dhcp_agent_scheduler": AGENTS, "l3-agent-scheduler-ha-chassis-priority": AGENTS,
    "dns-integration-domain-keywords": "a domain is a name, and holds no keywords",
    "enable-default-route-bfd": "next hops outside are asked for by ARP, not by BFD",
    "expose-l3-conntrack-helper": "connection tracking has no helpers", "l3-conntrack-helper": "connection tracking has no helpers",
    "router-service-type": "what kind of router one is says its flavor",
    "flow_classifier": "chains of services are not served", "sfc": "chains of services are not served",
    "fwaas_v2": FIREWALL, "standard-attr-fwaas-v2": FIREWALL,
    "l3-port-ip-change-not-allowed": "an interface of a router may get other addresses, unless the old ones are needed",
    "network": "part of the core API, which is served whole", "port": "part of the core API, which is served whole",
    "subnet": "part of the core API, which is served whole", "subnetpool": "part of the core API; see subnet_allocation",
    "network-cascade-delete": "a network with ports stays until they are gone: no machine loses its network by a request about that",
    "network_ha": "no networks are needed to make routers redundant",
    "port-device-profile": HARDWARE, "port-hardware-offload-type": HARDWARE, "port-hint-ovs-tx-steering": HARDWARE,
    "port-hints": HARDWARE, "port-numa-affinity-policy": HARDWARE, "port-numa-affinity-policy-socket": HARDWARE,
    "port-trusted-vif": HARDWARE, "uplink-status-propagation": HARDWARE, "uplink-status-propagation-updatable": HARDWARE,
    "port-mac-override": HARDWARE,
    "port-resource-request": PLACEMENT, "port-resource-request-groups": PLACEMENT,
    "project-default-networks": "there are no networks that a port is put on unasked",
    "pvlan": "private VLANs are not served; /v2.0/port-isolations keeps the ports of a network apart", "qinq": "one tag is looked behind",
    "qos-bw-minimum-ingress": RECEIVING, "qos-pps-minimum": MINIMUM, "qos-pps-minimum-rule-alias": MINIMUM,
    "router-admin-state-down-before-update": "a router may change while it is up: it is nowhere that it would have to leave",
    "security-groups-default-statefulness": "groups are stateful unless they say otherwise",
    "security-groups-name-restrictions": "names follow the rules of all other names",
    "taas": MIRRORS, "taas-vlan-filter": MIRRORS, "tap-mirror": MIRRORS, "tap-mirror-both-direction": MIRRORS,
    "vpn-aes-ccm-gcm": VPN, "vpn-aes-ctr": VPN, "vpn-endpoint-groups": VPN, "vpn-flavors": VPN, "vpn-no-sha1-3des": VPN,
    "vpnaas": VPN,
}

# Addresses of Neutron's that are not served, by the part of the path that says so, and why: they answer 501.
ADDRESSES: dict[str, str] = {
    **dict.fromkeys(("minimum_packet_rate_rules", "alias_minimum_packet_rate_rules"), MINIMUM),
    "vpn": VPN, "sfc": UNSERVED["sfc"], "fwaas": FIREWALL,
    "taas": MIRRORS, "bgp-speakers": BGP, "bgp-peers": BGP, "bgpvpn": BGP}
