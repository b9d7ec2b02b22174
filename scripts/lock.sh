#!/bin/sh
# Write requirements.txt anew: every dependency pinned with its hashes, for Python 3.11 and newer on any platform,
# without download addresses. Usage: lock.sh BIN, the folder with python.
set -eu
bin=$1
"$bin/python" -m pip install --quiet uv
{
    echo "# Pinned by 'make lock'. Base install, tests and build tool; hashes for every platform, no addresses."
    "$bin/uv" pip compile --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --group dev pyproject.toml
} > requirements.txt.new
mv requirements.txt.new requirements.txt
