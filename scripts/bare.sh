#!/bin/sh
# Prove that the project runs on a bare machine: Debian with make, python3 and python3-venv and nothing else, for each
# Python that is supported. By hand or nightly, never in CI: it needs root, debootstrap, unshare, 3 GB of disk, and takes
# some minutes for each system.
# Usage: bare.sh FOLDER [SYSTEM...]
#   FOLDER   where the systems, the log of each and table.md go; systems that are there are used again
#   SYSTEM   debian12, debian13, debian-testing, or NAME=PYTHON: Debian 12 with the Python of that folder, as in
#            python3.12=/usr/local/python3.12; default: the three
# In each, the committed state of this checkout lies in a path with spaces; all else but /tmp is mounted read-only, the
# home too; the user is not root. The network is this machine's own, and so is pip's configuration.
set -eu
[ $# -ge 1 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
[ $# -ge 1 ] || set -- debian12 debian13 debian-testing
checkout=$(cd "$(dirname "$0")/.." && pwd)
mirror=${BARE_MIRROR:-http://deb.debian.org/debian}
person=1234 # a user that no package makes
home=/home/visitor
project="$home/my project"

for tool in debootstrap unshare chroot git; do
    command -v "$tool" >/dev/null || { echo "bare: $tool is missing" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "bare: chroot and mount need root" >&2; exit 1; }

# Usage: base SUITE; a bare system in $folder/SUITE
base() {
    root="$folder/$1"
    [ -e "$root/.whole" ] && return
    rm -rf "$root"
    script=/usr/share/debootstrap/scripts/$1
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid # a suite younger than this debootstrap
    debootstrap --variant=minbase --include=make,python3,python3-venv,ca-certificates "$1" "$root" "$mirror" "$script" \
        > "$folder/$1.debootstrap.log" 2>&1
    echo "visitor:x:$person:$person::$home:/bin/sh" >> "$root/etc/passwd"
    mkdir -p "$root$project"
    touch "$root/.whole"
}

# Folders of this machine that pip's configuration names, as an index that lies on the disk.
pip_folders() {
    python3 -m pip config list 2>/dev/null | tr " '" '\n\n' | sed 's|^file://||' | grep '^/' | while read -r path; do
        while [ "$path" != / ] && [ ! -d "$path" ]; do path=$(dirname "$path"); done
        case $path in /opt/*/* | /srv/*/* | /mnt/*/* | /opt/* | /srv/* | /mnt/*) echo "$path" ;; esac
    done | sort -u
}

# Usage: enter NAME SUITE PYTHON [FOLDER_OF_PYTHON]; within a mount namespace, so that nothing stays mounted.
enter() {
    root="$folder/$2"
    work="$folder/work-$1"
    rm -rf "$work"
    mkdir -p "$work/project" "$work/tmp"
    git -C "$checkout" archive HEAD | tar -x -C "$work/project"
    chown -R "$person:$person" "$work/project"
    chmod 1777 "$work/tmp"
    for path in $(pip_folders) ${4:-}; do mkdir -p "$root$path"; done
    [ -z "${4:-}" ] || chmod o+x "$root/root" # where that Python lies in root's home
    env > "$work/environment"
    # What reaches the index goes along; nothing else of this machine's environment does.
    sed -n 's/^\(\(PIP_[A-Z_]*\|[A-Za-z_]*_proxy\|[A-Z_]*_PROXY\|SSL_CERT_[A-Z]*\|REQUESTS_CA_BUNDLE\)=.*\)/\1/p' \
        "$work/environment" > "$work/kept"
    # shellcheck disable=SC2016  # the inner shell's variables
    ROOT=$root WORK=$work PROJECT=$project BIND=$(pip_folders) OWN=${4:-} KEPT="$work/kept" PERSON=$person NAME=$1 \
        HOME_THERE=$home PYTHON_THERE=$3 CHROOT=$(command -v chroot) unshare --mount --pid --fork --kill-child sh -euc '
        mount --make-rprivate /
        mount --bind "$ROOT" "$ROOT"
        for path in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
            [ -e "$path" ] || continue
            [ -e "$ROOT$path" ] || touch "$ROOT$path"
            mount --bind -o ro "$path" "$ROOT$path"
        done
        for path in $BIND; do mount --bind -o ro "$path" "$ROOT$path"; done
        if [ -n "$OWN" ]; then mount --bind -o ro "$OWN" "$ROOT$OWN"; fi
        mount --bind "$WORK/project" "$ROOT$PROJECT"
        mount --bind "$WORK/tmp" "$ROOT/tmp"
        mount -t proc proc "$ROOT/proc"
        mount --rbind /dev "$ROOT/dev"
        mount -o remount,bind,ro "$ROOT"
        set --
        while IFS= read -r line; do set -- "$@" "$line"; done < "$KEPT"
        exec env -i "$@" HOME="$HOME_THERE" USER=visitor PATH=/usr/bin:/bin BARE_NAME="$NAME" \
            nice -n 5 "$CHROOT" --userspec="$PERSON:$PERSON" "$ROOT" \
            /bin/sh -c "cd \"$PROJECT\" && exec sh scripts/bare_inside.sh \"$PYTHON_THERE\""
    ' > "$folder/$1.log" 2>&1 || echo "verdict: failed with exit code $?" >> "$folder/$1.log"
    rm -rf "$work"
}

for system in "$@"; do
    own=
    case $system in
        debian12) name=$system suite=bookworm python=python3 ;;
        debian13) name=$system suite=trixie python=python3 ;;
        debian-testing) name=$system suite=${BARE_TESTING:-forky} python=python3 ;;
        *=/*) name=${system%%=*} suite=bookworm own=${system#*=} python=$own/bin/python3 ;;
        *) echo "bare: unknown system $system" >&2; exit 2 ;;
    esac
    echo "bare: $name"
    base "$suite"
    enter "$name" "$suite" "$python" "$own"
    tail -n 1 "$folder/$name.log"
done
python3 "$checkout/scripts/bare_table.py" "$folder"/*.log | tee "$folder/table.md"
