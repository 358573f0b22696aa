# shellcheck shell=bash
# What tests/deploy/kubernetes and tests/deploy/ecs share: the tools they run with, from PyPI, under target/deploy.

work=$PWD/target/deploy
tools=$work/venv

# Anew where the list changed: tools of another version would find other things.
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
