"""Answers that outlive the process: what the compiler knew, and the rows that it knew it of, in a file beside the store.

    quiet, and much has changed ─► fork ─► the child writes rows and answers, and ends
    start ─► the same code and settings? ─► answers as they were ─► rows that are others by now: as changes

The file decides nothing. What it says of rows is held against the store's, and whatever differs takes the path of any other
change; of other code, other settings or another store, or damaged, it is passed over, and all is compiled from the rows.
"""
from __future__ import annotations

import gc
import hashlib
import io
import logging
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from controller.compile import Compiler
from controller.openflow.flow import Flow

log = logging.getLogger("hadron.remembered")

MAGIC = b"Hadron answers 1\n"
MARK = 32                   # bytes of a fingerprint, and of the proof at the end
ONLY = ("apps.", "controller.", "topology.", "extra.")           # what a file may name
PLAIN = {("collections", "defaultdict"), ("collections", "OrderedDict"), ("copyreg", "__newobj__"), ("copyreg", "_reconstructor"),
         ("builtins", "object"), ("builtins", "dict"), ("builtins", "list"), ("builtins", "set"), ("builtins", "frozenset")}
NEVER = float("inf")
PACE = 10.0                 # seconds between two writings for each second of computing that one takes
SOONEST, LATEST = 10.0, 300.0        # seconds between two writings; after which it is not waited for quiet any more
ROOM = 1.3                  # times what the process takes must be free: the child's pages become its own

Rows = Mapping[str, Mapping[str, Any]]


def fingerprint(directories: Iterable[Path], settings: Mapping[str, Any]) -> bytes:
    """What answers depend on besides rows: the code, the model files, the settings, and Python."""
    told = hashlib.blake2b(digest_size=MARK)
    told.update(repr((sys.version, sorted(settings.items(), key=repr))).encode())
    for directory in directories:
        for file in sorted(directory.rglob("*")):
            if file.suffix in (".py", ".yaml"):
                told.update(f"\n{file.relative_to(directory)}\n".encode() + file.read_bytes())
    return told.digest()


# ---- what is written, and read

def landmark(number: int) -> Any:
    """Stands in a file for a question or a table of the running program."""
    raise LookupError(number)


def row(kind: str, values: tuple) -> Any:
    """Stands in a file for the making of a row."""
    raise LookupError(kind)


def frozen(held: dict) -> Mapping:
    """A mapping that nobody changes."""
    return MappingProxyType(held)


def flow(*parts: Any) -> Flow:
    """A flow as it was."""
    made = object.__new__(Flow)
    made.table, made.why, made.key, made.body, made.cookie, made.stage, made.counts = parts
    return made


class _Pickler(pickle.Pickler):
    def __init__(self, file: Any, landmarks: Iterable[Any]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._numbers = {id(one): number for number, one in enumerate(landmarks)}

    def reducer_override(self, thing: Any) -> Any:
        kind = thing.__class__
        if kind is Flow:
            return flow, (thing.table, thing.why, thing.key, thing.body, thing.cookie, thing.stage, thing.counts)
        if id(thing) in self._numbers:
            return landmark, (self._numbers[id(thing)],)
        if kind is MappingProxyType:
            return frozen, (dict(thing),)
        if hasattr(kind, "KIND"):
            return row, (kind.KIND, tuple(thing))
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, landmarks: Sequence[Any], makers: Mapping[str, Callable[[tuple], Any]]) -> None:
        super().__init__(file)
        self._own = {"landmark": landmarks.__getitem__, "row": lambda kind, values: makers[kind](values), "flow": flow, "frozen": MappingProxyType}

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__:
            return self._own[name]
        if not module.startswith(ONLY) and (module, name) not in PLAIN:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in it")
        return super().find_class(module, name)


def _proof(digest: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(digest, key=key, digest_size=MARK).digest()


class _Proving:
    """Writes to a descriptor, and proves at the end that nothing of it was changed."""

    def __init__(self, descriptor: int, head: bytes, key: bytes, parent: int) -> None:
        self._descriptor, self._parent, self._key = descriptor, parent, key
        self._digest = hashlib.blake2b()
        self.write(head)

    def write(self, data: Any) -> int:
        if self._parent and os.getppid() != self._parent:
            raise InterruptedError("nobody waits for it any more")
        self._digest.update(data)
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left):]
        return len(data)

    def end(self) -> None:
        os.write(self._descriptor, _proof(self._digest.digest(), self._key))


class Unremembered:
    """Nothing outlives the process."""
    key = b""

    def take_back(self) -> Rows | None:
        """Give the compiler its answers, and return the rows of which they are; None if there is nothing that fits."""
        return None

    def begin(self) -> None:
        """From now on write, when it is time: in a process that may fork."""

    def changed(self) -> None:
        """Answers are others than in the file."""

    def tick(self, passed: float) -> None:
        """Once a second: see whether it is time to write. For the desk, as what follows."""

    def settle(self, passed: float) -> None:
        """Rows and answers agree now: write them, if it is time."""

    def close(self) -> None:
        """Nothing is written any more."""


class Remembered(Unremembered):
    """The file of one compiler. `landmarks` are the questions and tables of the program, the same in the same order in each
    process of the same `fingerprint`; with `key`, which only the store knows, the file proves that it is of this store."""

    def __init__(self, path: str | Path, compiler: Compiler, landmarks: Iterable[Any], fingerprint: bytes) -> None:
        self.path, self.compiler, self.model = Path(path), compiler, compiler.model
        self._new = self.path.with_name(f"{self.path.name}.new")
        self._landmarks, self._head = list(landmarks), MAGIC + fingerprint
        self._child, self._next = 0, NEVER
        self._since: float | None = None            # when the first change came that the file lacks
        self._fetched, self._digest = b"", b""
        self._fetching = threading.Thread(target=self._fetch, name="answers", daemon=True)
        self._fetching.start()
        self._busy = False                          # whether something has changed within this second
        self._due = False

    # ---- reading
    def _fetch(self) -> None:
        """In a thread: disk and digest need no lock of Python's, and the store is loaded meanwhile."""
        with suppress(OSError):
            data = self.path.read_bytes()
            if data.startswith(self._head):
                self._fetched, self._digest = data, hashlib.blake2b(memoryview(data)[:-MARK]).digest()
            else:
                log.info("%s: of another version: all is compiled anew", self.path)

    def take_back(self) -> Rows | None:
        began = time.monotonic()
        self._fetching.join()
        data, self._fetched = self._fetched, b""
        if not data:
            return None
        if data[-MARK:] != _proof(self._digest, self.key):
            log.info("%s: of another store, or damaged: all is compiled anew", self.path)
            return None
        file = io.BytesIO(data)
        file.seek(len(self._head))
        makers = {kind: one.row._make for kind, one in self.model.resources.items()}
        try:
            rows, kept = _Unpickler(file, self._landmarks, makers).load()
        except Exception:
            log.exception("%s: cannot be read: all is compiled anew", self.path)
            return None
        self.compiler.take_back(kept)
        log.info("took back %d units in %.2f s", len(self.compiler.units), time.monotonic() - began)
        return rows

    # ---- writing
    def begin(self) -> None:
        self._next = 0.0

    def changed(self) -> None:
        self._busy = True

    def tick(self, passed: float) -> None:
        if self._busy and self._since is None:
            self._since = passed
        busy, self._busy = self._busy, False
        if self._child:
            self._reap(passed)
        elif self._since is not None and passed >= self._next and (not busy or passed - self._since > LATEST):
            self._due = True

    def settle(self, passed: float) -> None:
        if not self._due:
            return
        self._due = False
        if self.compiler.world.broken:               # a restart is the chance to ask anew what has failed
            return
        self._since = None
        if not _room():
            self._next = passed + LATEST
            return
        parent = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)      # of threads: see _write_and_end
            self._child = os.fork()
        if not self._child:
            self._write_and_end(parent)

    def _reap(self, passed: float) -> None:
        try:
            done, status, used = os.wait4(self._child, os.WNOHANG)
        except ChildProcessError:
            return
        if done:
            self._child = 0
            self._next = passed + max(SOONEST, PACE * (used.ru_utime + used.ru_stime))
            if status:
                log.warning("what the compiler knows could not be kept: %s", _text(self._new))
                self._next = NEVER

    def close(self) -> None:
        if self._child:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._child, signal.SIGKILL)
                os.waitpid(self._child, 0)
        self._child, self._next = 0, NEVER

    def _write_and_end(self, parent: int) -> NoReturn:
        """In the child, which has nothing but this thread: no socket, lock or file of the controller's is touched again."""
        code = 1
        try:
            gc.disable()
            os.nice(10)
            _let_go_of_files()
            self._new.unlink(missing_ok=True)
            self.write(parent)
            code = 0
        except BaseException as wrong:
            self._new.write_text(f"{type(wrong).__name__}: {wrong}")
        finally:
            os._exit(code)

    def write(self, parent: int = 0) -> None:
        """Write what is known now, in place of what was. Raises OSError, or what a value raises that cannot be written;
        InterruptedError once the process that wants it, if one is named, is no more."""
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            file = _Proving(descriptor, self._head, self.key, parent)
            _Pickler(file, self._landmarks).dump((self.model.rows, self.compiler.keep()))
            file.end()
        finally:
            os.close(descriptor)
        self._new.rename(self.path)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:200]
    except OSError as wrong:
        return str(wrong)


def _let_go_of_files() -> None:
    """A child must not hold sockets open after its parent is gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    for held in os.listdir("/proc/self/fd"):
        if int(held) > 2:
            with suppress(OSError):              # the one of the list itself is closed already
                os.close(int(held))


def _room() -> bool:
    """Whether there is memory for a second process of this size."""
    try:
        own = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        free = next(int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text().splitlines()
                    if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return False
    return free > ROOM * own
