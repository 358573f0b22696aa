# shellcheck shell=bash disable=SC2154 # the variables without a value here are those of tests/conformance/image
# The image, run as docker-compose.yml says.
#
# podman's flags are those that compose.py makes of that file, and these: its health checks would need systemd, so the
# test checks the health itself; and the limits are set explicitly, because podman would raise them, which this machine
# may forbid (CAP_SYS_RESOURCE). `sts` is a name that Docker's network would know.

run_flags() {
    flags=(--pull never --no-healthcheck --ulimit nofile=1024:1024 --ulimit nproc=1024:1024
        --network "ns:/run/netns/$net" --add-host sts:127.0.0.1)
}

# plan run|health SERVICE: the words of a command, into the array `words`.
plan() {
    python3 "$here/image.d/compose.py" "$@" < "$work/compose.json" > "$work/plan" && mapfile -d '' -t words < "$work/plan"
}

start() {
    local words=()
    plan run "$1" || return
    containers+=("$net-$1")
    container run --detach --name "$net-$1" "${flags[@]}" "${words[@]}" && listening "$1"
}

# Waits for this line of the log; the log ends with the program.
listening() {
    local follower found=0
    exec 3< <(container logs --follow "$net-$1" 2>&1)
    follower=$!
    grep --quiet --max-count 1 '"message":"\(sandbox \)\?listening"' <&3 || found=1
    exec 3<&-
    kill "$follower" 2> /dev/null || true
    ((found == 0)) || container logs "$net-$1"
    return "$found"
}

# The check that docker-compose.yml gives the service, or else the image's own.
healthy() {
    local words=()
    plan health "$1" || return
    ((${#words[@]})) || mapfile -t words < <(jq --raw-output '.[0].Healthcheck.Test[1:][]' "$work/image.json")
    container exec "$net-$1" "${words[@]}"
}

# The kernel's view of the process, not podman's options.
confined() {
    local pid
    pid=$(container inspect --format '{{.State.Pid}}' "$net-$1") || return
    grep -E '^(Uid|Gid|Cap.*|NoNewPrivs):' "/proc/$pid/status"
    grep -qP '^Uid:(\t65532){4}$' "/proc/$pid/status" && grep -qP '^Gid:(\t65532){4}$' "/proc/$pid/status" \
        && ! grep -qP '^Cap(Prm|Eff|Bnd):\t0*[1-9a-f]' "/proc/$pid/status" \
        && grep -qP '^NoNewPrivs:\t1$' "/proc/$pid/status"
}

read_only_root() {
    local pid
    pid=$(container inspect --format '{{.State.Pid}}' "$net-$1") || return
    grep -E '^[^ ]+ [^ ]+ [^ ]+ / / ro[, ]' "/proc/$pid/mountinfo"
}

has_no_shell() {
    ! container exec "$net-$1" /bin/sh -c true && ! container exec "$net-$1" sh -c true
}

# verify ROW STATUS VERDICT FILTER: POST /verify with the caller of this row of the sandbox's table.
verify() {
    local status
    container logs "$net-sts" | python3 "$here/image.d/caller.py" "$1" > "$work/question.json" || return
    status=$(ip netns exec "$net" curl --silent --show-error --noproxy '*' --header 'content-type: application/json' \
        --data "@$work/question.json" --dump-header "$work/headers" --output "$work/answer.json" \
        --write-out '%{http_code}' http://127.0.0.1:8080/verify) || return
    cat "$work/headers" "$work/answer.json"
    [[ $status == "$2" ]] && grep -qi "^x-sts-verdict: $3"$'\r''$' "$work/headers" && jq --exit-status "$4" "$work/answer.json"
}

# No line contains the secrets of the last request, and every line is one object.
log_is_sound() {
    container logs "$net-$1" > "$work/log" 2>&1 \
        && jq --exit-status --slurp 'length > 1 and all(has("timestamp") and has("level") and has("message"))' "$work/log" \
        && ! jq --raw-output '.stsSecretKey, .stsSessionToken' "$work/question.json" \
        | grep --fixed-strings --quiet --file=- "$work/log"
}

stops() {
    container stop "$net-$1" && [[ $(container inspect --format '{{.State.ExitCode}}' "$net-$1") == 0 ]]
}

exits_with() {
    local expected=$1 code=0
    shift
    container run --rm "${flags[@]}" --read-only --cap-drop=ALL "$@" || code=$?
    ((code == expected))
}

check_running() {
    local flags service=sts-verify-sandboxed
    run_flags
    ip netns add "$net"
    ip -n "$net" link set lo up

    check "the sandbox starts" start sts
    check "the sandbox is healthy" healthy sts
    check "the service starts with the sandbox as its STS" start "$service"
    check "the service is healthy" healthy "$service"
    check "it runs as 65532, without a capability, and can gain none" confined "$service"
    check "its root is read-only" read_only_root "$service"
    check "no shell can be started in it" has_no_shell "$service"
    check "a good credential is valid" verify "an IAM user, with a path" 200 valid \
        '.aws_res.Account == "123456789012" and (.aws_res.Arn | startswith("arn:aws:iam::123456789012:user/"))'
    check "an expired one is ExpiredToken" verify ExpiredToken 400 invalid \
        'keys_unsorted == ["exception", "error_code", "error_message"] and .error_code == "ExpiredToken"'
    check "the log is one object a line, and has no secret" log_is_sound "$service"
    check "SIGTERM ends the service with 0" stops "$service"
    check "SIGTERM ends the sandbox with 0" stops sts

    check "the service starts with AWS as its STS, which needs the CA roots" start sts-verify
    check "that one is healthy" healthy sts-verify
    check "SIGTERM ends it with 0" stops sts-verify
    check "without the CA roots it would not have started" exits_with 64 --env SSL_CERT_FILE=/nowhere "$image"
    check "the health check fails where nothing listens" exits_with 1 "$image" healthcheck
}
