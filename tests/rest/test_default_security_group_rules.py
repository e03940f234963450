"""Default security group rules over REST and by the `openstack` command."""
from __future__ import annotations

from tests.kit.openstack import Openstack
from tests.kit.served import TOKENS, Client, Served

SERVED = {"tokens": True}
PATH = "/v2.0/default-security-group-rules"


def test_new_groups_begin_with_the_default_rules(admin: Client, ann: Client) -> None:
    legacy = ann.get(PATH)["default_security_group_rules"]
    assert sorted((one["direction"], one["ethertype"], one["remote_group_id"], one["used_in_default_sg"],
                   one["used_in_non_default_sg"]) for one in legacy) == [
        ("egress", "IPv4", None, True, True), ("egress", "IPv6", None, True, True),
        ("ingress", "IPv4", "PARENT", True, False), ("ingress", "IPv6", "PARENT", True, False)]
    made = admin.create("default_security_group_rule", direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22)
    assert ann.get(f"{PATH}/{made['id']}")["default_security_group_rule"] == made
    assert [one["id"] for one in ann.get(f"{PATH}?protocol=tcp&used_in_non_default_sg=true")["default_security_group_rules"]] == [
        made["id"]]
    group = ann.create("security_group", name="new")
    assert ("ingress", "tcp", 22) in [(one["direction"], one["protocol"], one["port_range_min"])
                                      for one in group["security_group_rules"]]
    assert ann.ask("DELETE", f"{PATH}/{made['id']}").status == 403
    assert ann.ask("POST", PATH, {"default_security_group_rule": {"direction": "ingress"}}).status == 403
    assert admin.ask("PUT", f"{PATH}/{made['id']}", {"default_security_group_rule": {"description": "x"}}).status == 405
    assert admin.ask("DELETE", f"{PATH}/{made['id']}").status == 204
    assert len(ann.create("security_group", name="newer")["security_group_rules"]) == 2


def test_the_command_makes_default_rules(api: Served) -> None:
    command = Openstack.by_token(api.url, TOKENS["admin"])
    made = command("default security group rule create --protocol tcp --dst-port 8080:8081 --ingress --for-default-sg")
    assert (made["port_range_min"], made["port_range_max"], made["used_in_default_sg"]) == (8080, 8081, True)
    assert made["id"] in [one["ID"] for one in command("default security group rule list --protocol tcp")]
    assert command(f"default security group rule show {made['id']}")["direction"] == "ingress"
    command(f"default security group rule delete {made['id']}")
    assert len(command("default security group rule list")) == 4
