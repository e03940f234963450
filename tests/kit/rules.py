"""The rules of all apps are declared once this module is imported, as a controller that starts has them."""

from __future__ import annotations

import importlib
import pkgutil

for package in ("apps", "topology"):
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
