# Each target sets up what it needs in .venv, from Python 3.11+, make and g++.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
ROS := .venv-ros
.DELETE_ON_ERROR:
.PHONY: train test test-slow slow/others test-ros ros notebooks lint clean op
# Backwards: the longest are in tests/train, and none should be left over at the end.
SLOW := $(shell grep -rl --include 'test_*.py' 'mark\.slow' tests | sort -r)
# Of two processes on two cores the threads within an operation only wait for each other. They stay
# where what is tested is that a result does not depend on them.
ONE := TF_NUM_INTRAOP_THREADS=1
THREADED := tests/train/test_repeatable.py tests/train/test_loop.py tests/layers/test_interleave.py
LONG := $(filter tests/train/% tests/test_% tests/reproduce/% tests/export/% $(THREADED),$(SLOW))

train: op
	$(RUN) -m keras_depth.train --arch lite_basic_interl_t --output runs/rooms
	@echo 'first, in this shell: source .venv/bin/activate'

test: op
	$(RUN) -m pytest -n 2 --dist loadfile --max-worker-restart 0 -m "not slow"

# On rendered frames, as they stand; test-slow runs them with less training, and on data sets.
notebooks: op
	KERAS_DEPTH_WHOLE_NOTEBOOKS=1 $(RUN) -m pytest -n 2 -m slow -k rendered_frames tests/test_notebooks.py

# A process for each long file, which frees its memory when it ends; one for the others, since each
# process loads TensorFlow. make slow/tests/train/test_rows.py runs one file.
test-slow: op
	$(MAKE) --keep-going --jobs 2 --output-sync=target --no-print-directory slow/others $(LONG:%=slow/%)

slow/others: op
	$(ONE) $(RUN) -m pytest -m slow $(filter-out $(LONG),$(SLOW))

slow/%: op
	$(if $(filter $*,$(THREADED)),,$(ONE)) $(RUN) -m pytest -m slow $*

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
