"""What a client asks first: which versions there are, and which collections a version has."""
import re
from collections.abc import Iterable

import orjson

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
VERSION = "v2.0"


def root_of(environ: dict) -> str:
    """The address the client used, for links; never a part of a Host header that is not a host."""
    host = environ.get("HTTP_HOST", "")
    if not _HOST.fullmatch(host):
        host = f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '9696')}"
    return f"{environ.get('wsgi.url_scheme', 'http')}://{host}"


def versions(root: str) -> bytes:
    """The answer to `GET /`."""
    return orjson.dumps({"versions": [
        {"id": VERSION, "status": "CURRENT", "links": [{"rel": "self", "href": f"{root}/{VERSION}/"}]}]})


def collections(root: str, served: Iterable[tuple[str, str, str]]) -> bytes:
    """The answer to `GET /v2.0/`: (member, collection, path) of everything that is served."""
    return orjson.dumps({"resources": [
        {"name": member, "collection": collection, "links": [{"rel": "self", "href": f"{root}{path}"}]}
        for member, collection, path in served]})
