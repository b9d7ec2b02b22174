#!/bin/sh
# Make the virtual environment: pinned and hash-checked dependencies, the project itself, the tracker's models.
# Usage: setup.sh PYTHON VENV. Needs a Python from 3.11 with its venv module, and a package index that pip can reach.
# What is there already is kept; where the environment's own Python is gone or too old, or the locks have changed,
# it is made anew, so that nothing stays in it that the locks no longer name.
set -eu
python=$1
venv=$2
locks="requirements.txt requirements-server.txt requirements-dev.txt"
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
# shellcheck disable=SC2086  # the locks are words
pinned() { cat $locks; }

if ! new_enough "$python"; then
    echo "setup: $("$python" --version 2>&1 || echo "$python is missing"): Python 3.11 or newer is needed." >&2
    echo "setup: install one, then run: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! { [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version &&
    pinned | cmp -s - "$venv/.locked"; } >/dev/null 2>&1; then
    echo "setup: making $venv with $("$python" --version)"
    if ! "$python" -m venv --clear "$venv"; then
        echo "setup: this Python has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi
pinned > "$venv/.locked"
# Where the cache cannot be written, pip says so at length with each call.
if ! mkdir -p "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/pip" 2>/dev/null; then export PIP_NO_CACHE_DIR=1; fi
echo "setup: installing the pinned packages (about 240 MB to download, once)"
# The locks are whole, so pip need not search for dependencies. Bytecode comes with the first use of each module; most of
# what pip would write (110 MB, 12 s) is never used.
# shellcheck disable=SC2046  # likewise
"$venv/bin/python" -m pip install --quiet --no-deps --no-compile --require-hashes --only-binary=:all: \
    $(printf ' -r %s' $locks)
# The project itself comes from this folder; its build tool is pinned among the packages above.
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
echo "setup: fetching the tracker's models (35 MB, once)"
"$venv/bin/understudy" models pull tracker
echo "setup: looking whether all of it can be loaded"
"$venv/bin/understudy" doctor > "$venv/.doctor" || grep -A 1 '^problem' "$venv/.doctor" || cat "$venv/.doctor"
