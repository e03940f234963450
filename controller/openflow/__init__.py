"""OpenFlow 1.4 as Open vSwitch speaks it: matches, actions and entries as bytes. Features import their words here."""
from controller.openflow import actions as _actions
from controller.openflow.actions import (
    FORGET_IN_PORT,
    IN_PORT,
    Nat,
    check_pkt_larger,
    clone,
    conjunction,
    controller,
    count,
    ct,
    ct_clear,
    dec_mpls_ttl,
    dec_ttl,
    decap,
    drop,
    encap,
    meter,
    move,
    output,
    pop_mpls,
    pop_vlan,
    push_mpls,
    push_vlan,
    resubmit,
    set_field,
    set_queue,
    tell,
)
from controller.openflow.fields import FIELDS, VLAN_PRESENT
from controller.openflow.flow import Flow, Why, delete_flow, merge
from controller.openflow.group import Entry, Group, Key, Meter, delete
from controller.openflow.match import match
from controller.openflow.pipeline import Pipeline, Register, Table

group = _actions.group      # the word, not the module `group`: importing that has taken the name

__all__ = [
    "FIELDS", "FORGET_IN_PORT", "IN_PORT", "VLAN_PRESENT", "Entry", "Flow", "Group", "Key", "Meter", "Nat", "Pipeline", "Register",
    "Table",
    "Why", "check_pkt_larger", "clone", "conjunction", "controller", "count", "ct", "ct_clear", "dec_mpls_ttl", "dec_ttl", "decap",
    "delete", "delete_flow", "drop", "encap",
    "group", "match", "merge", "meter", "move", "output", "pop_mpls", "pop_vlan", "push_mpls", "push_vlan", "resubmit",
    "set_field", "set_queue", "tell",
]
