from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", action="store_true", help="rewrite the expected flows in tests/apps/golden; read the difference"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """What a failure says can be sent and printed: hostile bodies hold halves of surrogate pairs."""
    report = yield
    if report.failed:
        said = str(report.longrepr)
        if not said.isascii() and said != (clean := said.encode("utf-8", "backslashreplace").decode()):
            report.longrepr = clean
        report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
