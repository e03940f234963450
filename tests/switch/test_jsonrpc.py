"""Messages are found in a stream however it is cut, and what is too long, too deep or no JSON ends the stream at once."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.switch.jsonrpc import MAX_DEPTH, Malformed, Splitter
from controller.switch.ovsdb_rows import Column, Shape, changed, read

VALUES = st.recursive(st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.text(),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=3)


@settings(max_examples=300)
@given(st.lists(OBJECTS, max_size=4), st.data())
def test_a_stream_cut_anywhere_gives_the_same_objects(objects, data):
    ascii_only, space = data.draw(st.booleans()), data.draw(st.sampled_from(["", " ", "\n\t"]))
    stream = space.join(json.dumps(each, ensure_ascii=ascii_only) for each in objects).encode("utf-8", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    splitter, found = Splitter(1 << 20), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += list(splitter.feed(stream[start:end]))
    assert found == objects


@pytest.mark.parametrize("stream", [
    b"hello", b"[1]", b"\x16\x03\x01", b"GET / HTTP/1.0", b"{,}", b"{]", b'{"a":1]}', b'{"a":\xff"b"}', b'{"a": NaN}', b"}",
    b"{" * (MAX_DEPTH + 1), b'{"a":' + b"[" * (MAX_DEPTH + 1), b'{"' + b"a" * 5000,
])
def test_what_is_not_json_rpc_is_refused(stream):
    splitter = Splitter(4096)
    with pytest.raises(Malformed):
        list(splitter.feed(stream + b"}"))


def test_a_long_message_in_small_pieces_is_read_in_linear_time():
    splitter, piece = Splitter(1 << 26), b"\\\\" * 512
    started = time.process_time()
    assert not list(splitter.feed(b'{"a":"'))
    for _ in range(8000):
        assert not list(splitter.feed(piece))
    assert list(splitter.feed(b'"}'))
    assert time.process_time() - started < 2


def column(shape, kind=str):
    return Column(shape, kind)


@pytest.mark.parametrize(("wanted", "value"), [
    (column(Shape.ONE), 1), (column(Shape.ONE), ["set", ["a"]]), (column(Shape.ONE, int), True),
    (column(Shape.OPTIONAL), ["set", ["a", "b"]]), (column(Shape.OPTIONAL, int), ["set", "a"]),
    (column(Shape.SET), ["set", [["uuid", 5]]]), (column(Shape.SET), {"set": []}), (column(Shape.SET), None),
    (column(Shape.MAP), ["map", [["a"]]]), (column(Shape.MAP), ["map", [[["a"], "b"]]]), (column(Shape.MAP), ["set", []]),
])
def test_a_value_of_another_type_is_refused(wanted, value):
    with pytest.raises(Malformed):
        read(wanted, value)


NAMES = st.sampled_from("abcdef")


@given(st.frozensets(NAMES), st.frozensets(NAMES))
def test_a_set_changes_by_the_elements_that_only_one_of_the_two_has(old, new):
    assert changed(column(Shape.SET), old, ["set", sorted(old ^ new)]) == new


@given(st.dictionaries(NAMES, NAMES), st.dictionaries(NAMES, NAMES))
def test_a_map_changes_by_the_pairs_that_differ(old, new):
    gone = [[key, value] for key, value in old.items() if key not in new]
    other = [[key, value] for key, value in new.items() if old.get(key) != value]
    assert changed(column(Shape.MAP), old, ["map", gone + other]) == new
