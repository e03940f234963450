"""The words of policy rules: who may do something.

A rule is the names of those who may, joined by `_or_`: `admin`, `owner` (the project owns the object), `shared` and
`external` (the object is, so everybody may), `any`; `network_owner` and `network_shared` say it of the object that
`network_id` names. Gluon's and Neutron's names for the same are understood.
"""
from __future__ import annotations

import re
from functools import cache

_WORDS = {"admin": "admin", "admin_only": "admin", "context_is_admin": "admin", "context_is_advsvc": "admin",
          "advsvc": "admin", "owner": "owner", "shared": "shared", "any": "any", "regular_user": "any",
          "default": "admin_or_owner", "admin_owner_or_network_owner": "admin_or_owner_or_network_owner"}


MARKS = {"shared": "shared", "external": "router:external"}       # words that are an attribute of the object


class BadRule(ValueError):
    """The rule uses a word that nobody knows."""


@cache
def parse(rule: str) -> tuple[str, ...]:
    """The names of those who may. BadRule if a name is unknown."""
    plain = rule.removeprefix("rule:")
    plain = _WORDS.get(plain, plain)
    found = []
    for word in re.split("_or_", plain):
        word = _WORDS.get(word, word)
        known = word in ("admin", "owner", "any", *MARKS)
        if not known and not re.fullmatch("[a-z][a-z0-9_]*_(owner|shared)", word):
            raise BadRule(f"{rule}: {word} is nobody; there are admin, owner, shared, external, any, <object>_owner and "
                          "<object>_shared")
        found.append(word)
    return tuple(found)
