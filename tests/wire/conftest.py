"""Fixtures of the wire tests."""
from tests.kit.dummy_ovs import dummy_ovs

__all__ = ["dummy_ovs"]
