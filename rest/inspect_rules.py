"""Rules and objects in words: which function of which file, which object by name, and who wrote it when."""
from __future__ import annotations

import inspect
from functools import lru_cache
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent


@lru_cache(maxsize=1024)
def rule_said(rule: Any) -> dict[str, Any]:
    """A rule: its name, app, function's file and first line, and the first line of what it says of itself."""
    file = Path(rule.make.__code__.co_filename)
    shown = file.relative_to(_ROOT) if file.is_relative_to(_ROOT) else file
    about = (inspect.getdoc(rule.make) or "").partition("\n")[0]
    return {"rule": rule.name, "app": rule.name.rpartition(".")[0].rpartition(".")[2], "number": rule.app,
            "file": str(shown), "line": rule.make.__code__.co_firstlineno, "per": rule.per, "about": about}
