#!/usr/bin/env bash
# Makes a virtual environment with ROS 2; without one if this machine can have no wheels of it.
#   make_venv.sh PYTHON FOLDER
set -euo pipefail
python=$1 venv=$2 here=$(dirname "$0")
rm -rf "$venv"
"$python" -m venv "$venv"
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$here/requirements.txt" 2> "$venv/pip.log"; then
    # What pip says without a network, and where nobody built wheels for the processor or Python.
    if grep -q "requirement ros-.*(from versions: none)" "$venv/pip.log"; then
        echo "no ROS 2 here, so the node is not run: no wheels of it for $(uname -m)," \
            "$("$python" --version), or no network"
        exit
    fi
    cat "$venv/pip.log" >&2
    exit 1
fi
touch "$venv/installed"
