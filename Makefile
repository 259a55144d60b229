# make install | demo | test | test-slow | test-all | test-seeds | lint | bench | bench-host
# make registry | release-check | release-fill                  everything happens in .venv; nothing outside is touched
#
# TORCH_CONSTRAINT names the file that pins torch; set it to nothing to keep a torch that is already in .venv:
#   make demo TORCH_CONSTRAINT=
#
# SEED is what the random numbers of tests start from: make test SEED=3. test-seeds runs the tests ten times, each
# time with another seed and in another order: nothing may hang on either.
#
# bench-host needs a ComfyUI at COMFYUI_PATH or ~/ComfyUI; BENCH_HOST is passed on: make bench-host BENCH_HOST=--json

VENV ?= .venv
PYTHON ?= python3
TORCH_CONSTRAINT ?= constraints/cpu.txt
SEED ?= 0
PIP_INSTALL = $(VENV)/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_CONSTRAINT),-c $(TORCH_CONSTRAINT))

# One thread each: processes on all cores would otherwise take them from each other.
# loadfile: a file's tests run in one process, so that what they share is made once.
PYTEST = OMP_NUM_THREADS=1 $(VENV)/bin/pytest
APART = gpu or host or weights or browser
QUICK = not slow and not ($(APART))

.PHONY: install demo test test-slow test-all test-seeds lint format bench bench-host registry release-check release-fill clean

install: $(VENV)/.installed-dev

demo: $(VENV)/.installed-demo
	$(VENV)/bin/cyberhost demo

test: $(VENV)/.installed-dev
	@echo "left out: slow tests (make test-slow); those that need a ComfyUI, a browser, a GPU or weights (make test-all)"
	$(PYTEST) -n auto --dist loadfile --seed $(SEED) -m "$(QUICK)"

test-slow: $(VENV)/.installed-dev
	$(PYTEST) -n auto --seed $(SEED) -m "slow and not ($(APART))"

# One after the other: a ComfyUI, a browser or a full-size model takes the whole machine.
test-all: test test-slow
	$(PYTEST) --seed $(SEED) -m "$(APART)"

test-seeds: $(VENV)/.installed-dev
	for seed in 1 2 3 4 5 6 7 8 9 10; do \
		$(PYTEST) -q -n auto --dist loadfile -m "$(QUICK)" --seed $$seed --random-order --random-order-seed $$seed || exit 1; \
	done

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

# comfy-cli says of most faults only "Warning" and ends with 0: its own last line is what counts.
registry: $(VENV)/comfy-cli/bin/comfy
	@said="$$(DO_NOT_TRACK=1 $(VENV)/comfy-cli/bin/comfy --skip-prompt node validate 2>&1)"; echo "$$said"; \
	case "$$said" in *[Ww]arning*) exit 1;; *"All validation checks passed"*) ;; *) exit 1;; esac

release-check: $(VENV)/bin/pip
	@$(VENV)/bin/python .ci/release.py check

release-fill: $(VENV)/bin/pip
	@$(VENV)/bin/python .ci/release.py fill

clean:
	rm -rf $(VENV) out

# Stamps: pip runs again only when the list of packages has changed.
$(VENV)/.installed-demo: pyproject.toml $(TORCH_CONSTRAINT) | $(VENV)/bin/pip
	$(PIP_INSTALL) -e '.[standalone,detect]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(TORCH_CONSTRAINT) | $(VENV)/bin/pip
	$(PIP_INSTALL) -e '.[standalone,detect,train,dev]'
	touch $@ $(VENV)/.installed-demo

# Apart from the rest: comfy-cli brings packages of its own, in versions of its own.
$(VENV)/comfy-cli/bin/comfy: | $(VENV)/bin/pip
	$(PYTHON) -m venv $(VENV)/comfy-cli
	$(VENV)/comfy-cli/bin/pip install --quiet --disable-pip-version-check 'comfy-cli>=1.5'

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)
