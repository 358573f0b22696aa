"""Turns docker-compose.yml, as Docker Compose reads it, into arguments for podman, so that the two cannot drift apart.

    docker compose config --format json | compose.py run SERVICE       the arguments of `podman run`, NUL after each
    docker compose config --format json | compose.py health SERVICE    the command of its own health check, if it has one
    docker compose config --format json | compose.py services          the names of all services, one a line

An unknown setting of a service is an error, because it would not be tested.
"""

import json
import re
import sys

# Settings that are not about the container itself: how the image is built, when the service is started, and where it is
# reachable. The test handles these itself, or does not need them (restart).
ELSEWHERE = {"build", "depends_on", "healthcheck", "networks", "profiles", "restart", "image", "command", "ports"}


def seconds(duration):
    """Compose's 1m30s as a number."""
    units = {"h": 3600, "m": 60, "s": 1}
    parts = re.findall(r"(\d+)([hms])", duration)
    if "".join(number + unit for number, unit in parts) != duration:
        sys.exit(f"compose.py: cannot read the duration {duration}")
    return sum(int(number) * units[unit] for number, unit in parts)


def setting(name, value):
    """One setting of a service as arguments of podman run."""
    if name == "environment":
        # A variable without a value is one that was not set where compose ran.
        return [f"--env={key}={text}" for key, text in value.items() if text is not None]
    if name == "cap_drop":
        return [f"--cap-drop={capability}" for capability in value]
    if name == "security_opt":
        return [f"--security-opt={option}" for option in value]
    if name == "read_only":
        return ["--read-only"] if value else []
    if name == "mem_limit":
        return [f"--memory={value}"]
    if name == "stop_grace_period":
        return [f"--stop-timeout={seconds(value)}"]
    if name == "entrypoint" and value is None:
        return []
    sys.exit(f"compose.py: docker-compose.yml has {name}, which the test does not support")


def run(service):
    """All arguments of podman run, the image excepted, which the caller puts before the command."""
    for port in service["ports"]:
        if port.get("host_ip") != "127.0.0.1":
            sys.exit(f"compose.py: port {port['published']} is open to other machines")
    arguments = [text for name, value in service.items() if name not in ELSEWHERE for text in setting(name, value)]
    return arguments + [service["image"]] + (service["command"] or [])


def main():
    services = json.load(sys.stdin)["services"]
    what = sys.argv[1]
    if what == "services":
        print(*services, sep="\n")
        return
    service = services[sys.argv[2]]
    words = run(service) if what == "run" else service.get("healthcheck", {}).get("test", [])[1:]
    sys.stdout.write("".join(word + "\0" for word in words))


if __name__ == "__main__":
    main()
