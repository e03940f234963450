"""Lists by query: every combination of filters, order and pages equals what a plain loop over all rows gives."""
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import Missing, Refused
from controller.model import Model
from controller.particles import load_all
from controller.types import Record
from rest import query
from rest.render import Shown

MODEL = Model(load_all(["apps", "topology"]))
PORT = MODEL.resources["port"]
SHOWN = Shown(PORT, MODEL)
NETWORKS = [f"00000000-0000-0000-0000-0000000000{n:02x}" for n in range(3)]
SUBNETS = [f"00000000-0000-0000-0000-0000000001{n:02x}" for n in range(3)]
GROUPS = [f"00000000-0000-0000-0000-0000000002{n:02x}" for n in range(3)]
ADDRESSES = ["10.0.0.1", "10.0.0.11", "10.0.1.1", "fd00::1"]
NAMES, OWNERS, TAGS = ["", "web", "db"], ["", "compute:nova", "network:dhcp"], ["red", "green", "blue"]
PROJECTS = ["one", "two"]

_fixed = st.lists(st.builds(lambda s, a: Record(subnet_id=s, ip_address=a), st.sampled_from(SUBNETS),
                            st.sampled_from(ADDRESSES)), max_size=2)
_ports = st.lists(st.fixed_dictionaries({
    "network_id": st.sampled_from(NETWORKS), "name": st.sampled_from(NAMES), "device_owner": st.sampled_from(OWNERS),
    "admin_state_up": st.booleans(), "fixed_ips": _fixed.map(tuple), "project_id": st.sampled_from(PROJECTS),
    "security_groups": st.lists(st.sampled_from(GROUPS), unique=True).map(tuple), "revision_number": st.integers(0, 3),
    "tags": st.lists(st.sampled_from(TAGS), unique=True).map(tuple),
    "binding:host_id": st.sampled_from(["", "h1"])}), max_size=12)

_filters = st.lists(st.one_of(
    st.tuples(st.just("network_id"), st.sampled_from([*NETWORKS, "nonsense", ""])),
    st.tuples(st.just("name"), st.sampled_from([*NAMES, "other"])),
    st.tuples(st.just("device_owner"), st.sampled_from(OWNERS)),
    st.tuples(st.just("admin_state_up"), st.sampled_from(["true", "True", "false", "0", "1"])),
    st.tuples(st.sampled_from(["project_id", "tenant_id"]), st.sampled_from([*PROJECTS, ""])),
    st.tuples(st.just("security_groups"), st.sampled_from([*GROUPS, ""])),
    st.tuples(st.just("fixed_ips"), st.sampled_from([f"ip_address={a}" for a in ADDRESSES] +
                                                    [f"subnet_id={s}" for s in SUBNETS] +
                                                    ["ip_address_substr=10.0.0", "ip_address_substr=1", "ip_address="])),
    st.tuples(st.sampled_from(["tags", "tags-any", "not-tags", "not-tags-any"]),
              st.sampled_from(["red", "red,green", "blue", "none"])),
    st.tuples(st.just("revision_number"), st.sampled_from(["0", "1", "2"])),
    st.tuples(st.just("binding:host_id"), st.sampled_from(["", "h1"])),
    st.tuples(st.just("status"), st.sampled_from(["DOWN", "ACTIVE"])),
    st.tuples(st.just("id"), st.integers(0, 12).map(lambda n: _id(n)))), max_size=5)


def _id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


UNNAMED = {"dns_name": "", "dns_domain": "", "fixed_ips": ()}


def fill(ports) -> None:
    for id in NETWORKS:
        MODEL.put("network", MODEL.make("network", {"id": id, "dns_domain": ""}))
    for id in list(MODEL.rows["port"]):
        MODEL.remove("port", id)
    for number, document in enumerate(ports):
        MODEL.put("port", MODEL.make("port", {**UNNAMED, "id": _id(number), **document}))


def truth(document: dict, filters) -> bool:
    """What the filters mean, said as plainly as possible."""
    grouped: dict[str, list[str]] = {}
    for key, text in filters:
        grouped.setdefault(key, []).append(text)
    return all(_one_key(document, key, texts) for key, texts in grouped.items())


def _one_key(document, key, texts) -> bool:
    key = "project_id" if key == "tenant_id" else key
    if "tags" in key:
        wanted, has = set(",".join(texts).split(",")), set(document["tags"])
        return {"tags": wanted <= has, "tags-any": bool(wanted & has), "not-tags": not wanted <= has,
                "not-tags-any": not wanted & has}[key]
    if key == "fixed_ips":
        asked: dict[str, list[str]] = {}
        for text in texts:
            part, _, value = text.partition("=")
            asked.setdefault(part, []).append(value)
        return any(all(any(v in ip["ip_address"] for v in values) if part == "ip_address_substr" else ip[part] in values
                       for part, values in asked.items()) for ip in document["fixed_ips"])
    if key == "security_groups":
        return any(text in document[key] for text in texts)
    if key == "admin_state_up":
        return any(document[key] == (text.lower() in ("true", "1")) for text in texts)
    return any(str(document[key]) == text for text in texts)


def asked(params, hidden=()):
    return query.read(PORT, query.pairs(urlencode(params)), SHOWN.value, hidden=hidden)


def answered(wanted) -> list[dict]:
    rows = query.candidates(MODEL, "port", wanted.conditions)
    if rows is None:
        rows = MODEL.find("port", "all", True)
    return [SHOWN.document(row) for row in rows if all(one.test(row) for one in wanted.conditions)]


@settings(max_examples=400, deadline=None)
@given(_ports, _filters)
def test_filters_give_what_a_plain_loop_gives(ports, filters):
    fill(ports)
    everything = [SHOWN.document(row) for row in MODEL.find("port", "all", True)]
    found = {document["id"] for document in answered(asked(filters))}
    assert found == {document["id"] for document in everything if truth(document, filters)}


_orders = st.lists(st.tuples(st.sampled_from(["name", "revision_number", "admin_state_up", "device_owner", "status", "id"]),
                             st.sampled_from(["asc", "desc"])), max_size=3)


@settings(max_examples=200, deadline=None)
@given(_ports, _orders, st.integers(1, 5), st.booleans())
def test_walking_the_pages_either_way_gives_everything_once_in_order(ports, order, limit, backwards):
    fill(ports)
    params = [(word, pair[n]) for n, word in enumerate(("sort_key", "sort_dir")) for pair in order]
    rows = MODEL.find("port", "all", True)
    whole = query.ordered(rows, asked(params), SHOWN.value)
    seen: list = []
    marker = None
    for _ in range(len(rows) + 2):
        wanted = asked([*params, ("limit", str(limit)), *([("marker", marker)] if marker else []),
                        ("page_reverse", str(backwards))])
        page, links = query.page(query.ordered(rows, wanted, SHOWN.value), wanted, PORT)
        assert len(page) <= limit
        seen = [*page, *seen] if backwards else [*seen, *page]
        link = next((one for one in links if one[0] == ("previous" if backwards else "next")), None)
        if link is None:
            break
        marker = link[1]
    assert seen == whole
    for (name, direction), (_, descending) in zip(order, asked(params).order, strict=True):
        assert descending == (direction == "desc") and name


@given(_ports, _orders)
def test_order_is_that_of_a_stable_sort_by_every_key(ports, order):
    fill(ports)
    params = [(word, pair[n]) for n, word in enumerate(("sort_key", "sort_dir")) for pair in order]
    rows = MODEL.find("port", "all", True)
    expected = sorted((SHOWN.document(row) for row in rows), key=lambda one: one["id"])
    for name, direction in reversed(order):
        expected.sort(key=lambda one, name=name: one[name], reverse=direction == "desc")
    assert [row[0] for row in query.ordered(rows, asked(params), SHOWN.value)] == [one["id"] for one in expected]


WRONG = [
    ("nonsense", "1"), ("key", "17"), ("written_by", "x"), ("admin_state_up", "maybe"), ("revision_number", "one"),
    ("fixed_ips", "10.0.0.1"), ("fixed_ips", "port=1"), ("fixed_ips", "_substr=1"), ("binding:profile", "x"),
    ("limit", "-1"), ("limit", "x"), ("limit", "1e3"), ("limit", "٣"), ("page_reverse", "maybe"),
    ("sort_key", "nonsense"), ("sort_key", "fixed_ips"), ("sort_dir", "asc"), ("tags", ""), ("tags", ","),
    ("changed_since", "yesterday"), ("extra_dhcp_opts", "opt_name"),
]


@pytest.mark.parametrize("param", WRONG, ids=str)
def test_a_parameter_that_means_nothing_is_refused_naming_it(param):
    with pytest.raises(Refused) as refused:
        asked([param])
    assert refused.value.status == 400
    assert param[0] in str(refused.value)


@pytest.mark.parametrize("text", ["name=%ff", "name=a%00b", "na%0ame=a", "a=1&" * 3000])
def test_a_query_string_that_is_no_text_is_refused(text):
    with pytest.raises(Refused) as refused:
        query.pairs(text)
    assert refused.value.status == 400


def test_what_only_administrators_see_is_no_filter_for_others():
    with pytest.raises(Refused):
        asked([("binding:host_id", "h1")], hidden={"binding:host_id"})
    with pytest.raises(Refused):
        asked([("sort_key", "binding:host_id")], hidden={"binding:host_id"})


def test_a_marker_that_is_not_there_is_missing():
    fill([])
    with pytest.raises(Missing):
        query.page([], asked([("marker", _id(1)), ("limit", "1")]), PORT)


def test_rows_changed_since_a_moment_are_found_in_any_timezone():
    fill([])
    for number, when in enumerate(("2024-01-01T00:00:00Z", "2024-01-01T12:00:00Z")):
        MODEL.put("port", MODEL.make("port", {**UNNAMED, "id": _id(number), "updated_at": when, "network_id": NETWORKS[0]}))
    for since in ("2024-01-01T06:00:00", "2024-01-01T06:00:00Z", "2024-01-01T08:00:00+02:00"):
        assert [one["id"] for one in answered(asked([("changed_since", since)]))] == [_id(1)]
