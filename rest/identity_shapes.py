"""What the identity endpoint answers with: versions, catalog and tokens, in the words of the Identity API v3 and v2.0."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from controller.context import with_implied
from rest.directory import DOMAIN, Directory, Project
from rest.signed import Token

REGION = "RegionOne"


@dataclass(frozen=True)
class Places:
    """Where clients find the services. An empty `network` stands for the host that they found identity at."""

    network: str = ""
    network_port: Callable[[], int] = lambda: 9696
    network_tls: bool = False

    def services(self, root: str) -> list[dict[str, str]]:
        """Type, name and address of each service, for a client that reached identity at `root`."""
        host = urlsplit(root).hostname or "localhost"
        said = f"[{host}]" if ":" in host else host
        network = self.network or f"http{'s' if self.network_tls else ''}://{said}:{self.network_port()}"
        return [{"id": "network", "type": "network", "name": "neutron", "url": network},
                {"id": "identity", "type": "identity", "name": "keystone", "url": f"{root}/v3"}]

    def catalog(self, root: str) -> list[dict[str, Any]]:
        """The catalog of v3."""
        return [{"id": one["id"], "type": one["type"], "name": one["name"], "endpoints": [
            {"id": f"{one['id']}-{interface}", "interface": interface, "region": REGION, "region_id": REGION,
             "url": one["url"]} for interface in ("public", "internal", "admin")]} for one in self.services(root)]

    def old_catalog(self, root: str) -> list[dict[str, Any]]:
        """The catalog of v2.0. Its identity is of that version too."""
        found = []
        for one in self.services(root):
            url = f"{root}/v2.0" if one["type"] == "identity" else one["url"]
            found.append({"type": one["type"], "name": one["name"], "endpoints_links": [], "endpoints": [
                {"id": one["id"], "region": REGION, "publicURL": url, "internalURL": url, "adminURL": url}]})
        return found


def moment(seconds: int) -> str:
    """A time as Identity says it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def version(name: str, root: str) -> dict[str, Any]:
    """One version of the API: v3 or v2.0."""
    new = name == "v3"
    return {"id": "v3.14" if new else "v2.0", "status": "stable" if new else "deprecated",
            "updated": "2020-04-07T00:00:00Z" if new else "2016-08-04T00:00:00Z",
            "links": [{"rel": "self", "href": f"{root}/{name}/"}],
            "media-types": [{"base": "application/json", "type": f"application/vnd.openstack.identity-{name}+json"}]}


def versions(root: str) -> dict[str, Any]:
    """All versions."""
    return {"versions": {"values": [version("v3", root), version("v2.0", root)]}}


def project(one: Project, root: str = "") -> dict[str, Any]:
    """A project as v3 shows it."""
    return {"id": one.id, "name": one.name, "domain_id": DOMAIN["id"], "description": one.description, "enabled": True,
            "parent_id": DOMAIN["id"], "is_domain": False, "tags": [], "options": {},
            "links": {"self": f"{root}/v3/projects/{one.id}"}}


def roles_of(directory: Directory, token: Token) -> list[dict[str, str]]:
    """The roles that a token gives now."""
    user = directory.users[token.user_id]
    given = user.system if token.system else user.projects.get(token.project_id or "", ())
    return [{"id": role, "name": role} for role in sorted(with_implied(given))]


def token(directory: Directory, one: Token, catalog: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A token as v3 shows it."""
    user = directory.users[one.user_id]
    shown: dict[str, Any] = {
        "methods": list(one.methods), "audit_ids": list(one.audits[:1] + one.audits[-1:])[:len(one.audits)],
        "issued_at": moment(one.issued), "expires_at": moment(one.expires),
        "user": {"id": user.id, "name": user.name, "domain": dict(DOMAIN), "password_expires_at": None}}
    if one.system:
        shown["system"] = {"all": True}
    elif one.project_id is not None:
        known = directory.projects[one.project_id]
        shown |= {"is_domain": False, "project": {"id": known.id, "name": known.name, "domain": dict(DOMAIN)}}
    if one.system or one.project_id is not None:
        shown["roles"] = roles_of(directory, one)
        if catalog is not None:
            shown["catalog"] = catalog
    return {"token": shown}


def tenant(one: Project) -> dict[str, Any]:
    """A project as v2.0 shows it."""
    return {"id": one.id, "name": one.name, "description": one.description, "enabled": True}


def access(directory: Directory, text: str, one: Token, catalog: list[dict[str, Any]]) -> Mapping[str, Any]:
    """A token as v2.0 shows it. Clients of old refuse members that they do not know: there are no others."""
    user = directory.users[one.user_id]
    roles = roles_of(directory, one)
    shown: dict[str, Any] = {"id": text, "issued_at": moment(one.issued), "expires": moment(one.expires)}
    if one.project_id is not None:
        shown["tenant"] = tenant(directory.projects[one.project_id])
    return {"access": {
        "token": shown, "serviceCatalog": catalog if one.project_id is not None else [],
        "user": {"id": user.id, "name": user.name, "username": user.name, "roles_links": [],
                 "roles": [{"id": role["id"], "name": role["name"]} for role in roles]},
        "metadata": {"is_admin": int(any(role["name"] == "admin" for role in roles)),
                     "roles": [role["id"] for role in roles]}}}
