# Each target sets up what it needs in .venv, from Python 3.11+, make and g++.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
ROS := .venv-ros
.DELETE_ON_ERROR:
.PHONY: train test test-slow test-ros ros notebooks lint clean op
# Backwards: the longest are in tests/train, and none should be left over at the end.
SLOW := $(shell grep -rl --include 'test_*.py' 'mark\.slow' tests | sort -r)

train: op
	$(RUN) -m keras_depth.train --arch lite_basic_interl_t --output runs/rooms
	@echo 'first, in this shell: source .venv/bin/activate'

test: op
	$(RUN) -m pytest -n 2 --dist loadfile --max-worker-restart 0 -m "not slow"

# On rendered frames; the outputs in the repository stay as they are.
notebooks: op
	$(RUN) -m pytest -n 2 --nbmake --nbmake-timeout=300 notebooks

# A process for each file, which frees its memory when it ends; make slow/tests/train/test_rows.py runs one.
test-slow: op
	$(MAKE) --keep-going --jobs 2 --output-sync=target --no-print-directory $(SLOW:%=slow/%)

slow/%: op
	$(RUN) -m pytest -m slow $*

# The ROS 2 node, for real, where there are wheels of ROS 2; it says so where there are none.
test-ros: ros
	test ! -e $(ROS)/installed || ros2/test.sh $(ROS)

ros: $(ROS)/installed

$(ROS)/installed: ros2/requirements.txt
	ros2/make_venv.sh $(PYTHON) $(ROS)

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports --no-logo --no-cache

clean:
	rm -rf $(VENV) $(ROS) build *.egg-info

$(VENV)/installed: setup.py pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable ".[dev,bag,litert,onnx,serve,tensorboard,tfds]"
	touch $@

# Returns at once where this TensorFlow's library of these sources is there.
op: $(VENV)/installed
	$(RUN) -m keras_depth.build_ops
