#!/bin/sh
# What bare.sh runs on each bare machine, in the project's folder, as a user that is not root.
# Usage: bare_inside.sh PYTHON. Lines `figure: NAME VALUE` are for the table.
set -eu
python=$1
project=$(pwd)
begun=$(date +%s)
say() { echo "== $*"; }
figure() { echo "figure: $*"; }
# Usage: timed NAME COMMAND...; the seconds it took, and those of the processor
timed() { "$python" "$project/scripts/bare_timed.py" "$@"; }

say "the machine"
figure system "$(. /etc/os-release && echo "$PRETTY_NAME")"
figure python "$("$python" -c 'import platform; print(platform.python_version())')"
figure cores "$(nproc)"
id
for tool in ffmpeg ffprobe cc gcc c++ git node Xorg; do
    if command -v "$tool"; then echo "verdict: failed, $tool is on this machine"; exit 1; fi
done
if find / -xdev \( -name 'libGL.so*' -o -name 'libX11.so*' \) 2>/dev/null | grep .; then
    echo "verdict: failed, there are X libraries"
    exit 1
fi
echo "no ffmpeg, compiler, git, libGL or X here; DISPLAY is '${DISPLAY:-}', LANG is '${LANG:-}'"
if touch "$HOME/written" 2>/dev/null; then echo "verdict: failed, the home can be written"; exit 1; fi
pwd

say "make setup"
since=$(date +%s)
timed setup_s make setup PYTHON="$python" 2>&1 | while IFS= read -r line; do
    case $line in figure*) echo "$line" ;; *) echo "$(($(date +%s) - since)) s  $line" ;; esac
done
[ -e .venv/.ready ] || { echo "verdict: failed, make setup"; exit 1; }
figure venv_mb "$(du -sm .venv | cut -f1)"

timed setup_again_s make setup

say "make demo"
timed demo_s make demo PYTHON="$python"
.venv/bin/python scripts/bare_video.py demo/understudy-demo.mp4

say "understudy doctor"
.venv/bin/understudy doctor
say "understudy doctor --json"
.venv/bin/understudy doctor --json | .venv/bin/python -c 'import json, sys; print(len(json.load(sys.stdin)), "checks")'

say "a slice of make test"
# As .ci/run has it: Hypothesis then minds no clock.
CI=true .venv/bin/python -m pytest -p no:cacheprovider tests/unit/test_settings.py tests/unit/test_doctor.py tests/unit/test_wheel.py \
    tests/unit/test_media_encode.py tests/unit/test_tracking_models.py tests/unit/test_puppet_warp.py > /tmp/slice 2>&1 ||
    { cat /tmp/slice; echo "verdict: failed, tests"; exit 1; }
tail -n 1 /tmp/slice
figure tests "$(tail -n 1 /tmp/slice | sed 's/ in .*//')"

# Usage: served FIGURE FOLDER_OF_PROGRAMS
served() {
    port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$2/understudy" serve --port "$port" > /tmp/serve.log 2>&1 &
    service=$!
    "$2/python" "$project/scripts/bare_service.py" "$1" "http://127.0.0.1:$port" ||
        { cat /tmp/serve.log; echo "verdict: failed, understudy serve"; exit 1; }
    kill "$service"
    wait "$service" || true
}
say "understudy serve"
served serve_s .venv/bin

say "the wheel, in an empty environment outside the checkout"
.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /tmp/wheel .
mkdir "/tmp/other place"
cd "/tmp/other place"
export PIP_NO_CACHE_DIR=1
"$python" -m venv venv
before=$(du -sm venv | cut -f1)
timed wheel_s venv/bin/python -m pip install --quiet --no-compile --only-binary=:all: /tmp/wheel/*.whl
figure wheel_empty_mb "$before"
figure wheel_mb "$(du -sm venv | cut -f1)"
venv/bin/understudy --help | head -n 3
timed wheel_demo_s venv/bin/understudy demo
venv/bin/python "$project/scripts/bare_video.py" demo/understudy-demo.mp4
venv/bin/understudy doctor
figure wheel_used_mb "$(du -sm venv | cut -f1)"
venv/bin/python -m pip install --quiet --no-compile --only-binary=:all: "$(ls /tmp/wheel/*.whl)[server]"
figure wheel_server_mb "$(du -sm venv | cut -f1)"
served wheel_serve_s venv/bin
figure whole_s $(($(date +%s) - begun))
echo "verdict: good"
