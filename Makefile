# Secure Mail Gateway Appliance. On a fresh Debian machine, as root:
#   make image      builds the golden image of SITE into out/
#   make test       runs every check and test; sets itself up
SITE  ?= example
SITE_FOLDER = $(firstword $(wildcard inventory/$(SITE)) $(SITE))
OUT   ?= out
CACHE := $(or $(KSMG_CACHE),/var/cache/ksmg)
VENV   = $(CACHE)/venv/$(shell sha256sum requirements.lock | cut -c1-16)
export PYTHONPATH := $(CURDIR)/image:$(CURDIR)/gateway:$(CURDIR)/playbooks:$(CURDIR)/tests
export PYTHONDONTWRITEBYTECODE := 1
PYTHON = $(VENV)/bin/python
HOST_PACKAGES := mmdebstrap python3-venv iproute2
# beside what the lab names itself
MACHINE_PACKAGES := qemu-system-x86 qemu-utils ovmf
TEST_PACKAGES := $(MACHINE_PACKAGES) shellcheck $(shell grep -v '^\#' tests/lab/host-packages.txt)
PYTHON_SOURCES := image/golden gateway/ksmg playbooks tests
SHELL_SOURCES := image/initrd/build image/initrd/init gateway/build-deb gateway/mail-certificate .ci/run .ci/host-packages

.DEFAULT_GOAL := help
.PHONY: help image boot deb deploy verify test test-day lint bench-image bench-mail fuzz setup lock root clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

image: setup ## golden image of SITE (default: example) into OUT (default: out)
	@$(PYTHON) -m golden image --site $(SITE) --out $(abspath $(OUT))

deb: setup ## the gateway's Debian package alone
	@$(PYTHON) -m golden deb --site $(SITE) --out $(abspath $(OUT))

boot: setup ## start the built image in QEMU, its console on this terminal
	@.ci/host-packages $(MACHINE_PACKAGES)
	@$(PYTHON) -m golden boot --site $(SITE) --out $(abspath $(OUT))

deploy: deb ## set up the running hosts of SITE with playbooks/site.yml
	@$(VENV)/bin/ansible-playbook -i inventory/product.yml -i $(SITE_FOLDER) playbooks/site.yml \
		-e gateway_package="$$(ls -t $(abspath $(OUT))/ksmg_*_all.deb | head -n 1)"

verify: setup ## try every promise of the data policy on the running hosts of SITE; changes nothing
	@$(VENV)/bin/ansible-playbook -i inventory/product.yml -i $(SITE_FOLDER) playbooks/verify.yml

setup: root $(VENV)/ready
	@missing=$$(dpkg-query -W -f '$${db:Status-Abbrev}$${Package}\n' $(HOST_PACKAGES) 2>&1 | grep -v '^ii ' || true); [ -z "$$missing" ] || .ci/host-packages $(HOST_PACKAGES)

root:
	@[ "$$(id -u)" = 0 ] || { echo "Error: this is done as root, and you are not root. Run it again with sudo." >&2; exit 1; }

$(VENV)/ready: # its name holds the digest of requirements.lock
	@.ci/host-packages $(HOST_PACKAGES)
	@echo "  setting up the Python tooling in $(VENV)"
	@rm -rf $(VENV) && python3 -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r requirements.lock > $(VENV)/pip.log 2>&1 \
		|| { tail -n 5 $(VENV)/pip.log >&2; echo "Error: the Python tooling could not be installed. Check the network; the log is $(VENV)/pip.log." >&2; exit 1; }
	@touch $@

test: setup ## every check and test, in tiers side by side; reports in OUT/test
	@.ci/host-packages $(TEST_PACKAGES)
	@$(PYTHON) -m lab key > /dev/null
	@$(PYTHON) -m tiers $(abspath $(OUT))/test $(ONLY)

test-day: setup ## a day of mail on the booted image, and the same machine days later; half an hour, MINUTES= of mail
	@.ci/host-packages $(TEST_PACKAGES)
	@$(PYTHON) -m lab key > /dev/null
	@$(PYTHON) -m golden image --site tests/lab/site --out $(abspath $(OUT))/day
	@KSMG_LAB_NAME=day $(PYTHON) -m boot.day $(abspath $(OUT))/day/*.qcow2 $(abspath $(OUT))/day $(if $(MINUTES),--minutes $(MINUTES))

lint: setup ## style, types, roles, generated documents
	$(VENV)/bin/ruff check $(PYTHON_SOURCES)
	$(VENV)/bin/mypy $(PYTHON_SOURCES)
	shellcheck $(SHELL_SOURCES)
	$(PYTHON) tests/lint/role_readme.py --check
	$(PYTHON) tests/lint/hardening_rules.py
	$(PYTHON) -m ksmg.policy check inventory/group_vars/all/data_policy.yml
	cd $(CURDIR) && PATH=$(VENV)/bin:$$PATH ansible-lint --offline --strict

bench-image: setup ## the image builder's and the image's bars, as ratios of one run
	@.ci/host-packages $(TEST_PACKAGES)
	@$(PYTHON) -m bench.image $(abspath $(OUT))/bench $(if $(ONLY),--only $(ONLY))

# A choice of peers or sizes (ONLY, SIZE) is a quick look: the event log with its ten million events is left out then.
bench-mail: setup ## bars of message processing, ours and its peers in one run; ONLY=, SIZE=, ROUNDS=, SECONDS=, REVISION=
	@code=0; $(PYTHON) -m bench.mail $(abspath $(OUT))/bench/mail $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(ONLY),--only $(ONLY)) $(if $(SIZE),--size $(SIZE)) $(if $(REVISION),--revision $(REVISION)) || code=1; \
	$(if $(ONLY)$(SIZE),,$(patsubst %,$(PYTHON) -m bench.events $(abspath $(OUT))/bench/events || code=1;,$(wildcard tests/bench/events.py))) exit $$code

fuzz: setup ## a million inputs for the milter protocol and the inspection, always the same; SCALE= is a factor for their number
	@$(PYTHON) -m fuzz $(abspath $(OUT))/fuzz $(SCALE)

lock: ## renew requirements.lock (needs uv)
	uv pip compile --universal --generate-hashes --quiet --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 requirements.in -o requirements.lock

clean: ## remove out/; the cache stays
	rm -rf out
