"""The extensions of Neutron's API that are served: each alias is here because the named test shows that it works."""
from typing import NamedTuple

import orjson

from controller.errors import Refused


class Extension(NamedTuple):
    """An alias as Neutron lists it; `test` is the function in tests/rest that proves it."""

    alias: str
    name: str
    description: str
    updated: str
    test: str


EXTENSIONS: dict[str, Extension] = {one.alias: one for one in (
    Extension("security-group", "Security groups",
              "Groups of rules about the connections that ports may open and accept",
              "2012-10-05T10:00:00-00:00", "test_a_security_group_and_its_rules_live_and_die"),
    Extension("security-groups-normalized-cidr", "Normalized prefix of a rule",
              "The remote prefix of a rule without the bits that it ignores",
              "2020-07-28T10:00:00-00:00", "test_a_rule_says_its_prefix_normalized"),
    Extension("security-groups-rules-belongs-to-default-sg", "Rules of default groups",
              "Whether a rule belongs to a project's default group",
              "2023-05-23T10:00:00-00:00", "test_a_rule_says_whether_its_group_is_the_default"),
    Extension("stateful-security-group", "Stateful security groups",
              "Whether a group lets answers of allowed connections pass",
              "2019-11-26T09:00:00-00:00", "test_a_group_may_be_stateless_until_it_is_used"),
    Extension("port-security-groups-filtering", "Ports by security group",
              "Lists the ports that are in a group",
              "2018-01-09T09:00:00-00:00", "test_ports_are_found_by_their_group"),
    Extension("port-security", "Port security",
              "Ports and networks without protection against spoofing",
              "2012-07-23T10:00:00-00:00", "test_port_security_is_taken_from_the_network_and_excludes_groups"),
    Extension("allowed-address-pairs", "Allowed address pairs",
              "Further addresses that a port may send from",
              "2013-07-23T10:00:00-00:00", "test_a_port_has_allowed_address_pairs"),
    Extension("extra_dhcp_opt", "Extra DHCP options",
              "DHCP options of one port",
              "2013-03-17T12:00:00-00:00", "test_a_port_has_extra_dhcp_options"),
    Extension("binding", "Port binding",
              "Host of a port and how its interface is plugged in there",
              "2014-02-03T10:00:00-00:00", "test_a_port_is_bound_to_a_host"),
    Extension("port-mac-address-regenerate", "New MAC address of a port",
              "A port asked to have no MAC address gets a new one",
              "2018-05-03T10:00:00-00:00", "test_a_port_gets_a_new_mac_address_for_null"),
    Extension("provider", "Provider attributes",
              "How a network is carried between hosts",
              "2012-09-07T10:00:00-00:00", "test_an_administrator_sees_and_chooses_how_a_network_is_carried"),
    Extension("external-net", "External networks",
              "Networks that lead outside, for gateways of every project",
              "2013-01-14T10:00:00-00:00", "test_an_external_network_is_seen_by_all_and_used_by_its_owner"),
    Extension("net-mtu", "Network MTU",
              "Largest packet of a network",
              "2015-03-25T10:00:00-00:00", "test_a_network_says_its_mtu"),
    Extension("net-mtu-writable", "Network MTU that can be set",
              "Largest packet of a network, as asked for",
              "2017-07-12T00:00:00-00:00", "test_a_network_has_the_mtu_that_was_asked_for"),
    Extension("vlan-transparent", "VLAN-transparent networks",
              "Networks that carry the tags of machines",
              "2015-03-23T09:00:00-00:00", "test_a_network_carries_tags_if_asked_to"),
    Extension("trunk", "Trunks",
              "A machine reaches several networks through one interface",
              "2016-01-01T10:00:00-00:00", "test_a_trunk_and_its_sub_ports_live_and_die"),
    Extension("trunk-details", "Trunks of ports",
              "The parent of a trunk says which sub-ports it carries",
              "2016-01-01T10:00:00-00:00", "test_a_parent_says_what_it_carries"),
    Extension("router", "Routers",
              "Routers, and the subnets that they join",
              "2012-07-20T10:00:00-00:00", "test_a_router_joins_and_leaves_subnets"),
    Extension("ext-gw-mode", "Gateways with and without SNAT",
              "Whether those behind a router share its address outside",
              "2013-03-28T10:00:00-00:00", "test_a_router_leads_outside_with_and_without_snat"),
    Extension("fip-port-details", "Ports of floating IPs",
              "A floating IP says what its port is",
              "2018-04-09T10:00:00-00:00", "test_a_floating_ip_stands_for_a_port_and_says_which"),
    Extension("floating-ip-port-forwarding", "Port forwardings",
              "Ports of a floating IP lead to ports behind the router",
              "2018-01-19T10:00:00-00:00", "test_ports_of_a_floating_ip_are_forwarded"),
    Extension("floating-ip-port-forwarding-description", "Descriptions of port forwardings",
              "Every port forwarding has a description",
              "2019-11-01T10:00:00-00:00", "test_ports_of_a_floating_ip_are_forwarded"),
    Extension("floating-ip-port-forwarding-port-ranges", "Ranges of port forwardings",
              "Several ports are forwarded at once",
              "2020-07-01T10:00:00-00:00", "test_ranges_of_ports_are_forwarded"),
    Extension("floating-ip-port-forwarding-detail", "Port forwardings with their ports",
              "A floating IP says which ports it forwards to, and of which port",
              "2022-05-06T10:00:00-00:00", "test_a_floating_ip_says_what_it_forwards"),
    Extension("expose-port-forwarding-in-fip", "Port forwardings of floating IPs",
              "A floating IP says what it forwards",
              "2018-06-28T16:00:00-00:00", "test_a_floating_ip_says_what_it_forwards"),
    Extension("extraroute", "Extra routes",
              "Routes of a router beside those to its own subnets",
              "2013-02-01T10:00:00-00:00", "test_a_router_has_extra_routes"),
    Extension("ecmp_routes", "Several next hops",
              "Connections to one destination are spread over several next hops",
              "2020-11-26T18:00:00-00:00", "test_a_destination_has_several_next_hops"),
    Extension("extraroute-atomic", "Extra routes one by one",
              "Routes are added and removed without naming the others",
              "2019-07-10T00:00:00-00:00", "test_extra_routes_are_added_and_removed_one_by_one"),
    Extension("network-ip-availability", "Addresses left",
              "How many addresses a network has, and how many are used",
              "2015-09-24T00:00:00-00:00", "test_addresses_of_networks_are_counted"),
    Extension("subnet_allocation", "Subnet pools",
              "Subnets are cut from pools of addresses",
              "2015-03-30T10:00:00-00:00", "test_a_subnet_is_cut_from_a_pool"),
    Extension("default-subnetpools", "Default subnet pools",
              "Subnets are cut from a pool that need not be named",
              "2016-02-18T18:00:00-00:00", "test_a_subnet_is_cut_from_the_default_pool"),
    Extension("subnetpool-prefix-ops", "Blocks of subnet pools one by one",
              "Blocks are added to pools and removed without naming the others",
              "2019-02-08T10:00:00-00:00", "test_blocks_of_a_pool_are_added_and_removed"),
    Extension("subnet_onboard", "Subnets that join a pool",
              "The subnets of a network become a pool's",
              "2018-12-18T09:00:00-00:00", "test_a_networks_subnets_are_taken_into_a_pool"),
    Extension("address-scope", "Address scopes",
              "Sets of pools in which no two have an address in common",
              "2015-07-26T10:00:00-00:00", "test_an_address_scope_keeps_pools_apart"),
    Extension("qos", "Quality of service",
              "Policies about what ports send and receive",
              "2015-06-08T10:00:00-00:00", "test_a_policy_with_its_rules_lives_and_dies"),
    Extension("qos-bw-limit-direction", "Direction of bandwidth limits",
              "What a port sends and what it receives are limited by themselves",
              "2017-04-10T10:00:00-00:00", "test_a_policy_with_its_rules_lives_and_dies"),
    Extension("qos-default", "Default policies",
              "New networks of a project have its default policy",
              "2017-041-06T10:00:00-00:00", "test_a_project_has_a_default_policy"),
    Extension("qos-port-network-policy", "Policy of a port's network",
              "A port says what policy its network has",
              "2019-11-01T10:00:00-00:00", "test_a_policy_with_its_rules_lives_and_dies"),
    Extension("qos-pps", "Limits of packets",
              "How many packets a port sends and receives in a second",
              "2021-05-12T10:00:00-00:00", "test_packets_are_limited_too"),
    Extension("qos-rule-type-details", "Details of types of rules",
              "What the rules of a type may say",
              "2017-06-22T10:00:00-00:00", "test_types_of_rules_say_what_they_may_say"),
    Extension("qos-rules-alias", "Rules without their policy",
              "Rules have an address that does not name their policy",
              "2018-10-07T10:00:00-00:00", "test_a_rule_is_found_without_its_policy"),
    Extension("project-id", "project_id",
              "Objects say their project as project_id and as tenant_id",
              "2016-09-09T09:09:09-09:09", "test_an_object_says_its_project_by_both_names"),
    Extension("quotas", "Quotas",
              "Limits of a project, to see and to set",
              "2012-07-29T10:00:00-00:00", "test_quotas_are_shown_set_kept_and_reset"),
    Extension("quota_details", "Quota details",
              "Limits of a project with what is used of them",
              "2017-02-10T10:00:00-00:00", "test_quota_details_count_what_is_used"),
    Extension("standard-attr-description", "Descriptions",
              "Every object has a description",
              "2016-02-10T10:00:00-00:00", "test_every_kind_has_a_description"),
    Extension("standard-attr-timestamp", "Timestamps",
              "When an object was created and last changed",
              "2016-09-12T10:00:00-00:00", "test_every_kind_says_when_it_was_created_and_changed"),
    Extension("standard-attr-revisions", "Revision numbers",
              "How often an object was changed",
              "2016-04-11T10:00:00-00:00", "test_every_kind_counts_its_changes"),
    Extension("revision-if-match", "If-Match",
              "Writes that are done only to the revision that was seen",
              "2016-12-11T00:00:00-00:00", "test_a_write_can_insist_on_the_revision_that_was_seen"),
    Extension("standard-attr-tag", "Tags",
              "Labels of an object",
              "2017-01-01T00:00:00-00:00", "test_tags_are_replaced_added_removed_and_filtered_by"),
    Extension("tag-creation", "Several tags at once",
              "Adds several tags in one request",
              "2024-07-23T10:00:00-00:00", "test_several_tags_are_added_at_once"),
    Extension("pagination", "Pages",
              "Lists in pages, with links",
              "2016-06-12T00:00:00-00:00", "test_a_list_is_walked_in_pages_by_its_links"),
    Extension("sorting", "Order",
              "Lists in an order by several attributes",
              "2016-06-12T00:00:00-00:00", "test_a_list_is_sorted_by_several_keys"),
    Extension("sort-key-validation", "Checked order",
              "An order by what is no attribute is refused",
              "2018-07-04T10:00:00-00:00", "test_an_unknown_sort_key_is_refused"),
    Extension("filter-validation", "Checked filters",
              "A filter by what is no attribute is refused",
              "2018-07-04T10:00:00-00:00", "test_an_unknown_filter_is_refused"),
    Extension("empty-string-filtering", "Filters for nothing",
              "A filter with no value finds what has none",
              "2018-05-01T10:00:00-00:00", "test_an_empty_filter_finds_what_is_empty"),
    Extension("ip-substring-filtering", "Ports by part of an address",
              "Lists the ports with a part of an address",
              "2017-11-28T09:00:00-00:00", "test_ports_are_found_by_a_part_of_their_address"),
)}


class _NoExtension(Refused):
    """404 in the words of Neutron."""

    status = 404
    type = "ExtensionNotFound"


def _shown(one: Extension) -> dict:
    return {"alias": one.alias, "name": one.name, "description": one.description, "updated": one.updated, "links": []}


def listed() -> bytes:
    """The answer to `GET /v2.0/extensions`."""
    return orjson.dumps({"extensions": [_shown(one) for one in EXTENSIONS.values()]})


def one(alias: str) -> bytes:
    """The answer to `GET /v2.0/extensions/ALIAS`, or 404."""
    if alias not in EXTENSIONS:
        raise _NoExtension(f"Extension with alias {alias} does not exist")
    return orjson.dumps({"extension": _shown(EXTENSIONS[alias])})
