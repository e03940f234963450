"""Whatever a client sends, it gets an answer that is JSON and no 500, and what it was refused has changed nothing."""
import json
import logging
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controller.particles import load_all

RESOURCES = load_all(["apps", "topology"])
NAMES = {kind: one.name for kind, one in RESOURCES.items()}             # what one is called in a body
PATHS = {kind: f"/v2.0/{one.path}" for kind, one in RESOURCES.items() if not one.fact and kind != "quota"}

POLICING: dict[str, dict[str, int]] = {"bandwidth_limit_rule": {"max_kbps": 1000}, "packet_rate_limit_rule": {"max_kpps": 1},
                                       "minimum_bandwidth_rule": {"min_kbps": 1000}, "dscp_marking_rule": {"dscp_mark": 10}}


@pytest.fixture(scope="module")
def right(client):
    """A right body of each kind."""
    network = client.create("network")
    client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/16")
    group = client.create("security_group", name="right")
    outside, inside, floating = _outside(client)
    policy = client.create("policy", "qos/policies", name="right")
    for rule in POLICING:
        PATHS[rule] = f"/v2.0/qos/policies/{policy['id']}/{rule}s"
    wired = client.create("network", provider__network_type="flat", provider__physical_network="wan3")
    proxied = _proxied(client)
    local = client.create("local_ip", "local_ips", network_id=network["id"])
    PATHS["local_ip_association"] = f"/v2.0/local_ips/{local['id']}/port_associations"
    flavor = client.create("flavor", service_type="FLAVORS")
    profile = client.create("service_profile", "service_profiles", driver="dvr")
    PATHS["flavor_service_profile_binding"] = f"/v2.0/flavors/{flavor['id']}/service_profiles"
    PATHS["port_binding"] = f"/v2.0/ports/{inside['id']}/bindings"
    PATHS["port_forwarding"] = f"/v2.0/floatingips/{floating['id']}/port_forwardings"
    return {**POLICING, "access_rule": {"network_id": network["id"], "priority": 7},
            "port_isolation": {"network_id": network["id"]}, "watch": {"network_id": network["id"]},
            "metering_label": {"name": "right"}, "metering_label_rule": {
                "metering_label_id": client.create("metering_label", "metering/metering-labels")["id"], "direction": "egress",
                "remote_ip_prefix": "10.0.0.0/8"}, "qos_policy": {"name": "another"}, "floatingip": {"floating_network_id": outside["id"]},
            "port_forwarding": {"protocol": "tcp", "internal_port_id": inside["id"], "internal_port": 80, "external_port": 80},
            "ndp_proxy": proxied, "local_ip": {"network_id": network["id"]}, "flavor": {"service_type": "FLAVORS"}, "service_profile": {"driver": "ha"},
            "flavor_service_profile_binding": {"id": profile["id"]}, "local_ip_association": {"fixed_port_id": inside["id"]},
            "default_security_group_rule": {"direction": "ingress", "protocol": "tcp"}, "port_binding": {"host": "host9"}, "log": {"resource_type": "security_group"}, "network": {}, "subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "10.99.0.0/24"},
            "port": {"network_id": network["id"]}, "router": {"name": "right"},
            "segment": {"network_id": wired["id"], "network_type": "vlan", "physical_network": "wan2", "segmentation_id": 9},
            "path_policy": {"network_id": network["id"]},
            "circuit": {"a_switch_port": "00000000000000a1:7", "z_switch_port": "00000000000000a2:7", "committed_kbps": 10},
            "address_group": {"addresses": ["10.0.0.0/8"]},
            "network_segment_range": {"network_type": "vxlan", "minimum": 5000, "maximum": 5010},
            "trunk": {"port_id": client.create("port", network_id=network["id"])["id"]},
            "route": {f"subnet_{name}_id": _subnet(client, f"10.{number}.0.0/24")["id"] for number, name in enumerate("ab")},
            "rbac_policy": {"object_type": "network", "object_id": network["id"], "action": "access_as_shared",
                            "target_tenant": "someone"},
            "subnetpool": {"name": "right", "prefixes": ["10.0.0.0/8"]}, "address_scope": {"ip_version": 4},
            "security_group": {"name": "another"},
            "security_group_rule": {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4"}}


def _subnet(client, cidr):
    return client.create("subnet", network_id=client.create("network")["id"], ip_version=4, cidr=cidr)


def _outside(client):
    """An external network, a port behind a router that leads there, and a floating IP."""
    outside = client.create("network", provider__network_type="flat", provider__physical_network="wan", router__external=True)
    client.create("subnet", network_id=outside["id"], ip_version=4, cidr="203.0.113.0/24")
    inner = _subnet(client, "10.0.0.0/24")
    router = client.create("router", external_gateway_info={"network_id": outside["id"]})
    client.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": inner["id"]})
    return (outside, client.create("port", network_id=inner["network_id"]),
            client.create("floatingip", floating_network_id=outside["id"]))


def _proxied(client):
    """A router that answers outside for others, and a port behind it."""
    outside = client.create("network", provider__network_type="flat", provider__physical_network="wan6", router__external=True)
    client.create("subnet", network_id=outside["id"], ip_version=6, cidr="2001:db8:f00d::/64")
    inner = client.create("subnet", network_id=client.create("network")["id"], ip_version=6, cidr="2001:db8:1::/64")
    router = client.create("router", enable_ndp_proxy=True, external_gateway_info={"network_id": outside["id"]})
    client.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": inner["id"]})
    return {"router_id": router["id"], "port_id": client.create("port", network_id=inner["network_id"])["id"]}


def address(kind, document):
    """Where an object is, by what it is called there."""
    return f"{PATHS[kind]}/{quote(document[RESOURCES[kind].named_by or 'id'], safe='')}"


def snapshot(model):
    return {kind: dict(rows) for kind, rows in model.rows.items()}


@pytest.mark.parametrize("kind", PATHS)
def test_every_wrong_value_of_every_attribute_is_refused_naming_it(api, client, right, kind):
    before, tried = snapshot(api.model), 0
    for name, body in RESOURCES[kind].wrong_bodies(right[kind]):
        if body == right[kind]:
            continue
        answer = client.ask("POST", PATHS[kind], {NAMES[kind]: body})
        assert answer.status in (400, 501), (name, body, answer)
        message = answer.error["message"]
        assert name in message or message.startswith("body: "), (name, body, message)
        assert message.isprintable()
        tried += 1
    assert snapshot(api.model) == before
    assert tried > 15


@pytest.mark.parametrize("kind", PATHS)
def test_every_wrong_value_is_refused_in_an_update_too(api, client, right, kind):
    made = client.ask("POST", PATHS[kind], {NAMES[kind]: right[kind]})
    assert made.status == 201, made
    path, before = address(kind, made.body[NAMES[kind]]), snapshot(api.model)
    for name, attribute in RESOURCES[kind].attributes.items():
        wrong = list(attribute.counterexamples()) if attribute.settable in ("always", "update") else [made.body[NAMES[kind]].get(name)]
        for bad in wrong:
            answer = client.ask("PUT", path, {NAMES[kind]: {name: bad}})
            assert answer.status in ((405,) if kind.endswith(("security_group_rule", "metering_label", "local_ip_association", "profile_binding")) else (400, 501)), (name, bad, answer)
    assert snapshot(api.model) == before
    assert client.ask("DELETE", path).status == 204


def test_dhcp_options_with_newlines_are_refused(client, right):
    """CVE-2021-40085."""
    for bad in ("a\nb", "a\rb", "a\0b", "a\x0bb", "a\x7fb"):
        for option in ({"opt_name": bad, "opt_value": "x"}, {"opt_name": "bootfile-name", "opt_value": bad}):
            answer = client.ask("POST", PATHS["port"], {"port": {**right["port"], "extra_dhcp_opts": [option]}})
            assert answer.status == 400 and "extra_dhcp_opts" in answer.error["message"]


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_json = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | _text | st.just("\ud800"),
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3), max_leaves=8)
_attributes = st.sampled_from(sorted({name for kind in PATHS for name in RESOURCES[kind].attributes}))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(PATHS)), extra=st.dictionaries(_attributes, _json, max_size=3))
@example(kind="subnet", extra={"ip_version": 6, "cidr": "fd00::/64"})
@example(kind="subnet", extra={"gateway_ip": "fd00::1"})
@example(kind="subnet", extra={"allocation_pools": [{"start": "10.99.0.9", "end": "10.99.0.2"}]})
@example(kind="subnet", extra={"allocation_pools": [{"start": "fd00::1", "end": "10.99.0.2"}]})
@example(kind="port", extra={"fixed_ips": [{"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1"}]})
@example(kind="port", extra={"fixed_ips": [{}]})
@example(kind="security_group_rule", extra={"protocol": "icmp", "port_range_max": 3})
@example(kind="security_group_rule", extra={"protocol": 0, "remote_ip_prefix": "::/0"})
@example(kind="network", extra={"provider:segmentation_id": 1 << 31})
def test_no_body_makes_the_server_fail(api, client, right, kind, extra):
    answer = client.ask("POST", PATHS[kind], {NAMES[kind]: {**right[kind], **extra}})
    assert answer.status in (201, 400, 403, 404, 409, 501, 503), (extra, answer)
    if answer.status == 201:
        made = address(kind, answer.body[NAMES[kind]])
        assert client.ask("PUT", made, {NAMES[kind]: extra}).status in (200, 400, 404, 405, 409, 501, 503)
        remove(client, kind, made)


def remove(client, kind, path):
    """It can be taken away; a trunk that is switched off stays as it is, and where a port is says the port."""
    if kind == "port_binding" and client.get(path)["binding"]["status"] == "ACTIVE":
        said = {"binding:host_id": None, "binding:profile": None}
        assert client.ask("PUT", path.partition("/bindings")[0], {"port": said}).status == 200
        return
    if kind == "trunk":
        assert client.ask("PUT", path, {NAMES[kind]: {"admin_state_up": True}}).status == 200
    assert client.ask("DELETE", path).status == 204


@st.composite
def _plausible(draw):
    """A kind, and attributes of it with values that are right by themselves, or nearly."""
    kind = draw(st.sampled_from(sorted(PATHS)))
    names = [name for name, one in RESOURCES[kind].attributes.items() if one.settable != "never" and not one.refers_to]
    extra = {}
    for name in draw(st.lists(st.sampled_from(names), max_size=6, unique=True)) if names else ():
        one = RESOURCES[kind].attributes[name]
        extra[name] = draw(st.sampled_from([*one.examples(), *([None] if one.nullable else []), *list(one.counterexamples())[:1]]))
    return kind, extra


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_plausible())
def test_no_mixture_of_right_values_makes_the_server_fail(api, client, right, plausible):
    kind, extra = plausible
    before = snapshot(api.model)
    answer = client.ask("POST", PATHS[kind], {NAMES[kind]: {**right[kind], **extra}})
    assert answer.status in (201, 400, 403, 404, 409, 501, 503), (extra, answer)
    if answer.status != 201:
        assert snapshot(api.model) == before
        return
    made = address(kind, answer.body[NAMES[kind]])
    again = client.ask("PUT", made, {NAMES[kind]: {name: value for name, value in extra.items()
                                            if RESOURCES[kind].attributes[name].settable == "always"}})
    assert again.status in (200, 405, 409), (extra, again)
    if again.status == 200:
        assert client.get(made) == again.body
    remove(client, kind, made)


_actions = [(kind, name) for kind in PATHS for name in RESOURCES[kind].actions]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(action=st.sampled_from(_actions), whole=st.booleans(), body=_json, data=st.data())
def test_no_body_of_an_action_makes_the_server_fail(api, client, right, action, whole, body, data):
    kind, name = action
    if whole:                                            # the right members, with anything in them
        parts = RESOURCES[kind].actions[name].body.type.parts
        body = {part: data.draw(st.one_of(_json, st.sampled_from(one.examples() or (None,)))) for part, one in parts.items()}
        body = {NAMES[kind]: body} if RESOURCES[kind].actions[name].wrapped else body
    made = client.ask("POST", PATHS[kind], {NAMES[kind]: right[kind]}).body[NAMES[kind]]      # after what may not be drawn
    before = snapshot(api.model)
    answer = client.ask("PUT", f"{address(kind, made)}/{name}", body)
    assert answer.status in (200, 400, 404, 409, 501), (body, answer)
    if answer.status != 200:
        assert snapshot(api.model) == before
    remove(client, kind, address(kind, made))


_segment = st.one_of(_text.map(lambda text: quote(text, safe="")), st.sampled_from(["v2.0", "networks", "ports", "quotas", "tags", "extensions", "security-groups", "..",
                                             ".", "", "%00", "%2e%2e", "%ff", "details.json", "default", "inspect", "proton"]))
_query = st.dictionaries(st.one_of(_text, _attributes, st.sampled_from(["limit", "marker", "sort_key", "sort_dir", "fields",
                                                                        "page_reverse", "tags", "not-tags-any", "wait"])), _text)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"]),
       path=st.lists(_segment, max_size=5), query=_query, body=st.one_of(st.none(), st.binary(max_size=40), _json))
def test_no_request_makes_the_server_fail(api, client, method, path, query, body, caplog):
    address = "/" + "/".join(path)
    raw = json.dumps(body).encode() if body is not None and not isinstance(body, bytes) else body
    with caplog.at_level(logging.ERROR):
        answer = client.ask(method, f"{address}?{urlencode(query)}", raw)
    assert answer.status < 500 or answer.status == 501, answer
    if answer.status >= 400 and method != "HEAD":
        assert set(answer.error) == {"type", "message", "detail"}
