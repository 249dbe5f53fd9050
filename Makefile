# make run    set up .venv once, run the main job, print its table
# make test   the same set-up, then every check; this is what CI runs
# make gpu    on a machine with an NVIDIA GPU: check its kernels, test, run, measure the primitives; ten minutes at most
# make soak   kill, fill, fuzz and run a large study: minutes to an hour; prints what it found
# make lint   the checks without the tests
# make results  measure the committed reference run anew, on this machine; make readme  write what the README shows
# make peers  measure operators beside their formulas in plain PyTorch anew, and write the table in docs/backends.md

PYTHON ?= python3
ARGS ?= --ops all
VENV := .venv
BIN := $(VENV)/bin/python
READY := $(VENV)/.ready
NETWORKS := $(VENV)/networks/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test gpu soak lint results peers readme

run: $(READY)
	@$(BIN) -m a2u_bench run $(ARGS)

test: lint $(NETWORKS)
	@OMP_NUM_THREADS=1 $(BIN) -m pytest -n 2

gpu: $(READY)
	@PYTHON=$(abspath $(BIN)) .ci/gpu

soak: $(READY)
	@cd tests && OMP_NUM_THREADS=1 $(abspath $(BIN)) -m soak $(PARTS)

results: $(READY)
	@rm -rf results/reference-cpu
	@$(BIN) -m a2u_bench run --ops all --device cpu --onnx --out results/reference-cpu
	@$(MAKE) readme

peers: $(READY)
	@rm -rf results/peers-cpu
	@$(BIN) -m a2u_bench run --suite peers --device cpu --shape 1x256x64x64 --threads 2 --out results/peers-cpu
	@$(MAKE) readme

readme: $(READY)
	@$(BIN) docs/refresh.py

lint: $(READY)
	@$(BIN) -m ruff format --check .
	@$(BIN) -m ruff check .
	@$(BIN) -m mypy

# The mark is written last and removed first: a set-up that was interrupted has none and starts over.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
		{ echo "error: $(PYTHON) is missing or older than Python 3.10; name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: $(PYTHON) has no venv or ensurepip; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test -e $(READY) || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(READY)
	@$(BIN) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

# Other libraries' networks, for their tests alone: in a folder of their own, for beside a CPU build of torch this
# torchvision would break every program that looks for it. Where they cannot be had, their tests are skipped and say so.
$(NETWORKS): tests/networks.txt | $(READY)
	@rm -rf $(VENV)/networks
	@$(BIN) -m pip install --quiet --no-deps --target $(VENV)/networks --requirement tests/networks.txt && touch $@ || \
		echo "note: tests/networks.txt could not be installed; the tests that use it are skipped" >&2
