"""Commands inside a network namespace."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class CommandFailed(Exception):
    """A command ended with an error; the message carries what it said."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{' '.join(command)}: status {status}: {output.strip()}")
        self.command, self.status, self.output = list(command), status, output


def run(command: Sequence[str], *, check: bool = True, timeout: float = 30, text: str | None = None,
        environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Raises CommandFailed if it fails and subprocess.TimeoutExpired after so many seconds."""
    done = subprocess.run(
        list(command), input=text, text=True, capture_output=True, timeout=timeout, errors="replace",
        stdin=subprocess.DEVNULL if text is None else None, env={**os.environ, **environment} if environment else None,
    )
    if check and done.returncode:
        raise CommandFailed(command, done.returncode, done.stderr + done.stdout)
    return done


def ip_batch(lines: Sequence[str], *, namespace: str | None = None, force: bool = False) -> None:
    """Many `ip` commands in one process; stops at the first that fails, unless forced to go on with the others."""
    command = ["ip", *(["-n", namespace] if namespace else []), *(["-force"] if force else []), "-batch", "-"]
    run(command, text="\n".join(lines) + "\n", check=not force)


@dataclass(frozen=True)
class Namespace:
    """A network namespace that exists, and variables that every command in it should see."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, command: Sequence[str], *, check: bool = True, timeout: float = 30,
            text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command inside, to its end; errors as in `run`."""
        return run(self.wrapped(command), check=check, timeout=timeout, text=text, environment=self.environment)

    def start(self, command: Sequence[str], *, stdin: int | None = subprocess.DEVNULL, stdout: int | None = subprocess.PIPE,
              stderr: int | None = subprocess.STDOUT) -> "subprocess.Popen[bytes]":
        """Start a command inside and leave it running; its output comes through a pipe unless said otherwise."""
        return subprocess.Popen(self.wrapped(command), stdin=stdin, stdout=stdout, stderr=stderr,
                                env={**os.environ, **self.environment})

    def script(self, text: str, *, timeout: float = 30) -> str:
        """Run a shell script inside that stops at the first failing command; return what it printed."""
        return self.run(["sh", "-es"], text=text, timeout=timeout).stdout

    def wrapped(self, command: Sequence[str]) -> list[str]:
        """The command as it is started from outside."""
        return ["ip", "netns", "exec", self.name, *command]
