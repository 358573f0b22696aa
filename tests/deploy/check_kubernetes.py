"""Renders all that deploy/kubernetes offers, has it validated, and checks what is promised of it.

check_kubernetes.py FOLDER      what was rendered is left there
"""

import os
import pathlib
import subprocess
import sys

import kubernetes_promises as promises
import program
import service_monitor
import yaml
from claims import Claims

HERE = program.ROOT / "deploy/kubernetes"

# The oldest that a hosted cluster can still have, and the newest that the validator knows.
VERSIONS = ("1.30", "1.37")


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)


def kustomizations(folder):
    """Every overlay as it is; each component on the sandbox; and production with all of them."""
    found = {f"overlays/{path.name}": path for path in sorted((HERE / "overlays").iterdir())}
    components = sorted((HERE / "components").iterdir())
    for component in components:
        found[f"components/{component.name}"] = combine(folder / component.name, "sandbox", [component])
    used = yaml.safe_load((HERE / "overlays/production/kustomization.yaml").read_text())["components"]
    others = [path for path in components if f"../../components/{path.name}" not in used]
    found["production with everything"] = combine(folder / "everything", "production", others)
    return found


def combine(folder, overlay, components):
    """A kustomization of one's own, as a user would write it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        # What a component adds is in the namespace of whoever uses it.
        "namespace": yaml.safe_load((HERE / "overlays" / overlay / "kustomization.yaml").read_text())["namespace"],
        "resources": [os.path.relpath(HERE / "overlays" / overlay, folder)],
        "components": [os.path.relpath(component, folder) for component in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def validate(claims, name, objects, folder):
    """By the tools: Kubernetes' schemas, and for what they don't have, the Operator's types."""
    core = [item for item in objects if not item["apiVersion"].startswith("monitoring.coreos.com/")]
    path = folder / (name.replace("/", "-").replace(" ", "-") + ".yaml")
    path.write_text(yaml.safe_dump_all(core))
    for version in VERSIONS:
        done = run("kubernetes-validate", "--strict", "--quiet", "-k", version, str(path))
        said = (done.stdout + done.stderr).strip()
        # It passes over what it has no schema of, with a warning.
        claims.none(
            f"{name}: valid for Kubernetes {version}",
            said or (f"exit code {done.returncode}" if done.returncode else None),
        )
    for item in objects:
        if item["kind"] == "ServiceMonitor":
            claims.none(f"{name}: the ServiceMonitor is one to the Prometheus Operator", service_monitor.problems(item))


def check_names(claims):
    """Whether everything that is set has an effect."""
    strange = program.unknown(program.named_in("deploy/kubernetes"))
    claims.none("every variable named in deploy/kubernetes is one that the program knows", strange)


def check_sandbox(claims, name, objects):
    claims.equal(f"{name}: STS is the stand-in", promises.environment(objects).get("STS_VERIFY_SANDBOX"), "true")
    claims.equal(f"{name}: nothing can be reached", promises.only(objects, "NetworkPolicy")["spec"]["egress"], [])


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    claims = Claims("kubernetes")
    rendered = {}
    for name, path in kustomizations(folder).items():
        done = run("kubectl", "kustomize", str(path))
        claims.none(f"{name}: kubectl renders it", done.stderr.strip())
        if done.returncode == 0:
            rendered[name] = list(yaml.safe_load_all(done.stdout))
    for name, objects in rendered.items():
        validate(claims, name, objects, folder)
        promises.check(claims, name, objects)
    check_names(claims)
    claims.each([check_sandbox], "sandbox", rendered["overlays/sandbox"])
    claims.each([promises.check_production], "production", rendered["overlays/production"])
    claims.each([promises.check_tls], "TLS", (rendered["components/tls"], rendered["overlays/production"]))
    claims.each([promises.check_redis], "Redis", rendered["components/redis"])
    for gates in ("overlays/gates", "components/gates"):
        claims.each([promises.check_gates], gates, rendered[gates])
    accepted = promises.environment(rendered["overlays/gates"])["STS_VERIFY_ACCEPT"]
    claims.equal("overlays/gates: no secret is taken", accepted, "signed-requests,web-identity-tokens")
    shown = (program.ROOT / "deploy/gates/policies.toml").read_text()
    claims.equal("overlays/gates: its policies are those of deploy/gates", (HERE / "overlays/gates/policies.toml").read_text(), shown)
    claims.each([promises.check_monitor], "monitor", rendered["components/servicemonitor"])
    return claims.close()


if __name__ == "__main__":
    sys.exit(main())
