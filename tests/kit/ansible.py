"""Ansible with its modules for OpenStack, in an environment of its own that `make test` installs."""
from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

VENV = Path(os.environ.get("ANSIBLE_VENV", Path(__file__).parents[2] / ".venv-ansible"))
COMMAND = VENV / "bin" / "ansible-playbook"
COLLECTIONS = VENV / "collections"
_TASK = re.compile(r"^TASK \[(.+?)\] \**\n(?:.*\n)*?(ok|changed|skipping|fatal)\b", re.MULTILINE)


def there() -> bool:
    """Whether it is installed."""
    return COMMAND.exists() and (COLLECTIONS / "ansible_collections" / "openstack").exists()


def play(book: Path, clouds: Path, **said: str) -> dict[str, str]:
    """What a playbook has done: ok, changed, skipping or fatal, by task. `said` are variables; `clouds` is clouds.yaml."""
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith(("OS_", "ANSIBLE_"))},
                   "OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": "devstack", "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                   "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore",
                   "ANSIBLE_LOCAL_TEMP": str(clouds.parent / "local"), "ANSIBLE_REMOTE_TEMP": str(clouds.parent / "remote")}
    words = [str(COMMAND), "-i", "localhost,", "-c", "local", str(book),
             "-e", f"ansible_python_interpreter={VENV / 'bin' / 'python'}"]
    for name, value in said.items():
        words += ["-e", f"{name}={value}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280, env=environment)
    found = dict(_TASK.findall(done.stdout))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return found
