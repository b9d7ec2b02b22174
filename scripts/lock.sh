#!/bin/sh
# Write requirements.txt anew: every dependency pinned with its hashes, for Python 3.11 and newer on any platform,
# without download addresses. Usage: lock.sh PYTHON [--upgrade]. Pins that still fit are kept unless --upgrade is given.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet uv==0.13.8

# uv looks at the lower bound of Requires-Python only, pip at both: from 1.3 on backports-strenum wants Python < 3.11.
echo "backports-strenum<1.3" > "$work/constraints.txt"

if [ -f requirements.txt ]; then cp requirements.txt "$work/lock.txt"; fi
"$work/venv/bin/uv" --no-config pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --constraints "$work/constraints.txt" --group dev --output-file "$work/lock.txt" ${2:+"$2"} pyproject.toml
{
    echo "# Pinned by 'make lock'. Base install, tests and build tool; hashes for every platform, no addresses."
    cat "$work/lock.txt"
} > requirements.txt.new
mv requirements.txt.new requirements.txt
