"""A real Chromium without a window, for pages: driven by its own protocol over a pipe, with no library between."""
from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0
KEYS = {"Tab": 9, "Enter": 13, "Space": 32}
# Names are not resolved, and of addresses only the loopback one is reached: a page that wants more is found out.
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
            "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")


def program() -> str | None:
    """Where a Chromium is; None if there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One page of it. `complaints` are errors of the console, `requests` all addresses that were asked for."""

    def __init__(self) -> None:
        found = program()
        assert found, "no Chromium is installed"
        self._home = tempfile.TemporaryDirectory(prefix="browser", ignore_cleanup_errors=True)
        (its_in, self._out), (self._in, its_out) = os.pipe(), os.pipe()
        # It reads its orders from descriptor 3 and answers on 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{its_in} 4>&{its_out}', found, *_OPTIONS, f"--user-data-dir={self._home.name}", "about:blank"],
            pass_fds=(its_in, its_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(its_in)
        os.close(its_out)
        self._number, self._waiting, self._session = 0, b"", ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._loaded = 0
        self._begin()

    def _begin(self) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        """End it, and its processes with it."""
        self._session = ""
        with contextlib.suppress(AssertionError, OSError):
            self.ask("Browser.close")
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._home.cleanup()

    # ---- the protocol
    def ask(self, method: str, **params: Any) -> Any:
        """What the browser answers to an order; AssertionError if it refuses."""
        self._number += 1
        told = {"id": self._number, "method": method, "params": params, **({"sessionId": self._session} if self._session else {})}
        os.write(self._out, json.dumps(told).encode() + b"\0")
        answer = self._until(lambda one: one if one.get("id") == self._number else None)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _until(self, found: Callable[[dict[str, Any]], Any]) -> Any:
        """Hear what it says until something is found."""
        deadline = time.monotonic() + PATIENCE
        while True:
            while b"\0" in self._waiting:
                text, _, self._waiting = self._waiting.partition(b"\0")
                one = json.loads(text)
                self._note(one.get("method", ""), one.get("params", {}))
                if (result := found(one)) is not None:
                    return result
            assert select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))[0], "the browser does not answer"
            more = os.read(self._in, 1 << 20)
            assert more, "the browser has ended"
            self._waiting += more

    def _note(self, event: str, said: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded += 1
        elif event == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(said["exceptionDetails"]["text"])
        elif event == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(said["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(said["args"]))

    # ---- what a person does and sees
    def open(self, url: str) -> None:
        """Load a page, whole."""
        before = self._loaded
        self.ask("Page.navigate", url=url)
        if self._loaded == before:
            self._until(lambda one: True if self._loaded > before else None)

    def see(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """A key goes down and up."""
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        name = " " if key == "Space" else key
        for way in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=way, key=name, code=key, windowsVirtualKeyCode=KEYS[key],
                     **({"text": text} if text and way == "keyDown" else {}))

    def prefer(self, scheme: str) -> None:
        """The person likes it `dark` or `light`."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def width(self, pixels: int) -> None:
        """So wide is the window."""
        self.ask("Emulation.setDeviceMetricsOverride", width=pixels, height=800, deviceScaleFactor=1, mobile=False)

    def tree(self) -> list[tuple[str, str]]:
        """(role, name) of all that a screen reader is told, in order."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        return [(one["role"]["value"], one.get("name", {}).get("value", "")) for one in nodes if not one.get("ignored")]

    def picture(self) -> bytes:
        """What it looks like, as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
