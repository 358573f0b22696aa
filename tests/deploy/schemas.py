"""The tools that validate Kubernetes objects: Kubernetes' own schemas, and the types of the Prometheus Operator."""

import subprocess

import service_monitor
import yaml

# The oldest that a hosted cluster can still have, and the newest that the validator knows.
VERSIONS = ("1.30", "1.37")


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)


def validate(claims, name, objects, folder):
    """By the tools: Kubernetes' schemas, and for what they don't have, the Operator's types."""
    core = [item for item in objects if not item["apiVersion"].startswith("monitoring.coreos.com/")]
    path = folder / (name.replace("/", "-").replace(" ", "-") + ".yaml")
    path.write_text(yaml.safe_dump_all(core))
    for version in VERSIONS:
        done = run("kubernetes-validate", "--strict", "--quiet", "-k", version, str(path))
        said = (done.stdout + done.stderr).strip()
        # It skips objects without a schema, with a warning.
        claims.none(
            f"{name}: valid for Kubernetes {version}",
            said or (f"exit code {done.returncode}" if done.returncode else None),
        )
    for item in objects:
        if item["kind"] == "ServiceMonitor":
            claims.none(f"{name}: the ServiceMonitor is valid for the Prometheus Operator", service_monitor.problems(item))
