"""Run by the Python of .venv-keystone, where nothing of Hadron is: a real Keystone on SQLite, from nothing.

    python -P keystone_process.py DIRECTORY PORT PASSWORD

One process does what `keystone-manage db_sync, fernet_setup, bootstrap` do and then serves: importing Keystone takes
longer than all of them.
"""
import os
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

CONF = """
[DEFAULT]
log_file = {directory}/keystone.log
[database]
connection = sqlite:///{directory}/keystone.db
[token]
provider = fernet
expiration = 3600
[fernet_tokens]
key_repository = {directory}/fernet
[credential]
key_repository = {directory}/credential
[cache]
enabled = false
[identity]
password_hash_rounds = 4
"""


def main(directory: str, port: int, password: str) -> None:
    """Serve until killed."""
    for name in ("fernet", "credential"):
        os.makedirs(f"{directory}/{name}", mode=0o700)
    file = Path(directory, "keystone.conf")
    file.write_text(CONF.format(directory=directory))
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(file)
    sys.argv = ["keystone"]

    import keystone.server
    from keystone.cmd import bootstrap
    from keystone.server.wsgi import initialize_public_application
    from werkzeug.serving import run_simple
    if not (child := os.fork()):                # what is configured once cannot be configured again in one process
        _prepare(file, port, password, keystone.server, bootstrap)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit("could not be prepared")
    run_simple("127.0.0.1", port, initialize_public_application(), threaded=True)


def _prepare(file: Path, port: int, password: str, server, bootstrap) -> None:
    from keystone.common import fernet_utils
    from keystone.common.sql import upgrades
    server.configure(config_files=[str(file)])
    upgrades.offline_sync_database_to_version(None)
    keys = fernet_utils.FernetUtils(str(file.parent / "fernet"), 3, "fernet_tokens")
    keys.create_key_directory()
    keys.initialize_key_repository()
    made = bootstrap.Bootstrapper()
    made.admin_password, made.admin_username, made.admin_role_name = password, "admin", "admin"
    made.project_name, made.service_name, made.region_id = "admin", "keystone", "RegionOne"
    made.public_url = made.internal_url = made.admin_url = f"http://127.0.0.1:{port}/v3"
    made.bootstrap()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
