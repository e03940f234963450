"""The API is fuzzed from its own OpenAPI document by schemathesis: no 500, and answers are as the document says.

HADRON_FUZZ is for how many seconds; then with another seed each time, which is printed.
"""
from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from tests.rest.fabric import TOKENS, fabric, two_tenants

SECONDS = int(os.environ.get("HADRON_FUZZ", "25"))
SEED = random.randrange(1 << 30) if "HADRON_FUZZ" in os.environ else 1
# Right data may be refused for what it refers to, and wrong data be taken: Neutron's clients say 1 and "true" for true.
# 501 is the answer to what is known and not served.
CONFIG = f"""
headers = {{ "X-Auth-Token" = "{TOKENS['ops']}" }}
[generation]
with-security-parameters = false
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = false
ignored_auth.enabled = false
missing_required_header.enabled = false
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501]
"""


def test_whatever_the_document_allows_is_answered_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with fabric() as cloud:
        two_tenants(cloud)
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{cloud.url}/openapi.json", "--max-time", str(SECONDS), "--exclude-path", "/v2.0/events",      # which never ends
                   "--continue-on-failure", "--no-shrink", "--no-color", "--generation-database", "none", "--seed", str(SEED)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS + 240)
        assert done.returncode == 0, f"seed {SEED}:\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
        assert "generated" in done.stdout
        cloud.until(cloud.settled)
        assert [one for one in cloud.as_ops.get("/inspect/doctor")["findings"] if one["about"] == "rules"] == []
