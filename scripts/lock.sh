#!/bin/sh
# Write the locks anew: every dependency pinned with its hashes, for Python 3.11 and newer on any platform, without
# download addresses; then ask uv whether that can be installed on Linux and macOS, with each Python.
#   requirements.txt          what making a video needs
#   requirements-server.txt   what `understudy serve` needs besides
#   requirements-dev.txt      what the learned matte, the tests and the build need besides
#   requirements-gpu.txt      what the GPU engines need besides, but torch and what only torch brings: which build of it
#                             fits depends on the card, so scripts/setup_gpu.sh leaves that to pip
# No package stands in two of them, so that one call of pip takes any leading part of the list.
# Usage: lock.sh PYTHON [--upgrade]. Pins that still fit are kept unless --upgrade is given.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --upgrade pip uv==0.13.8

# backports-strenum: uv minds only the lower bound of Requires-Python; from 1.3 on it is below 3.11.
# c2pa-python: 0.38.2 has wheels for macOS alone.
cat > "$work/constraints.txt" <<END
backports-strenum<1.3
c2pa-python!=0.38.2
torch==$(sed -n 's/^torch=//p' scripts/setup_gpu.sh)
END
# Needed by nobody, wherever this is an override.
echo "torch; python_version < '3'" > "$work/no-torch.txt"

# Usage: compile OUTPUT ARGUMENTS...
compile() {
    output=$1
    shift
    "$work/venv/bin/uv" --no-config pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
        --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --constraints "$work/constraints.txt" --output-file "$output" "$@" pyproject.toml
}

# All of it first, so that the parts fit each other; then the smaller parts, held to the same pins.
cat requirements.txt requirements-server.txt requirements-dev.txt requirements-gpu.txt > "$work/whole.txt" 2>/dev/null || true
compile "$work/whole.txt" --extra server --extra matting --extra gpu --group dev ${2:+"$2"}
cp "$work/whole.txt" "$work/all.txt"
compile "$work/all.txt" --extra server --extra matting --extra gpu --group dev --override "$work/no-torch.txt"
cp "$work/all.txt" "$work/dev.txt"
compile "$work/dev.txt" --extra server --extra matting --group dev
cp "$work/all.txt" "$work/server.txt"
compile "$work/server.txt" --extra server
cp "$work/all.txt" "$work/base.txt"
compile "$work/base.txt"
if grep -n '://' "$work/all.txt"; then
    echo "lock: the lock holds an address" >&2
    exit 1
fi
"$python" scripts/lock_parts.py "$work/base.txt" "$work/server.txt" "$work/dev.txt" "$work/all.txt"

# Asked of uv, since pip reads the markers of the Python that runs it, whatever --python-version says.
for version in 3.11 3.12 3.13 3.14; do
    for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do
        MACOSX_DEPLOYMENT_TARGET=14.0 "$work/venv/bin/uv" --no-config pip install --quiet --dry-run \
            --target "$work/none" --python-version "$version" --python-platform "$platform" \
            --no-deps --only-binary :all: --require-hashes -r "$work/all.txt" || {
            echo "lock: not installable with Python $version on $platform" >&2
            exit 1
        }
    done
done
for part in base server dev gpu; do
    name=requirements$([ "$part" = base ] || echo "-$part").txt
    mv "$work/$part.part" "$name"
done
