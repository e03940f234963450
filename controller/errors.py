"""What Hadron answers when it will not do what was asked: one class per reason.

Each carries the name that Neutron gives the case (`type`), an HTTP status and a message a person can act on.
"""
from __future__ import annotations

_SPELT = {"floatingip": "Floating IP", "bandwidth_limit_rule": "Qos Rule", "dscp_marking_rule": "Qos Rule",
          "packet_rate_limit_rule": "Qos Rule"}                         # kinds that Neutron spells its own way


class Refused(Exception):
    """The common part: `type` is Neutron's name of the case, `status` the HTTP status that goes with it."""

    status = 400
    type = "BadRequest"

    def __init__(self, message: str, *, type: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if type:
            self.type = type


class Invalid(Refused):
    """A value its sender can mend. Reads `field: what is wrong and the remedy`."""

    status = 400
    type = "InvalidInput"

    def __init__(self, field: str, text: str, *, type: str | None = None) -> None:
        super().__init__(f"{field}: {text}" if field else text, type=type)
        self.field, self.text = field, text

    def inside(self, outer: str) -> Invalid:
        """The same fault, seen from the value that contains it: `ip_address` inside `fixed_ips[0]`."""
        field = self.field if not self.field or self.field.startswith("[") else f".{self.field}"
        return Invalid(f"{outer}{field}", self.text, type=None if self.type == Invalid.type else self.type)


class Unsupported(Refused):
    """The request is right, but Hadron does not serve it."""

    status = 501
    type = "NotImplemented"

    def __init__(self, field: str, text: str, *, type: str | None = None) -> None:
        super().__init__(f"{field}: {text}" if field else text, type=type)
        self.field, self.text = field, text


class Missing(Refused):
    """There is no such object, or none that the asker may see."""

    status = 404

    def __init__(self, kind: str, id: object, *, type: str | None = None, text: str | None = None) -> None:
        words = _SPELT.get(kind) or kind.rpartition(".")[2].replace("_", " ").capitalize()
        super().__init__(text or f"{words} {id} could not be found.", type=type or f"{camel(kind)}NotFound")
        self.kind, self.id = kind, id


class Conflict(Refused):
    """What is there already stands against it."""

    status = 409

    def __init__(self, type: str, text: str) -> None:
        super().__init__(text, type=type)


class Exhausted(Refused):
    """Nothing is left of something that is limited."""

    status = 503

    def __init__(self, type: str, text: str) -> None:
        super().__init__(text, type=type)


class OverQuota(Refused):
    """The project has as many as it may have."""

    status = 409
    type = "OverQuota"

    def __init__(self, kind: str, limit: int) -> None:
        super().__init__(f"Quota exceeded for resources: ['{kind}']. The limit of this project is {limit}.")
        self.kind, self.limit = kind, limit


class Forbidden(Refused):
    """The asker may see it, but not do this to it."""

    status = 403
    type = "PolicyNotAuthorized"


class Stale(Refused):
    """Somebody changed the object since the asker read it (If-Match)."""

    status = 412
    type = "RevisionNumberConstraintFailed"

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"Constrained to {expected}, but current revision is {actual}. Read it again.")


def camel(kind: str) -> str:
    """security_group -> SecurityGroup: the word in Neutron's names of errors."""
    if kind in _SPELT:
        return _SPELT[kind].replace(" ", "")
    return "".join(word.capitalize() for word in kind.rpartition(".")[2].replace("-", "_").split("_"))
