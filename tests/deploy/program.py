"""Names and defaults of settings from the program's sources, and the settings of its image."""

import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Read by a library, not by the program's own code.
BY_LIBRARIES = {"TOKIO_WORKER_THREADS"}

# Variables that a program without credentials must not have.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def seconds(text):
    """A duration as the settings spell it: 5s, 500ms, 10m."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def settings():
    """Each variable of the program, with its default where it has one."""
    found = {}
    for path in sorted((ROOT / "src/config").rglob("*.rs")):
        for attribute in re.findall(r"#\[arg\((.*?)\)\]", path.read_text(encoding="utf-8"), re.DOTALL):
            name = re.search(r'env = "([A-Z0-9_]+)"', attribute)
            default = re.search(r'default_value = "([^"]*)"', attribute)
            if name:
                found[name[1]] = default[1] if default else None
    assert len(found) > 20, "the settings were not found in the expected files"
    return found


def known():
    """Every variable that has an effect: the program's own, and those that --help says libraries read."""
    also = re.search(r'const ALSO_READ: &str = "(.*?)";', read("src/config/mod.rs"), re.DOTALL)[1]
    otel = set(re.findall(r"\bOTEL_[A-Z_]*[A-Z]\b", "".join(map(read, sources()))))
    # Each has a form for traces alone, which goes first.
    otel |= {name.replace("_OTLP_", "_OTLP_TRACES_") for name in otel if name.startswith("OTEL_EXPORTER_OTLP_")}
    return set(settings()) | set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", also)) | otel | BY_LIBRARIES


def sources():
    return [path.relative_to(ROOT) for path in (ROOT / "src").rglob("*.rs")]


def unknown(names):
    """The variables in this list that the program would ignore."""
    return sorted(set(names) - known())


def named_in(folder):
    """Every variable that a file under here names, in a comment, too."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*") if path.is_file()]
    return set(re.findall(r"\b(?:STS_VERIFY|AWS|OTEL)_[A-Z0-9_]*[A-Z0-9]\b", "\n".join(texts)))


def image():
    """The last stage of the Dockerfile: user, ports by setting, command of the health check."""
    text = re.sub(r"\\\n\s*", " ", read("Dockerfile").rsplit("\nFROM ", 1)[1])
    variables = dict(re.findall(r"([A-Z_]+)=(\S+)", re.search(r"^ENV (.*)$", text, re.MULTILINE)[1]))
    ports = {
        name: int(variables[name].rsplit(":", 1)[1]) for name in ("STS_VERIFY_LISTEN", "STS_VERIFY_METRICS_LISTEN")
    }
    exposed = [int(port) for port in re.search(r"^EXPOSE (.*)$", text, re.MULTILINE)[1].split()]
    assert sorted(ports.values()) == sorted(exposed), "the Dockerfile's exposed ports differ from its listeners"
    user = re.search(r"^USER (\S+)$", text, re.MULTILINE)[1]
    health = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", text, re.MULTILINE)[1]
    return {
        "user": user,
        "http": ports["STS_VERIFY_LISTEN"],
        "metrics": ports["STS_VERIFY_METRICS_LISTEN"],
        "health": re.findall(r'"([^"]+)"', health),
    }


def value(environment, name):
    """A setting as it is in this environment, where an empty variable is one that is not set."""
    return environment.get(name) or settings()[name]


def stopping(environment):
    """The maximum duration of a shutdown, in seconds."""
    return sum(seconds(value(environment, name)) for name in ("STS_VERIFY_STOP_DELAY", "STS_VERIFY_DRAIN_TIMEOUT"))


def longest_answer(environment):
    """The maximum time from a request's first byte to its answer, in seconds."""
    return sum(seconds(value(environment, name)) for name in ("STS_VERIFY_READ_TIMEOUT", "STS_VERIFY_DEADLINE"))


def memory_needed(environment):
    """The maximum memory of the process in this environment, in MiB: the formula in docs/scaling.md."""
    connections, in_flight, bodies = (int(value(environment, f"STS_VERIFY_MAX_{name}"))
                                      for name in ("CONNECTIONS", "IN_FLIGHT", "BODY_MEMORY"))
    return 40 + 1.25 * bodies / 2**20 + in_flight * 64 / 1024 + connections * 200 / 1024


def mebibytes(text):
    """An amount of memory as the platforms spell it: 512Mi, 512m, or 512 for ECS."""
    return int(re.fullmatch(r"(\d+)(Mi|m|)", str(text))[1])


def package():
    """Cargo.toml."""
    return tomllib.loads(read("Cargo.toml"))


def version():
    """The version of the program's package."""
    return package()["package"]["version"]


def repository():
    """The URL of the source, as the packages have it."""
    return package()["workspace"]["package"]["repository"]
