import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long one example takes says more of what else a machine does than of us.
settings.register_profile("hadron", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hadron")
os.environ.update(no_proxy="*", NO_PROXY="*")       # all that is asked here is on this machine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", action="store_true", help="rewrite the expected flows in tests/apps/golden; read the difference"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture makes the first network namespace."""
    if os.geteuid() != 0 and item.get_closest_marker("root"):
        pytest.skip("makes network namespaces")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """What a test said can be sent and printed: hostile bodies, and logs of them, hold halves of surrogate pairs."""
    report = yield
    report.sections = [(name, _clean(text)) for name, text in report.sections]
    if report.failed and not (said := str(report.longrepr)).isascii() and said != _clean(said):
        report.longrepr = _clean(said)
    return report


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
