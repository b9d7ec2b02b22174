#!/bin/sh
# Write requirements.txt anew: every dependency pinned with its hashes, for Python 3.11 and newer on any platform,
# without download addresses; then ask pip whether it could install that on Linux and macOS, with each Python.
# Usage: lock.sh PYTHON [--upgrade]. Pins that still fit are kept unless --upgrade is given.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --upgrade pip uv==0.13.8

# backports-strenum: uv minds only the lower bound of Requires-Python; from 1.3 on it is below 3.11.
# c2pa-python: 0.38.2 has wheels for macOS alone.
cat > "$work/constraints.txt" <<'END'
backports-strenum<1.3
c2pa-python!=0.38.2
END

if [ -f requirements.txt ]; then cp requirements.txt "$work/lock.txt"; fi
"$work/venv/bin/uv" --no-config pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --constraints "$work/constraints.txt" --extra server --extra matting --group dev --output-file "$work/lock.txt" ${2:+"$2"} pyproject.toml
if grep -n '://' "$work/lock.txt"; then
    echo "lock: the lock holds an address" >&2
    exit 1
fi

# Usage: installable PYTHON_VERSION PLATFORM...
installable() {
    version=$1
    shift
    tags=$(for tag in "$@"; do printf ' --platform %s' "$tag"; done)
    # shellcheck disable=SC2086  # the tags are words
    "$work/venv/bin/python" -m pip install --quiet --dry-run --target "$work/none" --python-version "$version" $tags \
        --no-deps --only-binary=:all: --require-hashes -r "$work/lock.txt" || {
        echo "lock: not installable with Python $version on $1" >&2
        exit 1
    }
}

for version in 3.11 3.12 3.13 3.14; do
    for cpu in x86_64 aarch64; do
        installable "$version" "manylinux_2_28_$cpu" "manylinux_2_27_$cpu" "manylinux_2_26_$cpu" "manylinux_2_24_$cpu" \
            "manylinux_2_17_$cpu" "manylinux2014_$cpu" "manylinux_2_12_$cpu" "manylinux_2_5_$cpu" "manylinux1_$cpu"
    done
    installable "$version" macosx_14_0_arm64 macosx_13_0_arm64 macosx_12_0_arm64 macosx_11_0_arm64 macosx_12_0_universal2 \
        macosx_11_0_universal2 macosx_10_9_universal2
done
{
    echo "# Pinned by 'make lock'. Base install, the extras of server and matting, tests and build tool; hashes for every platform, no addresses."
    cat "$work/lock.txt"
} > requirements.txt.new
mv requirements.txt.new requirements.txt
