"""A small cloud on plain switches: Net, with ports bound to switch ports by `binding:profile`."""

from __future__ import annotations

from typing import Any

from tests.kit.net import Net, Port, Thing


def dpid(number: int) -> str:
    return f"{number:016x}"


class Plain(Net):
    """Switches without host; `port("web", at=(1, 3))` is bound to port 3 of switch 1."""

    def switch(self, number: int, *ports: int) -> str:
        """A switch is there, with these ports."""
        self.learn([("switch", {"id": dpid(number)})])
        for port in ports:
            self.interface(number, port)
        return dpid(number)

    def interface(self, number: int, port: int, state: str = "up", **more: Any) -> None:
        self.learn([("interface", {"id": f"{dpid(number)}:{port}", "switch_id": dpid(number), "ofport": port,
                                   "name": f"s{number}-eth{port}", "link_state": state, "speed": 1000, **more})])

    def port(self, name: str, *, at: tuple[int, Any] | None = None, **more: Any) -> Port:  # type: ignore[override]
        if at is not None:
            more["binding:profile"] = profile(*at)
        return super().port(name, **more)

    def place(self, port: Thing) -> tuple[str, int]:
        if not port.switch_port:
            return super().place(port)
        switch, _, number = port.switch_port.partition(":")
        return switch, int(number.rpartition("eth")[2])

    def wire(self, one: tuple[int, int], other: tuple[int, int], **more: Any) -> None:
        """A wire is seen both ways."""
        for (source, port), (target, into) in ((one, other), (other, one)):
            self.learn([("link", {"id": f"{dpid(source)}:{port}", "source_switch_id": dpid(source), "source_port": port,
                                  "target_switch_id": dpid(target), "target_port": into, **more})])


def profile(switch: Any, port: Any) -> dict[str, Any]:
    return {"local_link_information": [{"switch_id": dpid(switch) if isinstance(switch, int) else switch, "port_id": port}]}
