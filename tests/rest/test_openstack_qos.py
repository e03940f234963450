"""The real `openstack` command and openstacksdk say what ports may send and receive."""


def test_the_command_makes_policies_and_gives_them_to_ports_and_networks(openstack):
    made = openstack("network qos policy create --description best --share gold")
    assert (made["name"], made["description"], made["shared"], made["rules"]) == ("gold", "best", True, [])
    limit = openstack("network qos rule create --type bandwidth-limit --max-kbps 3000 --max-burst-kbits 300 --egress gold")
    openstack("network qos rule create --type dscp-marking --dscp-mark 26 gold")
    assert {one["Type"] for one in openstack("network qos rule list gold")} == {"bandwidth_limit", "dscp_marking"}
    openstack(f"network qos rule set --max-kbps 4000 gold {limit['id']}")
    assert openstack(f"network qos rule show gold {limit['id']}")["max_kbps"] == 4000
    openstack("network create --qos-policy gold red")
    openstack("port create --network red p")
    openstack("port set --qos-policy gold p")
    assert openstack("port show p")["qos_policy_id"] == made["id"] == openstack("network show red")["qos_policy_id"]
    assert "uses it" in openstack.fails("network qos policy delete gold")
    openstack("port unset --qos-policy p")
    openstack("network set --no-qos-policy red")
    openstack(f"network qos rule delete gold {limit['id']}")
    assert {one["Type"] for one in openstack("network qos rule type list")} == {
        "bandwidth_limit", "dscp_marking", "minimum_bandwidth", "packet_rate_limit"}
    openstack("network qos policy set --no-share --name silver gold")
    openstack("network qos policy delete silver")


def test_the_library_makes_policies(library):
    policy = library.create_qos_policy(name="gold")
    rule = library.create_qos_packet_rate_limit_rule(policy, max_kpps=2, direction="ingress")
    assert library.get_qos_packet_rate_limit_rule(rule.id, policy).max_kpps == 2
    assert [one.type for one in library.qos_rule_types()]
    library.delete_qos_packet_rate_limit_rule(rule.id, policy)
    library.delete_qos_policy(policy)
