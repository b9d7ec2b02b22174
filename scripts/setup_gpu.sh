#!/bin/sh
# Put what the GPU engines need into the environment that setup.sh made: the pinned packages, then torch.
# Usage: setup_gpu.sh PYTHON VENV. Quick where it is all there.
# Which build of torch fits depends on the card (CUDA, ROCm, none), so it is pinned by its version alone and pip takes the
# build of its index: NVIDIA's on Linux. For another, install that version into VENV first; it is then left as it is.
set -eu
python=$1
venv=$2
torch=2.13.0
locks="requirements.txt requirements-server.txt requirements-dev.txt requirements-gpu.txt"
stamp="$venv/.gpu"
names() { sed -n 's/^\([A-Za-z0-9][A-Za-z0-9._-]*\)==.*/\1/p' "$@" | sort -u; }
has_torch() { "$venv/bin/python" -c "import sys, torch; sys.exit(torch.__version__.partition('+')[0] != '$torch')"; }

if [ ! -x "$venv/bin/python" ]; then
    echo "setup: $venv is not there; first: make setup PYTHON=$python" >&2
    exit 1
fi
if cmp -s requirements-gpu.txt "$stamp" && has_torch 2>/dev/null; then exit 0; fi
if ! mkdir -p "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/pip" 2>/dev/null; then export PIP_NO_CACHE_DIR=1; fi
# What the last lock named and none names now.
if [ -e "$stamp" ]; then
    # shellcheck disable=SC2086  # the locks are words
    names $locks > "$venv/.named"
    names "$stamp" | comm -23 - "$venv/.named" | xargs -r "$venv/bin/python" -m pip uninstall --quiet --yes
    rm "$venv/.named" "$stamp"
fi
echo "setup: installing the GPU engines' packages (about 32 MB to download, once)"
"$venv/bin/python" -m pip install --quiet --no-deps --no-compile --require-hashes --only-binary=:all: -r requirements-gpu.txt
if ! has_torch 2>/dev/null; then
    echo "setup: installing torch $torch (192 MB for a processor alone; a build for cards is far larger)"
    # Held to the locks' versions; without the hashes, which pip would then want of torch too.
    # shellcheck disable=SC2086  # likewise
    sed -n 's/^\([A-Za-z0-9][^\\]*\)\\*$/\1/p' $locks > "$venv/.held"
    if ! "$venv/bin/python" -m pip install --quiet --no-compile --only-binary=:all: --constraint "$venv/.held" \
        "torch==$torch"; then
        echo "setup: torch $torch cannot be had for $("$venv/bin/python" --version) on $(uname -sm)." >&2
        echo "setup: install that version by pip into $venv from where your platform's build is, then run this again" >&2
        exit 1
    fi
    rm "$venv/.held"
fi
if ! has_torch; then
    echo "setup: torch is installed and cannot be loaded; what it says stands above" >&2
    exit 1
fi
cp requirements-gpu.txt "$stamp"
