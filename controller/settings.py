"""What a configuration sets of features: their settings, and how many of each kind a project may have."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.errors import Unsupported
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


def read_settings(resources: Resources, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the features' settings are, after what was configured has been read. Invalid names the setting."""
    for name in given:
        if name not in resources.settings:
            raise Invalid(name, f"is no setting; there are {', '.join(sorted(resources.settings))}")
    found = {}
    for name, attribute in resources.settings.items():
        try:
            found[name] = attribute.read(given[name]) if name in given else attribute.read(attribute.default)
        except (Invalid, Unsupported) as wrong:
            raise Invalid(name, wrong.text if isinstance(wrong, Invalid) else str(wrong)) from None
    return found
