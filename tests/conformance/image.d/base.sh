# shellcheck shell=bash disable=SC2154 # the variables without a value here are those of tests/conformance/image
# The stand-in for the builder's base image, rust:*-slim-bookworm: the same Debian with gcc, made by debootstrap, and
# rustup's own proxies. The toolchain is this machine's and is mounted when the image is built: it is large, and a
# registry of images cannot be reached from everywhere this runs.

make_base() {
    local wanted=$work/base/wanted
    sha256sum "$here/image.d/base.sh" "$(command -v rustup)" > "$wanted.new"
    if cmp --silent "$wanted" "$wanted.new" && build_tool inspect --type image "$base" > /dev/null 2>&1; then
        return
    fi
    say "making the stand-in for the base image"
    local root=$work/base/root
    rm -rf "$root"
    debootstrap --variant=minbase --keyring="$keyring" --include=ca-certificates,gcc,libc6-dev,make \
        "$release" "$root" > "$work/debootstrap.log" || stop "debootstrap failed, see $work/debootstrap.log"
    cp "$root/etc/apt/sources.list" "$work/base/sources.list"
    trust_what_this_machine_trusts "$root"
    add_rustup "$root"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    import_base "$root"
    rm -rf "$root"
    mv "$wanted.new" "$wanted"
}

# The builder uses this machine's network for crates.io and Debian, so it needs its CA certificates and apt settings.
trust_what_this_machine_trusts() {
    local root=$1 file
    for file in /usr/local/share/ca-certificates/*.crt; do
        [[ -e $file ]] && cp "$file" "$root/usr/local/share/ca-certificates/"
    done
    chroot "$root" update-ca-certificates > "$work/ca-certificates.log" 2>&1
    for file in /etc/apt/apt.conf.d/*; do
        if grep -qs '^Acquire' "$file"; then cp "$file" "$root/etc/apt/apt.conf.d/"; fi
    done
}

# Laid out as in the image it stands in for. Its rustup finds the musl target already there.
add_rustup() {
    local bin=$1/usr/local/cargo/bin proxy
    mkdir -p "$bin" "$1/usr/local/rustup/toolchains"
    cp "$(readlink -f "$(command -v rustup)")" "$bin/rustup"
    for proxy in cargo rustc rustdoc; do
        ln "$bin/rustup" "$bin/$proxy"
    done
}

import_base() {
    tar -C "$1" -c . | container import --quiet \
        --change ENV=PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --change ENV=RUSTUP_HOME=/usr/local/rustup --change ENV=CARGO_HOME=/usr/local/cargo - "$base" > /dev/null
}
