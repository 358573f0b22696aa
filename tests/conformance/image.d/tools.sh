# shellcheck shell=bash disable=SC2154 # the variables without a value here are those of tests/conformance/image
# The tools of tests/conformance/image: what has to be installed, and how the container tools are called here.

tools=$work/tools

install_tools() {
    local packages=()
    local pair
    for pair in buildah:buildah podman:podman runc:runc debootstrap:debootstrap ip:iproute2 curl:curl jq:jq \
        readelf:binutils python3:python3 rustup: cargo:; do
        command -v "${pair%%:*}" > /dev/null && continue
        [[ -n ${pair#*:} ]] || stop "${pair%%:*} is not installed, and no package of Debian's will do"
        packages+=("${pair#*:}")
    done
    # debootstrap needs it to check the signatures of Debian's packages; Ubuntu does not install it.
    [[ -e $keyring ]] || packages+=(debian-archive-keyring)
    if ((${#packages[@]})); then
        # With the recommended packages, which include podman's network and storage helpers.
        say "installing ${packages[*]}"
        apt-get update > "$work/apt.log"
        DEBIAN_FRONTEND=noninteractive apt-get install --yes "${packages[@]}" >> "$work/apt.log"
    fi
    rustup target add "$(uname -m)-unknown-linux-musl" 2> "$work/rustup.log" \
        || stop "the toolchain has no musl target: $(< "$work/rustup.log")"
    install_hadolint
}

install_hadolint() {
    cmp --silent "$here/image.d/requirements.txt" "$tools/requirements.txt" && return
    say "installing hadolint"
    rm -rf "$tools/venv"
    python3 -m venv "$tools/venv" 2> /dev/null || {
        apt-get update > "$work/apt.log"
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv >> "$work/apt.log"
        python3 -m venv "$tools/venv"
    }
    "$tools/venv/bin/pip" install --quiet --requirement "$here/image.d/requirements.txt"
    cp "$here/image.d/requirements.txt" "$tools/requirements.txt"
}

# The real Docker Compose, which only reads docker-compose.yml here: there is no Docker daemon. The Debian release of
# the stand-in does not have the package, but the next one does. It is unpacked, not installed.
install_compose() {
    [[ -x $tools/docker-compose ]] && return
    say "fetching docker-compose"
    local apt=$tools/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    sed "s|^deb |deb [signed-by=$keyring] |; s/$release/$compose_release/" "$work/base/sources.list" \
        > "$apt/sources.list"
    local options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=-
        -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update > "$work/apt.log"
    (cd "$apt" && rm -f ./*.deb && apt-get "${options[@]}" download docker-compose >> "$work/apt.log" && dpkg-deb -x ./*.deb .)
    cp "$apt/usr/libexec/docker/cli-plugins/docker-compose" "$tools/docker-compose"
}

# buildah and podman share one storage of ours, so that nothing of the machine's own images is seen or changed. overlay
# is quick; vfs copies everything for every layer, but works where overlay does not.
choose_storage() {
    local probe=$work/probe driver=vfs
    mkdir -p "$probe"/{lower,upper,work,merged}
    if mount -t overlay overlay "$probe/merged" \
        -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" 2> /dev/null; then
        umount "$probe/merged"
        driver=overlay
    fi
    rm -rf "$probe"
    storage=(--storage-driver "$driver" --root "$work/storage-$driver" --runroot "$work/run")
}

build_tool() {
    buildah "${storage[@]}" "$@" 9>&-
}

# There is no systemd here that could make control groups, and Debian's crun needs one. The script's lock (9) is not for
# the monitor that podman leaves beside a container.
container() {
    podman "${storage[@]}" --cgroup-manager cgroupfs --runtime runc "$@" 9>&-
}

# docker compose ... as a user would call it after cloning the repository: only with the usual variables of a shell.
compose() {
    env -i "PATH=$PATH" "HOME=$work/home" "$tools/docker-compose" --project-directory . "$@"
}
