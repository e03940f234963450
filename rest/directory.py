"""Users, projects and roles as the configuration declares them: whom Hadron itself can tell apart, without a Keystone.

    users:
      - {name: ann, password: "scrypt:…", projects: {red: [member], blue: [reader]}}
      - {name: root, password: "scrypt:…", projects: {admin: [admin]}, system: [admin]}
    projects: [red, {name: blue, id: 1f0c…, description: The blue ones}]      # only what the users do not say

A project without an id has its name as id. Whoever names no project gets the first one of theirs.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.context import Context
from rest import passwords
from rest.errors import Answered, wait
from rest.throttle import Throttle

ROLES = ("admin", "manager", "member", "reader", "service")
DOMAIN = {"id": "default", "name": "Default"}


@dataclass(frozen=True)
class Project:
    """Who shares objects and quotas."""

    id: str
    name: str
    description: str = ""


@dataclass(frozen=True)
class User:
    """Somebody with a password; roles by project id, and for the system as a whole."""

    id: str
    name: str
    password: str = field(repr=False)
    projects: Mapping[str, tuple[str, ...]]
    system: tuple[str, ...] = ()

    def context(self, project_id: str | None, *, system: bool = False) -> Context:
        """What they may do in a project, in the system, or nowhere in particular."""
        given = self.system if system else self.projects.get(project_id or "", ())
        return Context(project_id=None if system else project_id, roles=frozenset(given), user=self.name, user_id=self.id,
                       system=system)


class Directory:
    """Finds users and projects, and checks passwords, slower and slower for whoever guesses."""

    def __init__(self, users: object, projects: object = None) -> None:
        self.projects = {one.id: one for one in _projects(projects or [])}
        self._project_names = {one.name: one for one in self.projects.values()}
        self.users: dict[str, User] = {}
        self._names: dict[str, User] = {}
        if not isinstance(users, list) or not users:
            raise ValueError("auth.users: must be a list of at least one user")
        for place, entry in enumerate(users):
            self._add(f"auth.users[{place}]", entry)
        self._nobodys = passwords.nobodys(next(iter(self.users.values())).password)
        # One machine, one name from one machine, one name from everywhere: the last only slows, or anybody could
        # lock anybody out.
        self._machines, self._pairs, self._everywhere = Throttle(20), Throttle(5), Throttle(50, longest=4.0)

    def _add(self, where: str, entry: object) -> None:
        _only(where, entry, {"name", "id", "password", "projects", "system"})
        assert isinstance(entry, dict)
        name = _text(f"{where}.name", entry.get("name"))
        try:
            passwords.check_form(entry.get("password"))
        except ValueError as wrong:
            raise ValueError(f"{where}.password: {wrong}") from None
        given = entry.get("projects") or {}
        if not isinstance(given, dict):
            raise ValueError(f"{where}.projects: must give roles by project, as {{red: [member]}}")
        projects = {self._declared(_text(f"{where}.projects", one)).id: _roles(f"{where}.projects.{one}", roles)
                    for one, roles in given.items()}
        system = _roles(f"{where}.system", entry["system"]) if entry.get("system") else ()
        if not projects and not system:
            raise ValueError(f"{where}.projects: must give roles in a project, or there must be some under system")
        user = User(_text(f"{where}.id", entry.get("id", name)), name, entry["password"], projects, system)
        if user.id in self.users or name in self._names:
            raise ValueError(f"{where}.name: {name} is there twice")
        self.users[user.id] = self._names[name] = user

    def _declared(self, said: str) -> Project:
        found = self.project(said) or self.project(name=said)
        if found is None:
            found = self.projects[said] = self._project_names[said] = Project(said, said)
        return found

    def project(self, id: str | None = None, *, name: str | None = None) -> Project | None:
        """A project by its id, or by its name."""
        return self.projects.get(id) if id is not None else self._project_names.get(name or "")

    def user(self, id: str | None = None, *, name: str | None = None) -> User | None:
        """A user by id, or by name."""
        return self.users.get(id) if id is not None else self._names.get(name or "")

    def check(self, id: str | None, name: str | None, password: str, address: str) -> User | None:
        """The user whose password it is; None for a wrong name or password, which takes as long.

        Refused (429) for an address or a name that guesses.
        """
        user = self.user(id, name=name)
        said = id if id is not None else name or ""
        keys = ((self._machines, address), (self._pairs, (said[:255], address)), (self._everywhere, said[:255]))
        seconds = max(throttle.wait(key) for throttle, key in keys)
        if seconds > 0:
            raise too_often(seconds)
        right = passwords.matches(password, user.password if user else self._nobodys)
        for throttle, key in keys:
            (throttle.worked if right else throttle.failed)(key)
        return user if right else None


def too_often(seconds: float) -> Answered:
    """429: come back later."""
    return wait("Too many failures to authenticate; try again later.", seconds)


def _projects(given: object) -> Iterator[Project]:
    if not isinstance(given, list):
        raise ValueError("auth.projects: must be a list of names, or of entries with name, id and description")
    seen: set[str] = set()
    for place, entry in enumerate(given):
        where, whole = f"auth.projects[{place}]", {"name": entry} if isinstance(entry, str) else entry
        _only(where, whole, {"name", "id", "description"})
        name = _text(f"{where}.name", whole.get("name"))
        one = Project(_text(f"{where}.id", whole.get("id", name)), name, str(whole.get("description", "")))
        if one.id in seen or name in seen:
            raise ValueError(f"{where}: {name} is there twice")
        seen |= {one.id, name}
        yield one


def _only(where: str, entry: object, words: set[str]) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: must have the entries {', '.join(sorted(words))}")
    unknown = sorted(str(word) for word in entry.keys() - words)
    if unknown:
        raise ValueError(f"{where}.{unknown[0]}: no such entry; there are {', '.join(sorted(words))}")


def _text(where: str, said: object) -> str:
    if not isinstance(said, str) or not said or len(said) > 255 or not said.isprintable():
        raise ValueError(f"{where}: must be a name of at most 255 printable characters")
    return said


def _roles(where: str, said: object) -> tuple[str, ...]:
    if not isinstance(said, list) or not said or any(one not in ROLES for one in said):
        raise ValueError(f"{where}: must be a list of {', '.join(ROLES)}")
    return tuple(dict.fromkeys(said))
