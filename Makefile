# make install | demo | test | lint | bench | bench-host        everything happens in .venv; nothing outside is touched
#
# TORCH_CONSTRAINT names the file that pins torch; set it to nothing to keep a torch that is already in .venv:
#   make demo TORCH_CONSTRAINT=
#
# bench-host needs a ComfyUI at COMFYUI_PATH or ~/ComfyUI; BENCH_HOST is passed on: make bench-host BENCH_HOST=--json

VENV ?= .venv
PYTHON ?= python3
TORCH_CONSTRAINT ?= constraints/cpu.txt
PIP_INSTALL = $(VENV)/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_CONSTRAINT),-c $(TORCH_CONSTRAINT))

.PHONY: install demo test test-all lint format bench bench-host clean

install: $(VENV)/.installed-dev

demo: $(VENV)/.installed-demo
	$(VENV)/bin/cyberhost demo

test: $(VENV)/.installed-dev
	$(VENV)/bin/pytest -m "not gpu and not host and not weights and not browser"
	@echo "left out: tests that need a ComfyUI (host, browser), a GPU or downloaded weights; make test-all, .ci/run"

test-all: $(VENV)/.installed-dev
	$(VENV)/bin/pytest

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.installed-dev
	$(VENV)/bin/cyberhost evaluate speed

bench-host: $(VENV)/.installed-dev
	@$(VENV)/bin/python -m tests.host.benchmark $(BENCH_HOST)

clean:
	rm -rf $(VENV) out

# Stamps: pip runs again only when the list of packages has changed.
$(VENV)/.installed-demo: pyproject.toml $(TORCH_CONSTRAINT) | $(VENV)/bin/pip
	$(PIP_INSTALL) -e '.[standalone,detect]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(TORCH_CONSTRAINT) | $(VENV)/bin/pip
	$(PIP_INSTALL) -e '.[standalone,detect,train,dev]'
	touch $@ $(VENV)/.installed-demo

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)
