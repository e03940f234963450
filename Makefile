# `make demo` and `make test` do all the set-up on a fresh Debian 12 or Ubuntu machine, as root.
SHELL := /bin/bash
VENV ?= .venv
KEYSTONE ?= .venv-keystone
export KEYSTONE_VENV := $(abspath $(KEYSTONE))
ANSIBLE ?= .venv-ansible
export ANSIBLE_VENV := $(abspath $(ANSIBLE))
PY := $(VENV)/bin/python
APT := openvswitch-switch iproute2 ethtool tcpdump iputils-ping traceroute busybox iperf3 python3-venv isc-dhcp-client procps openssl

.PHONY: demo test clients experiments test-ovs35 lint check bench setup system browser venv tools clean

demo: setup            ## two tenants with the same addresses on three hosts, measured; stays up until Ctrl-C
	$(PY) -m scenarios.demo

test: APT += mininet ifupdown net-tools bind9-dnsutils curl ndisc6
test: setup browser tools lint $(VENV)/cloud-init/.ready $(KEYSTONE)/.ready $(ANSIBLE)/.ready       ## everything: style, types, all tests but whole experiments
	$(PY) -m pytest -q -n 3 --dist loadfile -m "not experiment" tests || { \
	  echo "once more and alone: what failed while others kept the machine busy"; \
	  $(PY) -m pytest -q --last-failed --last-failed-no-failures none tests; }

experiments: APT += mininet
experiments: setup tools     ## Mininet topologies, attacks and chaos against Hadron, each with its verdict; minutes
	$(PY) -m pytest -q -m experiment tests

clients: setup tools $(KEYSTONE)/.ready $(ANSIBLE)/.ready  ## openstack, openstacksdk's own tests, Ansible, oVirt's calls, the API fuzzed for longer
	HADRON_FUZZ=300 $(PY) -m pytest -q -rA tests/rest/test_openstack_*.py tests/rest/test_openstacksdk.py \
	  tests/rest/test_sdk_functional.py tests/rest/test_ansible.py tests/rest/test_ovirt.py tests/rest/test_fuzz.py \
	  tests/rest/test_keystone.py

test-ovs35: setup tools      ## what packets do, with Open vSwitch 3.5 (Debian 13's, fetched into build/) on the emulated hosts
	$(PY) -m scenarios.other_ovs build/ovs-3.5
	HADRON_OVS=$(CURDIR)/build/ovs-3.5 $(PY) -m pytest -q tests/scenarios

lint: setup tools
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

bench: setup tools           ## figures as JSON, and their growth as a picture: build/bench.json, build/growth.svg
	$(PY) -m tests.bench --into build

setup: system venv

# Only what is missing is installed; a machine that has it all needs no network.
system:
	@missing=""; for package in $(APT); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then echo "installing:$$missing"; apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi

# A Chromium without windows, in which the page of the API is looked at. Ubuntu has none as a package: there any other does.
browser: | system
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	echo "installing: chromium-headless-shell"; apt-get update -qq; \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium-headless-shell >/dev/null || \
	  echo "there is none to install: the page of the API is not looked at"

venv: $(VENV)/.ready

tools: $(VENV)/.tools

$(VENV)/.ready: requirements.txt requirements-demo.txt setup.py
	@echo "making the virtual environment $(VENV)"
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Hadron needs Python 3.11 or later"; exit 1; }
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r requirements.txt -r requirements-demo.txt
	@$(VENV)/bin/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

# What tests need, and neither Hadron nor the demo.
$(VENV)/.tools: requirements-test.txt $(VENV)/.ready
	@echo "adding to the virtual environment what tests need"
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r requirements-test.txt
	@touch $@

# Unpacked and not installed: an installed cloud-init would configure this machine at its next start.
$(VENV)/cloud-init/.ready: | venv
	@mkdir -p $(VENV)/cloud-init && cd $(VENV)/cloud-init && rm -f *.deb && \
	  { apt-get download -qq cloud-init >/dev/null 2>&1 || { apt-get update -qq && apt-get download -qq cloud-init; }; }
	@dpkg-deb -x $(VENV)/cloud-init/cloud-init_*.deb $(VENV)/cloud-init
	@touch $@

# A real Keystone, for the tests that ask one; it wants packages that nothing else here wants.
$(KEYSTONE)/.ready: requirements-keystone.txt | venv
	@echo "making the virtual environment $(KEYSTONE)"
	@python3 -m venv $(KEYSTONE)
	@$(KEYSTONE)/bin/pip install -q --disable-pip-version-check -r requirements-keystone.txt
	@touch $@

# Ansible, and of the package with all its collections only the one for OpenStack.
$(ANSIBLE)/.ready: requirements-ansible.txt | venv
	@echo "making the virtual environment $(ANSIBLE)"
	@python3 -m venv $(ANSIBLE)
	@$(ANSIBLE)/bin/pip install -q --disable-pip-version-check -r requirements-ansible.txt
	@rm -rf $(ANSIBLE)/wheel && $(ANSIBLE)/bin/pip download -q --disable-pip-version-check --no-deps -d $(ANSIBLE)/wheel ansible==12.3.0
	@$(ANSIBLE)/bin/python -c 'import sys, zipfile; whole = zipfile.ZipFile(sys.argv[1]); whole.extractall(sys.argv[2], \
	  [name for name in whole.namelist() if name.startswith("ansible_collections/openstack/cloud/")])' \
	  $(ANSIBLE)/wheel/ansible-*.whl $(ANSIBLE)/collections
	@rm -rf $(ANSIBLE)/wheel && touch $@

clean:
	rm -rf $(VENV) $(KEYSTONE) $(ANSIBLE) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
