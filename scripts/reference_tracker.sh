#!/usr/bin/env bash
# Makes .venv-mediapipe: MediaPipe's own tracker, which tests/media/test_tracking.py compares ours with.
# It wants numpy 1 and Python 3.11 or 3.12, so it cannot live in .venv. Where neither is there, uv brings one.
# Does nothing where it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv-mediapipe
MADE=$VENV/made-by-reference-tracker-0.10.21
PIP_OPTIONS=(--quiet --no-deps --only-binary=:all: --require-hashes -r scripts/reference_tracker.txt)

works() { "$VENV/bin/python" -c 'import mediapipe; mediapipe.solutions.pose; assert mediapipe.__version__ == "0.10.21"' >/dev/null 2>&1; }
fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1; }

[[ -e $MADE ]] && exit 0
if works; then touch "$MADE"; exit 0; fi
rm -rf "$VENV"

for python in .venv/bin/python python3.12 python3.11 python3; do
  if fits "$python"; then
    "$python" -m venv "$VENV"
    "$VENV/bin/python" -m pip install --disable-pip-version-check "${PIP_OPTIONS[@]}"
    break
  fi
done
if ! [[ -d $VENV ]]; then
  uv=$(command -v uv || true)
  if [[ -z $uv ]]; then
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
    "$([[ -x .venv/bin/python ]] && echo .venv/bin/python || echo python3)" -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check uv
    uv=$tools/bin/uv
  fi
  "$uv" venv --quiet --python 3.12 "$VENV" || {
    echo "MediaPipe 0.10.21 needs Python 3.11 or 3.12; neither is here, and uv could not bring one." >&2
    exit 3
  }
  "$uv" pip install --python "$VENV/bin/python" "${PIP_OPTIONS[@]}"
fi
works || { echo "MediaPipe 0.10.21 was installed but does not start." >&2; exit 4; }
touch "$MADE"
