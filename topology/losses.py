"""Who is lost, as hosts and switches show it (`alive`); controller/vigil.py decides it."""
from typing import Any


def switch_alive(model: Any, switch: Any) -> bool:
    return model.get("loss", switch.id) is None


def host_alive(model: Any, host: Any) -> bool:
    """A host is alive if one of its switches is; one without a switch has not been heard of yet."""
    switches = model.find("switch", "host_id", host.id)
    return any(switch_alive(model, switch) for switch in switches)
