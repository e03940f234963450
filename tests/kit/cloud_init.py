"""cloud-init itself, as Debian packages it: `make test` unpacks the package beside the virtual environment, because
installing it would have it configure the machine that the tests run on."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

HERE = Path(sys.prefix) / "cloud-init/usr/lib/python3/dist-packages"


def _loaded() -> tuple[Any, ...]:
    assert HERE.is_dir(), f"no cloud-init in {HERE}: `make {HERE.parents[3]}/.ready VENV={sys.prefix}` unpacks it"
    if str(HERE) not in sys.path:
        sys.path.append(str(HERE))
        logging.getLogger("cloudinit").setLevel(logging.ERROR)  # it tells of every file that it reads
    from cloudinit.net import eni, netplan, network_state, networkd
    from cloudinit.sources.helpers import openstack

    return eni, netplan, network_state, networkd, openstack


def state_of_version2(config: dict[str, Any]) -> Any:
    """What cloud-init makes of a network config."""
    return _loaded()[2].parse_net_config_data(config)


def state_of_openstack(network_data: dict[str, Any], device: str = "eth0") -> Any:
    """What cloud-init makes of network_data.json on a machine whose only interface is `device`."""
    macs = {link["ethernet_mac_address"]: device for link in network_data["links"]}
    return state_of_version2(_loaded()[4].convert_net_json(network_data, known_macs=macs))


def as_interfaces(state: Any) -> str:
    """/etc/network/interfaces as cloud-init writes it."""
    return str(_loaded()[0].network_state_to_eni(state))


def as_netplan(state: Any) -> str:
    return str(_loaded()[1].Renderer({})._render_content(state))


def as_networkd(state: Any) -> dict[str, str]:
    """systemd-networkd's files as cloud-init writes them, by interface."""
    return dict(_loaded()[3].Renderer({})._render_content(state))
