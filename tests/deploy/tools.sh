# shellcheck shell=bash
# The tools that the suites of tests/deploy share, from PyPI and Debian, under target/deploy.

work=$PWD/target/deploy
tools=$work/venv

# Reinstalled if the list changed, because other versions of the tools report other findings.
install_tools() {
    mkdir -p "$work"
    cmp --silent tests/deploy/requirements.txt "$work/requirements.txt" && return
    echo "${0##*/}: installing the tools"
    rm -rf "$tools"
    python3 -m venv "$tools" 2> /dev/null || {
        apt-get update > "$work/apt.log"
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv >> "$work/apt.log"
        python3 -m venv "$tools"
    }
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement tests/deploy/requirements.txt
    cp tests/deploy/requirements.txt "$work/requirements.txt"
}

# unpack PACKAGE FILE: a package of Debian's without installing it, so that no server starts. Downloading needs no root;
# a list of packages that is missing or old does.
unpack() {
    [ -x "$work/debian/$2" ] && return
    local download=$work/download
    rm -rf "$download" && mkdir -p "$download" "$work/debian"
    (cd "$download" && apt-get download "$1") > "$work/apt.log" 2>&1 || {
        as_root apt-get -o DPkg::Lock::Timeout=300 update > "$work/apt.log" 2>&1
        (cd "$download" && apt-get download "$1") > "$work/apt.log" 2>&1 || {
            echo "${0##*/}: apt-get download $1 failed: $(< "$work/apt.log")" >&2
            return 1
        }
    }
    dpkg-deb -x "$download/$1"_*.deb "$work/debian"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}
