"""How many of each kind a project may have, as a configuration says."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.resource import Invalid, Resources


def read_quotas(resources: Resources, given: Mapping[str, Any]) -> dict[str, int]:
    """How many of each kind a project may have by default, as configured. Invalid names what is wrong."""
    known = [one.kind for one in resources.values() if one.quota is not None]
    for kind, limit in given.items():
        if kind not in known:
            raise Invalid(f"quotas.{kind}", f"has no quota; there are {', '.join(sorted(known))}")
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < -1:
            raise Invalid(f"quotas.{kind}", "must be a whole number, or -1 for any number")
    return dict(given)
