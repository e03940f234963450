"""DHCP options by name: which names and values are taken, their bytes, and what is said of a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.dhcp_options import KNOWN, check, extras, read
from controller.packet import dhcp_options as wire
from controller.types import freeze

# name, value, code, bytes
RIGHT = [
    ("router", "10.0.0.1", 3, "0a000001"),
    ("option:router", "10.0.0.1, 10.0.0.2", 3, "0a0000010a000002"),
    ("3", "10.0.0.1", 3, "0a000001"),
    ("dns-server", "8.8.8.8,1.1.1.1", 6, "0808080801010101"),
    ("mtu", "1400", 26, "0578"),
    ("26", "68", 26, "0044"),
    ("netmask", "255.255.0.0", 1, "ffff0000"),
    ("time-offset", "-3600", 2, "fffff1f0"),
    ("hostname", "web-1", 12, b"web-1".hex()),
    ("domain-name", "example.org", 15, b"example.org".hex()),
    ("domain-search", "a.b,c.", 119, "01610162000163" + "00"),
    ("ntp-server", "10.0.0.9", 42, "0a000009"),
    ("tftp-server", "10.0.0.9", 66, b"10.0.0.9".hex()),
    ("66", "boot", 66, b"boot".hex()),
    ("bootfile-name", "a/b c.0", 67, b"a/b c.0".hex()),
    ("tftp-server-address", "10.0.0.9", 150, "0a000009"),
    ("server-ip-address", "10.0.0.9", 255, "0a000009"),
    ("255", "10.0.0.9", 255, "0a000009"),
    ("lease-time", "2h", 51, "00001c20"),
    ("T1", "90", 58, "0000005a"),
    ("T2", "infinite", 59, "ffffffff"),
    ("ip-forward-enable", "true", 19, "01"),
    ("19", "0", 19, "00"),
    ("default-ttl", "64", 23, "40"),
    ("static-route", "10.1.0.0,10.0.0.2", 33, "0a0100000a000002"),
    ("netbios-nodetype", "8", 46, "08"),
    ("classless-static-route", "10.1.0.0/16,10.0.0.2,0.0.0.0/0,10.0.0.1", 121, "100a010a000002" + "000a000001"),
    ("classless-static-route", "10.1.2.3,0.0.0.0", 121, "200a010203" + "00000000"),
    ("249", "128.0.0.0/1,10.0.0.1", 249, "01800a000001"),
    ("vendor-encap", "01:4:ff", 43, "0104ff"),
    ("sip-server", "10.0.0.9", 120, "010a000009"),
    ("sip-server", "sip.example", 120, "00037369700765" + b"xample".hex() + "00"),
    ("log-server", "10.0.0.9", 7, "0a000009"),
    ("netbios-ns", "10.0.0.9", 44, "0a000009"),
    ("wpad", "http://x/y", 252, b"http://x/y".hex()),
    ("ipv6-only", "300", 108, "0000012c"),
    ("path-prefix", "/tftp/", 210, b"/tftp/".hex()),
    # without a name here, as dnsmasq guesses
    ("224", "7", 224, "07"),
    ("224", "700", 224, "02bc"),
    ("224", "70000", 224, "00011170"),
    ("224", "10.0.0.1,10.0.0.2", 224, "0a0000010a000002"),
    ("224", "aa:bb", 224, "aabb"),
    ("224", "a b", 224, b"a b".hex()),
    ("224", "pxe.0", 224, b"pxe.0".hex()),
    ("224", "http://x", 224, b"http://x".hex()),
    ("224", "99999999999", 224, b"99999999999".hex()),
    ("224", "5.5", 224, b"5.5".hex()),
]


@pytest.mark.parametrize(("name", "value", "code", "raw"), RIGHT)
def test_a_right_option_is_encoded(name: str, value: str, code: int, raw: str) -> None:
    assert check(name, value) is None
    option = read(name, value)
    assert option is not None and (option.code, option.value.hex(), option.boots) == (code, raw, None)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("no-such-option", "x", "no DHCP option"),
        ("", "x", "no DHCP option"),
        ("256", "x", "no DHCP option"),
        ("-1", "x", "no DHCP option"),
        ("0", "x", "server's own"),
        ("53", "1", "server's own"),
        ("54", "10.0.0.1", "server's own"),
        ("server-id", "10.0.0.1", "server's own"),
        ("option:message-type", "1", "server's own"),
        ("61", "x", "server's own"),
        ("tag:foo,67", "x", "no DHCP option"),
        ("router", "fe80::1", "router"),
        ("router", "10.0.0", "router"),
        ("router", "10.0.0.1,", "router"),
        ("mtu", "67", "68 to 65535"),
        ("mtu", "65536", "68 to 65535"),
        ("mtu", "1e3", "68 to 65535"),
        ("mtu", "٣٠٠", "68 to 65535"),
        ("lease-time", "0", "seconds"),
        ("lease-time", "-1", "seconds"),
        ("lease-time", "8000w", "seconds"),
        ("ip-forward-enable", "2", "1 or 0"),
        ("static-route", "10.0.0.1", "pairs"),
        ("static-route", "0.0.0.0,10.0.0.1", "classless"),
        ("policy-filter", "10.0.0.1", "pairs"),
        ("classless-static-route", "10.0.0.0/8", "pairs"),
        ("classless-static-route", "10.0.0.1/8,10.0.0.1", "host bits"),
        ("classless-static-route", "2001:db8::/64,10.0.0.1", "classless"),
        ("domain-search", "a..b", "label"),
        ("domain-name", "a b", "domain name"),
        ("domain-search", "x" * 64, "label"),
        ("hostname", ".".join(["a" * 60] * 4) + ".example.org", "253"),
        ("vendor-encap", "1:2:xyz", "bytes"),
        ("domain-name", "", "blank"),
        ("dns-server", "  ", "blank"),
        ("224", "", "blank"),
        ("bootfile-name", "a\nb", "one line"),
        ("bootfile-name", "a\0b", "one line"),
        ("bootfile-name", "a\rb", "one line"),
        ("bootfile-name", "x" * 256, "255"),
        ("bootfile-name\n", "x", "one line"),
        ("x" * 65, "x", "64"),
        ("dhcp_disabled", "maybe", "true or false"),
        ("mtu", 1400, "one line"),
        (7, "x", "one line"),
        ("mtu", ["1400"], "one line"),
    ],
)
def test_a_wrong_option_is_refused_with_a_reason(name: object, value: object, word: str) -> None:
    found = check(name, value)  # type: ignore[arg-type]
    assert found is not None and word in found
    assert found.startswith(("name: ", "value: "))


@pytest.mark.parametrize("name", ["router", "classless-static-route", "option:router", "121"])
def test_blank_takes_a_route_away_and_no_value_is_no_option(name: str) -> None:
    option = read(name, "")
    assert option is not None and option.value is None and check(name, "") is None
    assert read(name, None) is None and check(name, None) is None


@pytest.mark.parametrize(
    ("name", "boots"), [("tag:ipxe,bootfile-name", True), ("tag:!ipxe,67", False), ("bootfile-name-alt", False)]
)
def test_boot_files_can_be_for_ipxe_alone_or_for_all_others(name: str, boots: bool) -> None:
    option = read(name, "x")
    assert option is not None and (option.code, option.boots) == (67, boots)


@given(
    st.one_of(st.sampled_from(sorted(KNOWN)), st.integers(0, 300).map(str), st.text(max_size=70)), st.text(max_size=260)
)
def test_whatever_is_given_is_taken_or_refused_and_what_is_taken_has_bytes(name: str, value: str) -> None:
    if check(name, value) is None:
        option = read(name, value)
        assert option is None or option.value is None or 0 < len(option.value) <= 1024
    extras(freeze([{"opt_name": name, "opt_value": value, "ip_version": 4}]))


def test_options_that_cannot_be_read_and_those_of_dhcpv6_count_for_nothing() -> None:
    stored = freeze(
        [
            {"opt_name": "mtu", "opt_value": "x", "ip_version": 4},
            {"opt_name": "mtu", "opt_value": "1400", "ip_version": 6},
            {"opt_name": "router", "opt_value": None, "ip_version": 4},
            {"opt_name": "mtu", "opt_value": "1400"},
        ]
    )
    assert [option.code for option in extras(stored)] == [26]


# ---- on the wire


@given(st.lists(st.tuples(st.integers(1, 254), st.binary(max_size=600)), max_size=12), st.integers(1, 2000))
def test_options_written_are_read_back_as_far_as_they_fit(options: list[tuple[int, bytes]], room: int) -> None:
    raw = wire.write(options, room)
    assert len(raw) <= room and raw[-1] == wire.END
    found: dict[int, bytes] = {}
    assert wire.read(raw, found)
    for code, value in found.items():
        same = [each for at, each in options if at == code]
        assert value in same or len(same) > 1
    if sum(len(value) + 2 * (len(value) // 255 + 1) for _, value in options) < room:
        assert found.keys() == {code for code, _ in options}
