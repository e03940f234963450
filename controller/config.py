"""The configuration: one YAML file, every value with a default that is safe, checked before anything starts."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

LISTENERS = ("rest", "openflow", "ovsdb", "identity")


class BadConfig(ValueError):
    """The configuration is wrong; says which entry, and what to write instead."""


@dataclass(frozen=True)
class Tls:
    """Files in PEM form. With `ca`, clients must show a certificate that it signed."""
    certificate: str
    key: str
    ca: str = ""


@dataclass(frozen=True)
class Listener:
    address: str
    port: int
    tls: Tls | None = None
    allow_plain: bool = False           # a plain listener off loopback must be asked for


def _entry(default: Any, meaning: str, *, secret: bool = False) -> Any:
    """An entry of the configuration: its default, or what makes it, and what it means. A secret one is not printed."""
    made = {"default_factory": default} if callable(default) else {"default": default}
    return field(**made, repr=not secret, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Config:
    """Everything that can be set. `rest`, `openflow`, `ovsdb` and `identity` are where Hadron listens; `identity` only
    with `auth: {mode: identity}`.
    """
    store: str = _entry("hadron.db", "a SQLite file, or memory")
    rest: Listener = _entry(Listener("127.0.0.1", 9696), "where clients come: ADDRESS:PORT, or listen, tls, allow_plain")
    openflow: Listener = _entry(Listener("127.0.0.1", 6653), "where switches come")
    ovsdb: Listener = _entry(Listener("127.0.0.1", 6640), "where hosts come")
    identity: Listener = _entry(Listener("127.0.0.1", 35357), "where those who log in come, with auth: {mode: identity}")
    auth: dict[str, Any] = _entry(lambda: {"mode": "none"}, "mode (none, tokens, http_basic, identity, keystone) and what it needs",
                                  secret=True)
    bridge: str = _entry("br-int", "the integration bridge of hosts")
    controller_target: str = _entry("", "what bridges connect to; empty: the address at which their OVSDB reached us")
    lanes: int = _entry(3, "more connections of each switch, at the port after openflow's; 0: none")
    tunnels: tuple[str, ...] = _entry(("vxlan", "geneve", "gre"), "the kinds of tunnel ports that hosts have")
    audit_interval: float = _entry(300.0, "seconds between two audits of one switch; 0: never")
    failover_seconds: float = _entry(6.0, "a switch that is away so long is lost: another takes over what it did for all")
    settle_seconds: float = _entry(60.0, "and takes it back once it has been in step for so long, without a break")
    statistics_interval: float = _entry(10.0, "seconds between two readings of what a switch has counted; 0: never")
    requests_per_second: float = _entry(500.0, "of each project, ten seconds' worth at once; 0: as many as it likes")
    quotas: dict[str, int] = _entry(dict, "of every project without its own: `port: 500`; -1 for no limit")
    policy: str = _entry("", "a YAML file of rules, by name, that are said anew: `hadron policy`")
    apps: tuple[str, ...] = _entry((), "more directories with apps")
    adopt: tuple[str, ...] = _entry((), "switches without OVSDB to take as ours: their ids, or all")
    default_network: str = _entry("", "takes in every port of such a switch that no tenant claims; adopts all")
    certificates: str = _entry("first", "whose a host's name is: first (who shows its certificate first) or named (by the certificate)")
    without: tuple[str, ...] = _entry((), "parts that are switched off, and answer 501: layer3")
    settings: dict[str, Any] = _entry(dict, "what features offer, by name: see below", secret=True)
    dns: dict[str, Any] = _entry(dict, "enabled, domain, forwarders: the setting of that name")
    metadata: dict[str, Any] = _entry(dict, "enabled, url, shared_secret: likewise", secret=True)

    @property
    def all_settings(self) -> dict[str, Any]:
        """What is set of features, wherever the file says it."""
        said = {"dns": self.dns, "metadata": self.metadata}
        return {**self.settings, **{name: value for name, value in said.items() if value}}


def entries() -> list[tuple[str, Any, str]]:
    """Name, default and meaning of everything that can be set."""
    usual = Config()
    return [(one.name, getattr(usual, one.name), one.metadata["meaning"]) for one in fields(Config)]


def load(path: str | Path | None = None, *, plain: Iterable[str] = (), **given: Any) -> Config:
    """The configuration of a file, with what flags or the environment gave on top; `plain` names listeners that may be
    without TLS off loopback. Raises BadConfig.
    """
    values: dict[str, Any] = {}
    if path:
        values = _mapping(path, str(path), "entries like `store: hadron.db`")
    for name, value in given.items():
        if value is not None:               # an address alone leaves what the file says of TLS
            values[name] = {**values[name], "listen": value} if name in LISTENERS and isinstance(values.get(name), dict) else value
    for name in plain:
        said = values.get(name, {})
        values[name] = {**({"listen": said} if isinstance(said, str) else said), "allow_plain": True}
    return read(values)


def read(values: dict[str, Any]) -> Config:
    """A Config from plain values."""
    known = {f.name: f for f in fields(Config)}
    for name in values:
        if name not in known:
            raise BadConfig(f"{name}: no such entry; there are {', '.join(sorted(known))}")
    made = dict(values)
    for name in LISTENERS:
        if name in made and not isinstance(made[name], Listener):
            made[name] = _listener(name, made[name])
    for name in ("settings", "dns", "metadata"):
        if name in made and not isinstance(made[name], dict):
            raise BadConfig(f"{name}: must hold entries like `enabled: false`")
    for name in ("tunnels", "apps", "adopt", "without"):
        if name in made:
            if not isinstance(made[name], (list, tuple)):
                raise BadConfig(f"{name}: must be a list")
            made[name] = tuple(made[name])
    if made.get("default_network"):
        made.setdefault("adopt", ["all"])
    made["adopt"] = tuple(_switch_id(one) for one in made.get("adopt", ()))
    config = Config(**made)
    _check(config)
    return config


def _listener(name: str, value: Any) -> Listener:
    if isinstance(value, str):
        value = {"listen": value}
    if not isinstance(value, dict):
        raise BadConfig(f"{name}: must be ADDRESS:PORT, or entries listen, tls, allow_plain")
    unknown = value.keys() - {"listen", "tls", "allow_plain"}
    if unknown:
        raise BadConfig(f"{name}.{sorted(unknown)[0]}: no such entry; there are listen, tls, allow_plain")
    usual: Listener = getattr(Config(), name)
    address, colon, port = str(value.get("listen", f"{usual.address}:{usual.port}")).rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise BadConfig(f"{name}.listen: must be ADDRESS:PORT, like 127.0.0.1:9696 or [::1]:9696")
    tls = value.get("tls")
    if tls is not None:
        try:
            tls = Tls(**tls)
        except TypeError:
            raise BadConfig(f"{name}.tls: must hold the files certificate and key, and may hold ca") from None
        for what in ("certificate", "key", "ca"):
            file = getattr(tls, what)
            if file and not Path(file).is_file():
                raise BadConfig(f"{name}.tls.{what}: no file {file}")
    return Listener(address.strip("[]"), int(port), tls, bool(value.get("allow_plain", False)))


def _switch_id(value: Any) -> str:
    """A datapath id as switches are called, from what people write: 1, 0x1, 00:00:00:00:00:00:00:01; or "all"."""
    text = str(value).lower().replace(":", "").removeprefix("0x")
    if text == "all":
        return text
    if not text or len(text) > 16 or set(text) - set("0123456789abcdef"):
        raise BadConfig(f"adopt: {value} is no datapath id of up to 16 hexadecimal digits, nor `all`")
    return text.zfill(16)


def is_loopback(address: str) -> bool:
    return address in ("localhost", "::1") or address.startswith("127.")


def _check(config: Config) -> None:
    for name in LISTENERS:
        listener = getattr(config, name)
        if listener.tls is None and not listener.allow_plain and not is_loopback(listener.address):
            raise BadConfig(f"{name}.listen: {listener.address} is not loopback; give tls, or --insecure-{name} "
                            f"(in the file: {name}: {{allow_plain: true}}) where the network may be trusted")
    if not isinstance(config.auth, dict):
        raise BadConfig("auth: must have the entry mode, and others that it needs")
    if config.auth.get("mode") == "none" and not is_loopback(config.rest.address) and not config.auth.get("allow_remote"):
        raise BadConfig("auth.mode: none makes everybody the administrator, so it listens on loopback only; "
                        "use tokens, or say allow_remote: true")
    if type(config.requests_per_second) not in (int, float) or not config.requests_per_second >= 0:
        raise BadConfig("requests_per_second: must be a number, 0 for as many as a project likes")
    for name in ("failover_seconds", "settle_seconds"):
        if type(getattr(config, name)) not in (int, float) or not 0 < getattr(config, name) <= 86400:
            raise BadConfig(f"{name}: must be a number of seconds, more than 0 and at most 86400")
    if type(config.statistics_interval) not in (int, float) or not 0 <= config.statistics_interval <= 3600:
        raise BadConfig("statistics_interval: must be a number of seconds, at most 3600; 0 is never")
    if config.certificates not in ("first", "named"):
        raise BadConfig("certificates: must be first (a host's name is whose certificate came with it first) or named (a "
                        "certificate's common name is the host's system-id)")
    if type(config.lanes) is not int or not 0 <= config.lanes <= 7:
        raise BadConfig("lanes: must be a number of connections, at most 7; 0 is none")
    unknown = set(config.tunnels) - {"vxlan", "geneve", "gre"}
    if unknown or not config.tunnels:
        raise BadConfig("tunnels: must be some of vxlan, geneve, gre")


def policy_rules(config: Config) -> dict[str, str]:
    """The rules of the policy file, if there is one. Raises BadConfig."""
    if not config.policy:
        return {}
    where = f"policy: {config.policy}"
    said = _mapping(config.policy, where, "rules by name, as `create_network: rule:admin_only`")
    wrong = [name for name, rule in said.items() if not isinstance(name, str) or not isinstance(rule, str)]
    if wrong:
        raise BadConfig(f"{where}: {wrong[0]}: must be text, as `role:member and rule:owner`")
    return said


def _mapping(path: str | Path, where: str, expected: str) -> dict[str, Any]:
    """What a YAML file holds by name. Raises BadConfig."""
    try:
        said = yaml.safe_load(Path(path).read_text()) or {}
    except OSError as error:
        raise BadConfig(f"{where}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise BadConfig(f"{where}: not YAML: {error}") from None
    if not isinstance(said, dict):
        raise BadConfig(f"{where}: must hold {expected}")
    return said
