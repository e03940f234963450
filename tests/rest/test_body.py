"""A body is read strictly: what two readers could understand differently is refused."""
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest import body
from rest.errors import Answered

WRONG = {
    "nothing": b"",
    "not JSON": b"{network}",
    "two values": b"{} {}",
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "equal keys": b'{"network": {"name": "a", "name": "b"}}',
    "NaN": b'{"mtu": NaN}',
    "Infinity": b'{"mtu": Infinity}',
    "-Infinity": b'{"mtu": -Infinity}',
    "infinite by size": b'{"mtu": 1e999}',
    "whole number of 5000 digits": b'{"mtu": ' + b"9" * 5000 + b"}",
    "whole number over 64 bits": b'{"mtu": 18446744073709551616}',
    "half a surrogate pair": b'{"name": "\\ud800"}',
    "half a surrogate pair as a key": b'{"\\udc00": 1}',
    "control character": b'{"name": "a\nb"}',
    "too deep": b"[" * 30 + b"]" * 30,
    "far too deep": b"[" * 200000,
    "far too deep with keys": b'{"a":' * 100000,
    "comment": b"{} // why not",
    "trailing comma": b'{"a": 1,}',
}


@pytest.mark.parametrize("name", WRONG)
def test_an_ambiguous_or_broken_body_is_refused_with_400(name):
    with pytest.raises(Answered) as refused:
        body.read(WRONG[name])
    assert refused.value.status == 400
    assert str(refused.value).startswith("body: ")
    assert len(str(refused.value)) < 300


def test_a_body_over_the_limit_is_refused_with_413():
    with pytest.raises(Answered) as refused:
        body.read(b'"' + b"a" * (1 << 20) + b'"')
    assert refused.value.status == 413


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner,
                                                                max_size=4), max_leaves=20)


@given(_values)
def test_whatever_is_json_is_read_as_it_was_meant(value):
    assert body.read(json.dumps(value).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(raw):
    try:
        body.read(raw)
    except Answered as refused:
        assert refused.status == 400
