#!/bin/sh
# Make the virtual environment: pinned and hash-checked dependencies, the project itself, the tracker's models.
# Usage: setup.sh PYTHON VENV. Needs a Python from 3.11 with its venv module, and a package index that pip can reach.
set -eu
python=$1
venv=$2
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: $("$python" --version 2>&1 || echo "$python is missing"): Python 3.11 or newer is needed." >&2
    echo "setup: install one, then run: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi
if [ ! -x "$venv/bin/python" ]; then
    echo "setup: making $venv"
    if ! "$python" -m venv "$venv"; then
        echo "setup: this Python has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi
echo "setup: installing the pinned packages (about 450 MB, once)"
"$venv/bin/python" -m pip install --quiet --require-hashes --only-binary=:all: -r requirements.txt
# The project itself comes from this folder; its build tool is pinned among the packages above.
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
echo "setup: fetching the tracker's models (35 MB, once)"
"$venv/bin/understudy" models pull tracker
