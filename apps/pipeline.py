"""The path of a packet through a switch, top to bottom. The first file to read.

          from a port ─► ADMIT ─► GUARD ─► ND_GUARD ─► ANSWER ─► OUT_TRACK ─► [rules] ────┐
                           │                             │ (ARP, ND and DHCP are answered) │
        from a tunnel ─────┼─────────────────────────────┼─────────────────────────────────┤
                           ▼                                                               ▼
                        (unknown: dropped)                        COPIES ◄─ (to many) ─ FORWARD ◄─────┐
                                                                     │                     │ └─ to a router: LEAVE ─►
                                                                     │                     │    ROUTE ─► NEXT_HOP ─┘
                                                                     │                     │ RECEIVER is known
             DELIVER ◄─ COMMIT ◄─ [rules] ◄─ IN_TRACK ◄────────────────────────────────────┤
                │          ▲                                    a port of this host          │
                ▼          └─────────────────────────────────────────────────────────────────┘
              output                                            a tunnel to another host

             [rules]: ADDRESSES ─► OPENED ─► OUT_RULES or IN_RULES ─► ALLOWED, for the sender first and then for the receiver

A connection is looked up once in its network's conntrack zone, by whoever guards it first, and committed once,
after both sides have allowed it. Every packet is held against the rules, an answer against those that allowed the
question, so a connection ends when the rule that allowed it goes (`security_groups.py`).

Before adding a table: can a priority level in an existing one say it? Then choose a number between its
neighbours; the declaration refuses disorder, and `hadron pipeline` draws it.
"""
from controller.openflow.actions import FORGET_IN_PORT, move
from controller.openflow.pipeline import Pipeline

PIPELINE = Pipeline()
table, register = PIPELINE.table, PIPELINE.register

ADMIT = table(
    0, "admit", "Which port, tunnel or uplink did it come from? Load its network and its sender.",
    levels={"discovery": 250, "never": 200, "circuit": 150, "known": 100})
LABELLED = table(
    2, "labelled", "It came over a link between switches: is this the switch that it is for?",
    levels={"circuit": 200, "own": 100, "onward": 90})
COUNT_OUT = table(
    3, "count_out", "Of a port that is watched: which address speaks with whom?",
    levels={"peer": 1000})
UNWRAPPED = table(
    4, "unwrapped", "Which network is the frame inside of?",
    levels={"frame": 100})
POLICE = table(
    5, "police", "How much may this port send, and how is it marked?",
    levels={"ip": 110, "port": 100})
ACCESS_OUT = table(
    7, "access_out", "Do the access lists of the network let the sender say it?",
    levels={"partake": 3000, "rule": 1000})
ENTER = table(
    8, "enter", "Does anybody guard the sender?",
    levels={"nobody": 100})
GUARD = table(
    10, "guard", "May this port send from these addresses?",
    levels={"never": 300, "own": 200, "arp": 60, "any": 50})
ND_GUARD = table(
    12, "nd_guard", "Does neighbour discovery name only its own MAC?",
    levels={"never": 200, "own": 100, "claim": 50})
ND_TARGET = table(
    14, "nd_target", "Does a neighbour advertisement speak only for its own addresses?",
    levels={"own": 100})
LOCATE = table(
    16, "locate", "Is the sender where its addresses are known to be? For ports that take whatever is plugged in.",
    levels={"located": 200, "claim": 150, "station": 100, "stranger": 50})
ANSWER = table(
    20, "answer", "Can ARP, neighbour discovery or DHCP be answered on the spot?",
    levels={"probe": 150, "known": 100, "question": 90, "exempt": 50, "dispatch": 10})
ASK = table(
    21, "ask", "Does the controller answer this port's questions for addresses and routers?",
    levels={"port": 100, "exempt": 50, "dispatch": 10})
ND_REPLY = table(
    22, "nd_reply", "Finish the neighbour advertisement and send it back.",
    levels={"advertise": 100})
SERVE = table(
    23, "serve", "Metadata and names: the controller is asked, so many times a second by each port.",
    levels={"port": 100})
OUT_FREE = table(
    24, "out_free", "Do the sender's stateless security groups let it out?",
    levels={"rule": 100, "remote": 90, "logged": 20})
OUT_TRACK = table(
    25, "out_track", "Look the sender's connection up.",
    levels={"look_up": 100})
ADDRESSES = table(
    26, "addresses", "Whose are the addresses that the rules know?",
    levels={"network": 100})
OPENED = table(
    27, "opened", "Did the port whose rules are asked open the connection, or the other side? It decides which rules.",
    levels={"logged": 250, "never": 200, "leaving": 100, "arriving": 50})
OUT_RULES = table(
    28, "out_rules", "Do the rules of the port that opened it allow the connection, for questions and answers?",
    levels={"piece": 200, "rule": 100, "remote": 90, "logged": 20, "answer": 1})
IN_RULES = table(
    29, "in_rules", "Do the rules of the port to which it was opened allow it, for questions and answers?",
    levels={"piece": 200, "rule": 100, "remote": 90, "logged": 20, "answer": 1})
ALLOWED = table(
    30, "allowed", "Its rules allow it: on from the sender's side, or to the receiver.",
    levels={"piece": 200, "logged": 150, "leaving": 100})
LEAVE = table(
    32, "leave", "It is for a router: the sender's side is done with its connection.",
    levels={"never": 200, "new": 100, "known": 50})
NAT_IN = table(
    33, "nat_in", "If it is from outside: whose is it within?",
    levels={"expired": 200, "own": 100, "plain": 20, "untold": 10, "closed": 5})
KEEP = table(
    34, "keep", "If it is from within: by which of several gateways did its connection begin?",
    levels={"gateway": 100})
ROUTE = table(
    35, "route", "Which network does the router send it to, and to which next hop?",
    levels={"answer": 2000, "own": 1900, "expired": 1800, "route": 100, "none": 1})
NAT_OUT = table(
    36, "nat_out", "It leaves for outside: by which address?",
    levels={"large": 200, "own": 100, "scope": 70, "any": 50, "plain": 10})
METERING = table(
    37, "metering", "It crosses a router's gateway: for which labels is it counted?",
    levels={"excluded": 200, "rule": 100, "router": 50})
NEXT_HOP = table(
    38, "next_hop", "What is the next hop's MAC?",
    levels={"never": 200, "large": 150, "known": 100, "unknown": 10, "none": 1})
FORWARD = table(
    40, "forward", "Find the receiver: a port here, or a tunnel to its host.",
    levels={"outside": 110, "port": 100, "here": 80, "flood": 70, "unknown": 10})
COPIES = table(
    45, "copies", "Which ports of this host get a copy?",
    levels={"all": 100, "unknown": 10})
IN_TRACK = table(
    50, "in_track", "Look the receiver's connection up, unless the sender's side has.",
    levels={"exempt": 200, "tracked": 110, "look_up": 100})
IN_FREE = table(
    52, "in_free", "Do the receiver's stateless security groups let it in?",
    levels={"exempt": 200, "rule": 100, "remote": 90, "logged": 20, "other": 10})
COMMIT = table(
    55, "commit", "Both sides allow it: remember the connection.",
    levels={"piece": 200, "new": 100})
DELIVER = table(
    60, "deliver", "Hand it to the receiver's port, tunnel or uplink.",
    levels={"self": 200, "twin": 160, "routed": 150, "known": 100, "no_uplink": 50})
ACCESS_IN = table(
    61, "access_in", "Do the access lists of the network let the receiver have it?",
    levels={"rule": 1000})
ISOLATE = table(
    62, "isolate", "May the sender reach the ports of this network?",
    levels={"router": 200, "isolated": 100})
HAND_OVER = table(
    63, "hand_over", "How many bits may this port receive?",
    levels={"twin": 110, "port": 100})
COUNT_IN = table(
    64, "count_in", "For a port that is watched: who speaks with which address?",
    levels={"twin": 30000, "twin_rest": 29000, "peer": 1000})
DENIED = table(
    65, "denied", "Access lists refuse it: is that counted for somebody who is watched?",
    levels={"port": 100})
PATHS = table(
    66, "paths", "Over which of several paths does it go to the switch that it is for?",
    levels={"never": 300, "policy": 200, "several": 100})
WRAP = table(
    67, "wrap", "Take a copy for the link: the frame itself stays as it is.")
STACK = table(
    68, "stack", "Put on the labels of its network and of the switch that it goes to.",
    levels={"frame": 100})
LABELS = table(
    70, "labels", "By which port does it go on to the switch of its label?",
    levels={"circuit": 300, "detour": 200, "policy": 150, "switch": 100})

UNGUARDED, STATEFUL, STATELESS = 0, 1, 2
RECEIVER = register(5, "key of the port it goes to; 1 to 3: a tunnel; 4: the uplink")
NETWORK  = register(6, "key of the network it is in; also its conntrack zone")
GUARDS   = register(4, "who guards the sender: 0 nobody, 1 stateful groups, 2 stateless groups")
ROUTER   = register(2, "key of the router that it is in")
LARGE    = register(11, "1: it is too big for the network that it is routed to")
GATE     = register(10, "key of the gateway by which it must leave; 0: any")
HOP      = register(9, "IPv4 address of the next hop")
REALM    = register(3, "whose addresses these are: key of the first of the networks that may send to each other")
GROUPS   = register(8, "whose rules are asked: a digest of the security groups that this port is in")
SENDER   = register(7, "key of the port it came from; 0: a tunnel, a link or an uplink")
EGRESS   = register(0, "label of the switch that it is for; its highest bit: which no tunnel leads to")
VIA      = register(1, "label of the switch to which it goes over links first; from bit 20 on: its path policy's plane")

# Tunnels: one flow-based OpenFlow port per type, at a fixed number on every integration bridge; to RECEIVER
# a tunnel is one of these small keys (ports' keys start at 16).
TUNNEL_PORT = {"vxlan": 65001, "geneve": 65002, "gre": 65003}
TUNNEL_KEY = {"vxlan": 1, "geneve": 2, "gre": 3}
NO_TUNNEL = 1 << 31       # in EGRESS
UPLINK = 4                # … and this is where the physical network is that carries a flat or VLAN network

HOP6     = "xxreg3"      # IPv6 address of the next hop, in four registers
HOP6_PARTS = [register(12 + part, f"IPv6 address of the next hop, part {part + 1} of 4", name=f"HOP6_{part + 1}")
              for part in range(4)]

PIPELINE.name_registers(vars())

# Numbers of meters: where those for each purpose begin. What is metered adds a number of its own: a port's key, unless said
# otherwise.
METERS = {
    "questions": 0,
    "errors": 1 << 24,                                                     # + the router's key
    "bits sent": 2 << 24, "packets sent": 3 << 24, "bits received": 4 << 24, "packets received": 5 << 24,
    "services": 6 << 24, "log": 7 << 24,
    "claims": 10 << 24,
    "circuits": 11 << 24,                                                  # + the circuit's key twice, and the direction
    "links": 12 << 24,                                                     # + OpenFlow port
    "hops": 13 << 24,
    "wires": 14 << 24,                                                     # + the network's key
    "spoofs": (16 << 24) - 2, "overheard": (16 << 24) - 1,                 # one on each switch
    "discovery": 16 << 24,                                                 # + OpenFlow port
    "stations": 32 << 24,
}

# What a flow has made of a question goes back to whoever asked, by the way that leads there.
BACK = (move(SENDER, RECEIVER), FORGET_IN_PORT, DELIVER)
