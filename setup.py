"""The distribution `hadron`: the controller, its apps and its command line."""
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="hadron",
    version="0.1.0",
    description="An OpenFlow controller for tenant networks: REST in, Open vSwitch flows out",
    long_description=(HERE / "README.md").read_text() if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    packages=find_packages(include=["controller*", "apps*", "topology*", "rest*", "scenarios*"]),
    package_data={"apps": ["*.yaml"], "topology": ["*.yaml"]},
    install_requires=[line for line in (HERE / "requirements.txt").read_text().splitlines()
                      if line and not line.startswith("#")],
    extras_require={"keystone": ["keystonemiddleware>=10"]},
    entry_points={"console_scripts": ["hadron = rest.cli:main", "hadron-cloud = scenarios.cloud_command:main"]},
)
