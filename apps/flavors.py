"""Flavors, as documents: which profiles one has, and what these make of a router.

A profile says it by a driver, the name of a kind of routers, by a JSON object (`metainfo`), or by both. What it says is not for
the maker of a router to choose otherwise, nor to change afterwards: so a tenant may have routers by an administrator's choice
that he could not make himself. Changes of a flavor or a profile touch no router that is there.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.availability_zones import check_hints
from apps.service_providers import DRIVERS, KINDS, ROUTERS, USUAL, kind_of
from controller.errors import Conflict, Exhausted, Invalid, Missing

BINDING = "flavor_service_profile_binding"
WORDS = ("distributed", "ha", "availability_zone_hints", "enable_default_route_ecmp")
_LOCKED = ("distributed", "ha", "enable_default_route_ecmp")       # the hints may not be changed of any router


# ---- what a profile says

def settle_profile(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """It says something, by a driver that there is; and it stays as it is as long as a flavor has it."""
    if before is not None and write.count(BINDING, "service_profile_id", before.id):
        raise Conflict("ServiceProfileInUse", f"Service Profile {before.id} is used by some service instance.")
    if not document["driver"] and not document["metainfo"]:
        raise Invalid("", "Service Profile needs either a driver or metainfo.", type="ServiceProfileEmpty")
    if document["driver"] and document["driver"] not in DRIVERS:
        raise Missing("service_profile", document["driver"], type="ServiceProfileDriverNotFound",
                      text=f"Service Profile driver {document['driver']} could not be found. There are {', '.join(KINDS)}.")


def terms(write: Any, profile: Any) -> dict[str, Any]:
    """What a profile makes of a router, by attribute; Invalid if it says anything else, or two things."""
    found: dict[str, Any] = dict(KINDS[DRIVERS[profile.driver]]) if profile.driver else {}
    for name, value in _said(profile).items():
        if name not in WORDS:
            raise Invalid("metainfo", f"{name} is nothing that a profile of routers says; it says {', '.join(WORDS)}")
        try:
            value = write.resources["router"].attributes[name].read(value)
        except Invalid as wrong:
            raise wrong.inside(f"metainfo.{name}") from None
        if found.setdefault(name, value) != value:
            raise Invalid("metainfo", f"{name} is not what the driver {profile.driver} makes of a router; leave one of them out")
    return found


def _said(profile: Any) -> dict[str, Any]:
    try:
        said = json.loads(profile.metainfo or "{}")
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Invalid("metainfo", 'of a profile of routers must be a JSON object, as {"ha": false}')
    return said


# ---- which profiles a flavor has

def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    write.then(lambda: _have(write, document["id"], asked.get("service_profiles", ())))


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if "service_profiles" in asked:
        for one in bound(write, before.id):
            if one.service_profile_id not in asked["service_profiles"]:
                write.remove(BINDING, one)
        _have(write, before.id, asked["service_profiles"])


def _have(write: Any, flavor_id: str, wanted: Any) -> None:
    had = {one.service_profile_id for one in bound(write, flavor_id)}
    for id in wanted:
        if id not in had:
            write.create(BINDING, {"flavor_id": flavor_id, "service_profile_id": id})


def bind(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """After those that the flavor has. Of a flavor of routers every profile makes a router."""
    flavor, profile = write.get("flavor", document["flavor_id"]), write.get("service_profile", document["service_profile_id"])
    if flavor.service_type == ROUTERS:
        terms(write, profile)
    document["place"] = max((one.place for one in bound(write, flavor.id)), default=0) + 1


def bound(rows: Any, flavor_id: str) -> list[Any]:
    """The bindings of a flavor, in the order in which they were made."""
    return sorted(rows.find(BINDING, "flavor_id", flavor_id), key=lambda one: one.place)


def profiles(model: Any, flavor: Any) -> list[str]:
    return [one.service_profile_id for one in bound(model, flavor.id)]


# ---- what a router of a flavor is

def choose(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """A new router of a flavor is what the flavor's profile says."""
    if document["flavor_id"] is None:
        return
    flavor = write.get("flavor", document["flavor_id"])
    if flavor.service_type != ROUTERS:
        raise Invalid("flavor_id", f"flavor {flavor.id} is one of {flavor.service_type}; a router needs one of {ROUTERS}")
    if not flavor.enabled:
        raise Exhausted("FlavorDisabled", "Flavor is not enabled.")
    for name, value in terms(write, _next(write, flavor)).items():
        if asked.get(name, value) not in (value, ()):
            raise Invalid(name, f"flavor {flavor.name or flavor.id} makes it {json.dumps(value)}; leave it out")
        document[name] = value
    check_hints(write, document, asked, None)


def keep(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """What a flavor has made of a router it stays."""
    if before.flavor_id is not None:
        for name in _LOCKED:
            if document[name] != getattr(before, name):
                raise Invalid(name, "Changing the 'ha' and 'distributed' attributes on a router associated with a flavor is not supported")


def _next(rows: Any, flavor: Any) -> Any:
    """The profile that makes the next router."""
    found = [rows.get("service_profile", one.service_profile_id) for one in bound(rows, flavor.id)]
    if not found:
        raise Missing("flavor", flavor.id, type="FlavorServiceProfileBindingNotFound",
                      text=f"Service Profile is not associated with flavor {flavor.id}.")
    able = next((one for one in found if one.enabled), None)
    if able is None:
        raise Exhausted("ServiceProfileDisabled", "Service Profile is not enabled.")
    return able


def next_providers(model: Any, flavor: Any) -> list[dict[str, Any]]:
    """Who makes the next router: none, for what is no flavor of routers, or has no profile that is enabled."""
    able = next((one for id in profiles(model, flavor) if (one := model.get("service_profile", id)).enabled), None)
    if flavor.service_type != ROUTERS or able is None:
        return []
    said = {**KINDS[USUAL], **terms(model, able)}
    return [{"provider": kind_of(said["distributed"], said["ha"]), "flavor_id": flavor.id, "driver": able.driver,
             "metainfo": able.metainfo}]
