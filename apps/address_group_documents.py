"""Address groups, as documents: addresses come and go one by one."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.errors import Invalid, Missing
from controller.policy import SYSTEM

MOST = 1000                          # blocks in one group


def add(write: Any, group: Any, asked: Mapping[str, Any]) -> None:
    there = [one for one in asked["addresses"] if one in group.addresses]
    if there:
        raise Invalid("addresses", f"Addresses {', '.join(there)} already exist in the address group {group.id}.",
                      type="AddressesAlreadyExist")
    if len(group.addresses) + len(asked["addresses"]) > MOST:
        raise Invalid("addresses", f"a group has {MOST} blocks at most; make another")
    _change(write, group, (*group.addresses, *asked["addresses"]))


def remove(write: Any, group: Any, asked: Mapping[str, Any]) -> None:
    strange = [one for one in asked["addresses"] if one not in group.addresses]
    if strange:
        raise Missing("address_group", group.id, type="AddressesNotFound",
                      text=f"Addresses {', '.join(strange)} not found in the address group {group.id}.")
    _change(write, group, tuple(one for one in group.addresses if one not in asked["addresses"]))


def _change(write: Any, group: Any, addresses: tuple[str, ...]) -> None:
    """On behalf of the system: the list as such cannot be set."""
    write.update("address_group", group, {"addresses": addresses}, by=SYSTEM)
