# Two commands matter: `make test` and `make run`. Both set up .venv first; all they need is Python >= 3.11
# (3.11 to 3.14 are tried; on Debian and Ubuntu the package python3-venv too).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SEEDS ?= 2000
READY = $(VENV)/.ready

RUNTIME = functions-framework google-cloud-logging redis requests pydantic google-auth
DEVELOPMENT = rich croniter pytest pytest-xdist fakeredis[lua] hypothesis mypy ruff types-requests

.PHONY: help test pytest run serve backtest bench soak soak-days soak-faults soak-properties soak-terraform check format settings lock clean
.DEFAULT_GOAL := help
help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { words = split($$2, word, " "); line = sprintf("%-15s", $$1); \
	  for (i = 1; i <= words; i++) { if (length(line word[i]) > 78) { print line; line = sprintf("%15s", "") } \
	  line = line " " word[i] } print line }' $(MAKEFILE_LIST)

$(READY): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	@echo 'setting up $(VENV), this once: half a minute to two'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib || true  # on all cores, where pip would use one
	@touch $@

check: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy common functions local bench tests

format: $(READY) ## let ruff write the code as it wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The checks leave a core idle, so they run beside the tests; what they say comes last, where it is seen.
test: START := $(shell date +%s)
test: $(READY) ## all checks and all tests, their ten slowest, and how long it took
	@mkdir -p build
	@$(MAKE) --no-print-directory check >build/check.log 2>&1 & checks=$$!; \
	  $(MAKE) --no-print-directory pytest; tests=$$?; \
	  wait $$checks; checks=$$?; cat build/check.log; \
	  echo "make test: $$(($$(date +%s) - $(START))) s"; test $$tests = 0 && test $$checks = 0

pytest: $(READY) ## the tests alone: TESTS=path
	$(BIN)/python -m pytest -n auto --dist worksteal --durations=10 --durations-min=0.5 $(TESTS)

# What `run` and `serve` share; every setting may be given too (THRESHOLD_PCT=0.05), as may REDIS_URL.
switch = $(if $(word 2,$($1))$(filter-out 1 yes true on 0 no false off,$($1)),$(error \
  $1=$($1): 1, yes, true or on switches it on, and 0, no, false or off switches it off),$(if $(filter \
  1 yes true on,$($1)),$2))
MARKET = $(if $(CANDLES),--candles '$(CANDLES)') $(if $(SEED),--seed '$(SEED)') $(if $(PRICE),--price '$(PRICE)') \
  $(if $(BASE),--base '$(BASE)') $(if $(QUOTE),--quote '$(QUOTE)') $(if $(SPREAD),--spread '$(SPREAD)') \
  $(if $(DEPTH),--depth '$(DEPTH)') $(call switch,LIVE,--live) $(if $(EXCHANGE),--exchange '$(EXCHANGE)') \
  $(call switch,LIVE_FOR_REAL,--live-for-real)
unexport EXCHANGE  # the bot would take it for a setting misspelt

run: $(READY) ## play a day: LIVE=1 CANDLES=file HOURS=n SEED=n VERBOSE=1; BASE=0 QUOTE=2000 PRICE=0.02 SPREAD=0.002 DEPTH=5000; any setting: THRESHOLD_PCT=0.05; EXCHANGE=https://api.mexc.com
	@$(BIN)/python -m local run $(MARKET) $(if $(HOURS),--hours '$(HOURS)') $(call switch,VERBOSE,--verbose)

serve: $(READY) ## stay up in real time on http://127.0.0.1:8080: as run, and PORT=n STATE=folder
	@$(BIN)/python -m local serve $(MARKET) $(if $(PORT),--port '$(PORT)') $(if $(STATE),--state '$(STATE)')

backtest: $(READY) ## replay the rule over candles: CANDLES=file POLICY=0.05:half REPORT=page.html OPTIONS="--grid --half-spread 0.002"; any setting: LEVELS=...
	@mkdir -p build
	@$(BIN)/python -m local backtest $(if $(CANDLES),'$(CANDLES)') $(if $(POLICY),--policy '$(POLICY)') \
	  --report '$(or $(REPORT),build/backtest.html)' $(OPTIONS)

bench: $(READY) ## measure calls, round trips and time against what cannot be avoided
	@$(BIN)/python -m bench

soak: soak-days soak-faults soak-properties soak-terraform ## what takes long, hours of it: the four below

soak-days: $(READY) ## every fault at every step, and fresh seeded days (SEEDS=20000; FROM=first: those days alone)
	@$(BIN)/python -m tests.simulation --soak $(SEEDS) $(if $(FROM),--start $(FROM))

soak-faults: $(READY) ## every field of every answer and document spoilt, under every job
	@$(BIN)/python -m tests.faults

soak-properties: $(READY) ## a thousand examples of every property, and whole processes that make test leaves out
	@EXAMPLES=1000 $(BIN)/python -m pytest -n auto -m 'hypothesis or soak'

soak-terraform: $(READY) ## the Terraform broken in seventy ways, each noticed
	@$(BIN)/python terraform/tests/mutants

settings: $(READY) ## write the names of all settings to terraform/settings.json, which Terraform holds its own against
	@$(BIN)/python -c 'import json; from common.config import names; print(json.dumps(names(), indent=2))' >terraform/settings.json

lock: ## pin the newest releases of RUNTIME and DEVELOPMENT (needs uv)
	printf '%s\n' $(RUNTIME) | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.txt -
	(printf '%s\n' '-r requirements.txt'; printf '%s\n' $(DEVELOPMENT) '-c requirements.txt' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links -) > requirements-dev.new
	mv requirements-dev.new requirements-dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build
