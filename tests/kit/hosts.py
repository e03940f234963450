"""An OvsdbServer for tests, and what it has posted."""

import threading
import time
from collections.abc import Callable

from controller.switch.ovsdb import HostFacts, HostGone, OvsdbServer


class Hosts:
    """Runs a server and folds its posts into `rows`, as the desk's model would."""

    def __init__(self, *, tls=None, address: str = "0.0.0.0", port: int = 0, **options) -> None:
        self.rows: dict[str, dict[tuple[str, str], dict]] = {}
        self.posts: list[HostFacts | HostGone] = []
        self._changed = threading.Condition()
        self.server = OvsdbServer(self._post, **options)
        self.address, self.port = self.server.listen(address, port, tls=tls)
        self.server.start()

    def __enter__(self) -> "Hosts":
        return self

    def __exit__(self, *error) -> None:
        self.server.close()

    def _post(self, event: HostFacts | HostGone) -> None:
        with self._changed:
            self.posts.append(event)
            if isinstance(event, HostFacts):
                rows = self.rows.setdefault(event.host_id, {})
                if event.complete:
                    rows.clear()
                for identity in event.removes:
                    del rows[identity]
                rows.update({(kind, row["id"]): row for kind, row in event.puts})
            self._changed.notify_all()

    def wait(self, condition: Callable[[], object], seconds: float = 30):
        """What the condition gives, once it is true."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (found := condition()):
                left = deadline - time.monotonic()
                assert left > 0, f"not in {seconds} s; posted: {self.posts[-3:]}"
                self._changed.wait(min(left, 0.05))
            return found

    def of(self, host_id: str, kind: str) -> dict[str, dict]:
        """The rows of one kind that are known of a host, by id."""
        return {row_id: row for (each, row_id), row in self.rows.get(host_id, {}).items() if each == kind}

    def interface(self, host_id: str, name: str) -> dict | None:
        return self.rows.get(host_id, {}).get(("interface", f"{host_id}/{name}"))

    def provisioned(self, host_id: str) -> bool:
        """Whether the host's switch and its three tunnels are there."""
        return bool(self.of(host_id, "switch")) and len(self.of(host_id, "interface")) >= 3
