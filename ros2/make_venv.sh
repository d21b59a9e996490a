#!/usr/bin/env bash
# Makes a virtual environment with ROS 2; without one if this machine can have no wheels of it.
# One that is there is kept until the new one is whole.
#   make_venv.sh PYTHON FOLDER
set -euo pipefail
python=$1 venv=$2 old=$2.old here=$(dirname "$0")
log=$(mktemp)

# Scripts of an environment hold its path: so the old one moves, and not the new one.
finish() {
    if [ ! -e "$venv/installed" ] && [ -e "$old/installed" ]; then
        rm -rf "$venv"
        mv "$old" "$venv"
        echo "so $venv stays as it was"
    fi
    rm -rf "$old" "$log"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -e "$venv/installed" ]; then
    rm -rf "$old"
    mv "$venv" "$old"
fi
rm -rf "$venv"
"$python" -m venv "$venv"
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$here/requirements.txt" 2> "$log"; then
    # What pip says without a network, and where nobody built wheels for the processor or Python.
    if grep -q "requirement ros-.*(from versions: none)" "$log"; then
        echo "no ROS 2 to install: no wheels of it for $(uname -m), $("$python" --version)," \
            "or no network"
        [ -e "$old/installed" ] || echo "so the node is not run"
        exit
    fi
    cat "$log" >&2
    exit 1
fi
touch "$venv/installed"
