# make run: the page. make test: every test. make lint: form, types, floors, sizes.
# make coverage: every test, and which lines none of them runs.
# make stress: up to twenty minutes of wear. Each sets itself up in .venv first.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test coverage lint size benchmark stress

run: .venv/run
	$(BIN)/streamlit run app.py

test: .venv/test
	$(BIN)/python -m pytest $(COVER) --numprocesses 2 --dist loadfile # much of it waits

coverage: COVER = --cov=digits # a fifth slower
coverage: test

lint: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python tests/size.py

size: .venv/test
	$(BIN)/python tests/size.py

benchmark: .venv/test
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

stress: .venv/test
	$(BIN)/python -m pip install --quiet --requirement stress/requirements.txt
	$(BIN)/python stress/bounds.py
	$(BIN)/python stress/crash.py
	$(BIN)/python stress/fuzz.py
	$(BIN)/python stress/pictures.py
	$(BIN)/python stress/server.py
	$(BIN)/python stress/store.py
	$(BIN)/python stress/terminate.py

.venv/run: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --config-settings editable_mode=compat --editable .
	touch $@

.venv/test: .venv/run tests/requirements.txt tests/package.json
	$(BIN)/python -m pip install --quiet --requirement tests/requirements.txt
	! command -v npm >/dev/null || npm install --prefix tests --silent --no-audit --no-fund  # axe-core
	touch $@
