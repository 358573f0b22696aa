# shellcheck shell=bash disable=SC2154 # the variables without a value here are those of tests/conformance/image
# The contents of the image, and its metadata.

limit=$((10 * 1000 * 1000))

only_the_program_and_the_roots() {
    diff <(printf '%s\n' etc/ssl/certs/ca-certificates.crt sts-verify) <(cd "$1" && find . ! -type d -printf '%P\n' | sort)
}

static() {
    readelf --file-header --program-headers --dynamic --wide "$1" > "$work/readelf" \
        && ! grep -E 'INTERP|\(NEEDED\)' "$work/readelf"
}

has_roots() {
    (($(grep -c 'BEGIN CERTIFICATE' "$1") > 100))
}

names_the_build() {
    diff <(echo "sts-verify $version (revision $revision, target $(uname -m)-unknown-linux-musl)") <("$1" --version)
}

# says FILTER: jq's FILTER is true of the image's settings.
says() {
    jq --exit-status --arg version "$version" --arg revision "$revision" --arg created "$created" \
        ".[0] | $1" "$work/image.json"
}

# shellcheck disable=SC2016 # the variables in it are jq's
labels='.Labels
    | ."org.opencontainers.image.title" == "sts-verify"
    and ."org.opencontainers.image.licenses" == "Apache-2.0"
    and (."org.opencontainers.image.description" | length > 20)
    and has("org.opencontainers.image.source")
    and ."org.opencontainers.image.version" == $version
    and ."org.opencontainers.image.revision" == $revision
    and ."org.opencontainers.image.created" == $created'

check_contents() {
    local root size
    root=$(container image mount "$image")
    check "the image has the program and the CA roots, and nothing else, no shell either" \
        only_the_program_and_the_roots "$root"
    check "the program is static" static "$root/sts-verify"
    check "it names the version and the revision that the labels do" names_the_build "$root/sts-verify"
    check "the CA roots are some" has_roots "$root/etc/ssl/certs/ca-certificates.crt"
    # Under another name first, because it may still be running from an earlier test.
    cp "$root/sts-verify" "$work/sts-verify.new"
    mv "$work/sts-verify.new" "$work/sts-verify"
    container image unmount "$image" > /dev/null

    container image inspect "$image" > "$work/image.json"
    check "the user is a number, and not root's" says '.User | test("^[1-9][0-9]*:[1-9][0-9]*$")'
    check "it runs the program" says '.Config | .Entrypoint == ["/sts-verify"] and .Cmd == ["serve"]'
    check "it is stopped by SIGTERM" says '.Config.StopSignal == "SIGTERM"'
    check "ports 8080 and 9090 are exposed" says '.Config.ExposedPorts | keys == ["8080/tcp", "9090/tcp"]'
    check "the health check is the subcommand" says '.Healthcheck.Test == ["CMD", "/sts-verify", "healthcheck"]'
    check "the labels are there" says "$labels"
    size=$(container save --quiet --format docker-archive "$image" | gzip -9 | wc -c)
    check "compressed it is under 10 MB: $(numfmt --to=si --format=%.1f "$size")B" test "$size" -lt "$limit"
}
