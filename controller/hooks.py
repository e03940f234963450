"""Finds the Python that a model file names: `networks.fill` is `fill` in networks.py beside the file."""
from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any


def hook(file: Any, where: str, said: Any) -> Any:
    """The object a model file names as `module.name`, from the Python file beside it."""
    module, dot, name = str(said).rpartition(".")
    if not dot:
        raise file.bad(where, f"{said} must be module.name, a Python file beside the model file and a name in it")
    path = file.path.parent / f"{module}.py"
    if not path.exists():
        raise file.bad(where, f"{said}: {path} is not there")
    found = getattr(_module(path), name, None)
    if found is None:
        raise file.bad(where, f"{said}: {path} has no {name}")
    return found


def _module(path: Path) -> Any:
    """The module of a file: as part of its package if it is one that Python knows, else by its path."""
    package = f"{path.resolve().parent.name}.{path.stem}"
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec and spec.origin and Path(spec.origin).resolve() == path.resolve():
        return importlib.import_module(package)
    name = f"hadron_model_{abs(hash(str(path.resolve())))}_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
