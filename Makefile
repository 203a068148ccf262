# Everything a person or a machine does with this project. `make help` is the first page.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STAMP := $(VENV)/.installed
LOCK := $(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --generate-hashes --universal \
	--python-version 3.11

# One run a room, each with servers of its own: a log that many rooms write to would hold
# records that no one writer could have written. The longest begin first. Much of what they do is
# waiting, but two of them fill two cores all the same; the journeys, which ask how soon a whole mesh
# answers, go before the others.
ROOMS := journeys rules asking answering flow replay commands
LANES ?= 2
YIELD = $(if $(filter journeys,$*),,nice -n 10)
# The rebuild before the import: an empty shop is as good for it, and sooner rebuilt. File by file:
# of a folder and a file in it pytest makes the folder.
ROOM_journeys := faults journeys/test_rebuild.py \
	$(patsubst tests/%,%,$(filter-out %/test_rebuild.py %/test_kills.py,$(sort $(wildcard tests/journeys/test_*.py)))) \
	--randomly-dont-reorganize
ROOM_rules := schemas house producers projections infra
# The API's tests are too many for one room: what holds for every operation, and the contexts.
ROOM_asking := $(addprefix api/,backends document entry gate wire)
ROOM_answering := $(patsubst tests/%/,%,$(filter-out $(ROOM_asking:%=tests/%/),$(sort $(wildcard tests/api/*/))))
ROOM_flow := processors --ignore=tests/processors/replay
ROOM_replay := processors/replay
ROOM_commands := cli

# Where Python may not keep what it compiled, each of a hundred processes compiles it all again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up down status test faults timing fuzz audit lint types format lock clean $(ROOMS:%=room-%) \
	bench-append bench-replay bench-lag bench-read bench-login bench-restart bench-recover bench-reactor \
	bench-exports bench-post bench-transaction bench-search bench-cache

help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make up PYTHON=python3.11"; exit 1; }
	@echo "installing the dependencies of requirements.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --only-binary :all: --compile-bytecode -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

up: $(STAMP)  ## Start the whole mesh, with the sample ads in it, and print where it is
	@$(BIN)/mesh up

down:  ## Stop what `make up` started
	@test ! -x $(BIN)/mesh || $(BIN)/mesh down

status: $(STAMP)  ## Show every process, projection and lag
	@$(BIN)/mesh status

test: lint  ## Run every check: house, unit, contract, journeys, small fault run
	@$(MAKE) --no-print-directory --keep-going --jobs=$(LANES) --output-sync=target \
		types $(ROOMS:%=room-%)

$(ROOMS:%=room-%): room-%: $(STAMP)
	@echo "== tests: $*"
	@$(YIELD) $(BIN)/python -m pytest --quiet $(foreach word,$(ROOM_$*),$(if $(filter --%,$(word)),,tests/)$(word))

faults: $(STAMP)  ## The journeys at full size, and kills of everything under reads with tokens (minutes)
	@MESH_FULL_SIZE=1 $(BIN)/python -m pytest --quiet --timeout 1200 --randomly-dont-reorganize \
		tests/journeys/test_rebuild.py tests/journeys/test_import.py tests/journeys/test_kills.py
	@MESH_KILLING_S=180 $(BIN)/python -m pytest --quiet --timeout 600 tests/processors/feeding/test_kills.py

timing: $(STAMP)  ## Ask a thousand times whether time tells known e-mails from unknown ones
	@MESH_TIMING_PAIRS=1000 $(BIN)/python -m pytest --quiet --timeout 900 tests/api/identity/test_timing.py

fuzz: $(STAMP)  ## Ask, as everybody who is let in, all that the schema allows and forbids (minutes)
	@MESH_FULL_SIZE=1 $(BIN)/python -m pytest --quiet --timeout 1200 tests/api/gate/test_stored_injections.py \
		tests/api/gate/test_policy_matrix.py tests/projections/searches/test_rest.py \
		tests/projections/searches/test_filter_sets.py
	@MESH_FUZZ_EXAMPLES=120 $(BIN)/python -m pytest --quiet --timeout 7200 tests/api/gate/test_fuzzing.py

audit: $(STAMP)  ## Look for weak code, known vulnerabilities, secrets and loose dependencies
	@$(BIN)/python -m tests.house.audit

lint: $(STAMP)  ## Style, spelling and the contracts between folders
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/typos
	@$(BIN)/lint-imports

types: $(STAMP)  ## mypy --strict
	@nice -n 10 $(BIN)/mypy

format: $(STAMP)  ## Put every file into the house's form
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

lock: $(STAMP)  ## Resolve pyproject.toml into the lock files
	@$(LOCK) --upgrade --extra stack --extra dev pyproject.toml -o requirements.lock
	@$(LOCK) --constraint requirements.lock pyproject.toml -o infra/docker/requirements.lock

bench-append: $(STAMP)  ## Commands decided, appended and answered, against eventsourcing
	@$(BIN)/python -m bench.append

bench-replay: $(STAMP)  ## A million events rebuilt, against a fold in memory and eventsourcing
	@$(BIN)/python -m bench.replay

bench-lag: $(STAMP)  ## From accepted to readable at 100 commands a second
	@$(BIN)/python -m bench.lag

bench-read: $(STAMP)  ## A read by id, signed in or not, against bare FastAPI and asyncpg
	@$(BIN)/python -m bench.read

bench-login: $(STAMP)  ## Logging in, against the password hash alone
	@$(BIN)/python -m bench.login

bench-restart: $(STAMP)  ## The writer's restart, writer's and worker's memory as the log grows
	@$(BIN)/python -m bench.restart

bench-recover: $(STAMP)  ## From a kill -9 of each process and server to the shop being whole again
	@$(BIN)/python -m bench.recover

bench-reactor: $(STAMP)  ## What sixty handlers that do nothing cost, against six
	@$(BIN)/python -m bench.reactor

bench-exports: $(STAMP)  ## What a page costs its reader beside eight people's exports
	@$(BIN)/python -m bench.exports

bench-post: $(STAMP)  ## Listings posted, against FastAPI, asyncpg and an outbox (minutes)
	@$(BIN)/python -m bench.post

bench-transaction: $(STAMP)  ## An append in a transaction, against one batch that nothing fences
	@$(BIN)/python -m bench.transaction

bench-cache: $(STAMP)  ## Reads from Postgres, against the same rows kept in Redis
	@$(BIN)/python -m bench.cache

bench-search: $(STAMP)  ## How good and how quick a search is, against OpenSearch by itself
	@$(BIN)/python -m bench.search

clean:  ## Take away the mesh's data, secrets included, and what is made anew (YES=1: don't ask)
	@test ! -d .mesh || $(BIN)/mesh down --wipe $(if $(YES),--yes)
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
