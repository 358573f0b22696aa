# shellcheck shell=bash disable=SC2154 # $work is that of the script that sources this
# Shared by the scripts under tests/: installs what they need, once.

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0#"$PWD"/}: $*"
    exit 1
}

# Installs Debian packages, as root or with sudo.
install_packages() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "$* missing; installing it needs root or sudo"
        as_root=(sudo)
    fi
    command -v apt-get >/dev/null || die "$* missing; please install it"
    say "installing $*"
    # One at a time: others may run beside this.
    exec 9>"${TMPDIR:-/tmp}/sts-verify-packages.lock"
    flock 9
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >"$work/logs/apt.log" 2>&1 ||
        die "apt-get install $* failed: $(tail -n 5 "$work/logs/apt.log")"
    exec 9>&-
}

# Unpacks a Debian package into a folder, as any user; its dependencies have to be there.
unpack_package() {
    local download=$work/download
    rm -rf "$download" && mkdir -p "$download" "$2"
    say "unpacking $1"
    (cd "$download" && apt-get download "$1") >"$work/logs/apt.log" 2>&1 ||
        die "apt-get download $1 failed: $(tail -n 5 "$work/logs/apt.log")"
    dpkg-deb -x "$download"/*.deb "$2"
}

# Runs an installation once for each state of the files that define it.
once_for() {
    local stamp=$1 command=$2 wanted
    shift 2
    wanted=$(cat "$@" | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    "$command"
    printf '%s\n' "$wanted" >"$stamp"
}

# A Python environment in $work/venv with the packages of $here/requirements.txt.
install_python() {
    rm -rf "$work/venv"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
}

prepare_python() {
    command -v python3 >/dev/null || install_packages python3
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3-venv
    once_for "$work/venv.stamp" install_python "$here/requirements.txt"
}

# The program under test: the one that STS_VERIFY_BIN names, or the debug build.
prepare_program() {
    if [ -z "${STS_VERIFY_BIN:-}" ]; then
        (cd "$root" && cargo build --locked --quiet)
        STS_VERIFY_BIN=${CARGO_TARGET_DIR:-$root/target}/debug/sts-verify
    fi
    [ -x "$STS_VERIFY_BIN" ] || die "no program at $STS_VERIFY_BIN"
    export STS_VERIFY_BIN PYTHONPYCACHEPREFIX=$work/pycache
}
