"""Extra options of ports (`extra_dhcp_opts`), whichever version of DHCP they are of: what is said, read as it goes on the wire."""
from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any, NamedTuple

LONGEST_NAME, LONGEST_VALUE = 64, 255
SWITCH = "dhcp_disabled"            # OVN's name: no DHCP for this port


class Extra(NamedTuple):
    """One extra option. No value: it is left out, whatever the subnet says."""
    code: int
    value: bytes | None
    boots: bool | None = None       # True: only for iPXE, False: only for anything else (Ironic's tag:ipxe, tag:!ipxe)


SWITCHED_OFF = Extra(0, None)


class Found(NamedTuple):
    """What a name stands for, and what reads its value."""
    code: int
    reader: Callable[[str], bytes]
    boots: bool | None = None


class Options:
    """The options of one version. `find` knows them by name, or says by ValueError why not; those of `may_be_blank` are taken
    away from what a port is told by a blank value.
    """

    def __init__(self, find: Callable[[str], Found], versions: Container[int | None],
                 may_be_blank: Iterable[tuple[str, int]] = ()) -> None:
        self._find, self._versions, self._blank = find, versions, dict(may_be_blank)

    def check(self, name: str, value: Any) -> str | None:
        """What is wrong with an option, for whoever set it; None if it is right."""
        try:
            self.read(name, value)
        except ValueError as error:
            return str(error)
        return None

    def read(self, name: str, value: Any) -> Extra | None:
        """The option as it goes on the wire, or None if there is no value and so nothing to set. ValueError says why not."""
        for what, text, longest in (("name", name, LONGEST_NAME), ("value", value, LONGEST_VALUE)):
            if text is not None and not is_line(text, longest):
                raise ValueError(f"{what}: must be one line of at most {longest} printable characters")
        if name == SWITCH:
            return _read_switch(value)
        found = self._find(name or "")
        if value is None:
            return None
        if not value.strip():
            if found.code not in self._blank.values():
                only = f"; only {', '.join(self._blank)} may be" if self._blank else ""
                raise ValueError(f"value: {name} must not be blank{only}")
            return Extra(found.code, None, found.boots)
        try:
            return Extra(found.code, found.reader(value.strip()), found.boots)
        except ValueError as error:
            raise ValueError(f"value: {value!r} is not right for {name}: {error}") from None

    def of(self, options: Iterable[Any]) -> tuple[Extra, ...]:
        """Those of a port's options that are of this version; what cannot be read counts for nothing.

        They were checked when they were written: what cannot be read can only come from an older release's store.
        """
        found = [self.read(option["opt_name"], option["opt_value"]) for option in options
                 if option.get("ip_version", 4) in self._versions and not self.check(option["opt_name"], option["opt_value"])]
        return tuple(extra for extra in found if extra)


def is_line(text: Any, longest: int) -> bool:
    return isinstance(text, str) and len(text) <= longest and (text.isprintable() or not text)


def _read_switch(value: str | None) -> Extra | None:
    if value is None:
        return None
    if value.lower() not in ("true", "false"):
        raise ValueError(f"value: {SWITCH} must be true or false")
    return SWITCHED_OFF if value.lower() == "true" else None
