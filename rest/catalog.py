"""Projects, as far as clients ask a network service for them.

`openstack --os-auth-type none --os-endpoint URL` sends every question to the one endpoint, those about identity too
(`--project NAME` asks for `/v2.0/tenants/NAME`). Hadron keeps no list of projects: a project is a name, and each name
that its asker may use is one.
"""
from typing import Any

from controller.errors import Missing
from rest.render import dumps


def _shown(project: str) -> dict[str, Any]:
    return {"id": project, "name": project, "enabled": True, "description": ""}


def projects(context: Any) -> bytes:
    """The answer to `GET /v2.0/tenants`: the asker's own project."""
    return dumps({"tenants": [_shown(context.project_id)] if context.project_id else [], "tenants_links": []})


def project(context: Any, name: str) -> bytes:
    """The answer to `GET /v2.0/tenants/NAME`; Missing (404) for one that is not the asker's, unless an administrator asks."""
    if not context.is_admin and name != context.project_id:
        raise Missing("tenant", name)
    return dumps({"tenant": _shown(name)})
