from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", action="store_true", help="rewrite the expected flows in tests/apps/golden; read the difference"
    )


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
