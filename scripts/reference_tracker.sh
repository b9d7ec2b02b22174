#!/usr/bin/env bash
# Makes .venv-mediapipe: MediaPipe's own tracker, which tests/media/test_tracking.py compares ours with.
# It wants numpy 1 and a Python of 3.9 to 3.12, so it cannot live in .venv. Does nothing where it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv-mediapipe
REQUIREMENTS=("mediapipe==0.10.21" "numpy==1.26.4")
MADE=$VENV/made-by-reference-tracker-0.10.21

works() { "$VENV/bin/python" -c 'import mediapipe; assert mediapipe.__version__ == "0.10.21"' >/dev/null 2>&1; }

[[ -e $MADE ]] && exit 0
if works; then touch "$MADE"; exit 0; fi

for version in 3.12 3.11 3.10; do
  python=$(command -v "python$version" || true)
  if [[ -n $python ]] && "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "${REQUIREMENTS[@]}"
    break
  fi
done
if ! [[ -x $VENV/bin/python ]]; then
  if ! command -v uv >/dev/null; then
    echo "MediaPipe 0.10.21 needs Python 3.10, 3.11 or 3.12, or uv, which brings one." >&2
    exit 3
  fi
  uv venv --quiet --python 3.12 "$VENV"
  uv pip install --quiet --python "$VENV/bin/python" "${REQUIREMENTS[@]}"
fi
works || { echo "MediaPipe 0.10.21 was installed but does not start." >&2; exit 4; }
touch "$MADE"
