"""Every Type keeps its own promises: good examples are read and stay as they are, bad ones are refused."""
from __future__ import annotations

import copy
import pickle

import pytest

from apps.networks import KEYS_24, KEYS_32
from apps.ports import ADDRESS
from apps.security_group_defaults import ETHERTYPE, PREFIX, PROTOCOL
from apps.subnet_pools import POOL
from controller.errors import Invalid
from controller.types import TYPES, Record, Type, freeze

EVERY = [*TYPES.values(), ADDRESS, ETHERTYPE, PREFIX, PROTOCOL, KEYS_24, KEYS_32, POOL]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.name)
def test_good_examples_are_canonical_once_read(kind: Type) -> None:
    assert kind.good
    for value in kind.good:
        read = kind.read(value)
        assert read is None or kind.read(read) == read
        hash(read)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.name)
def test_bad_examples_are_refused_with_a_remedy(kind: Type) -> None:
    assert kind.bad
    for value in kind.bad:
        with pytest.raises(Invalid, match="must"):
            kind.read(value)


def test_a_record_is_read_like_an_object_and_cannot_be_changed() -> None:
    record = Record(ip_address="10.0.0.1", subnet_id=None)
    assert record.ip_address == record["ip_address"] == "10.0.0.1"
    assert record == {"ip_address": "10.0.0.1", "subnet_id": None}
    assert hash(record) == hash(Record(subnet_id=None, ip_address="10.0.0.1"))
    with pytest.raises(TypeError):
        record["ip_address"] = "10.0.0.2"
    with pytest.raises(TypeError):
        record.update(ip_address="10.0.0.2")
    with pytest.raises(AttributeError):
        record.mac_address  # noqa: B018
    assert copy.deepcopy(record) is record
    assert pickle.loads(pickle.dumps(record)) == record


def test_freezing_leaves_nothing_to_change() -> None:
    frozen = freeze({"a": [1, {"b": [2]}]})
    assert frozen == {"a": (1, {"b": (2,)})}
    hash(frozen)
