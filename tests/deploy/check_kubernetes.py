"""Renders everything in deploy/kubernetes, validates it, and checks its documented properties.

check_kubernetes.py FOLDER      the rendered files stay there
"""

import os
import pathlib
import re
import sys

import kubernetes_promises as promises
import program
import schemas
import yaml
from claims import Claims

HERE = program.ROOT / "deploy/kubernetes"


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
    """A kustomization as a user would write it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        # The objects of a component get the namespace of the kustomization that uses it.
        "namespace": yaml.safe_load((HERE / "overlays" / overlay / "kustomization.yaml").read_text())["namespace"],
        "resources": [os.path.relpath(HERE / "overlays" / overlay, folder)],
        "components": [os.path.relpath(component, folder) for component in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def check_names(claims):
    """Whether everything that is set has an effect."""
    strange = program.unknown(program.named_in("deploy/kubernetes"))
    claims.none("every variable named in deploy/kubernetes is one that the program knows", strange)


def check_compose(claims, name, services):
    """docker-compose.yml limits memory, too; tests/conformance/image runs it."""
    for service in (entry for entry in services.values() if entry.get("command") != ["sandbox"]):
        # ${NAME:-default}, where the caller may say otherwise.
        given = {key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value or "")) for key, value in service["environment"].items()}
        limit, needed = program.mebibytes(service["mem_limit"]), program.memory_needed(given)
        claims.true(f"{name}: the memory limit is enough for what the limits allow", limit >= needed,
                    f"({limit}, needed {needed:.0f} MiB)")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    claims = Claims("kubernetes")
    rendered = {}
    for name, path in kustomizations(folder).items():
        done = schemas.run("kubectl", "kustomize", str(path))
        claims.none(f"{name}: kubectl renders it", done.stderr.strip())
        if done.returncode == 0:
            rendered[name] = list(yaml.safe_load_all(done.stdout))
    for name, objects in rendered.items():
        schemas.validate(claims, name, objects, folder)
        promises.check(claims, name, objects, promises.check_namespace, promises.check_open)
    check_names(claims)
    claims.each([check_compose], "compose", yaml.safe_load(program.read("docker-compose.yml"))["services"])
    claims.each([promises.check_sandbox], "sandbox", rendered["overlays/sandbox"])
    claims.each([promises.check_production], "production", rendered["overlays/production"])
    claims.each([promises.check_tls], "TLS", (rendered["components/tls"], rendered["overlays/production"]))
    claims.each([promises.check_redis], "Redis", rendered["components/redis"])
    for gates in ("overlays/gates", "components/policies"):
        claims.each([promises.check_gates], gates, rendered[gates])
    accepted = promises.environment(rendered["overlays/gates"])["STS_VERIFY_ACCEPT"]
    claims.equal("overlays/gates: no secret is taken", accepted, "signed-requests,web-identity-tokens")
    shown = (program.ROOT / "deploy/gates/policies.toml").read_text()
    claims.equal("overlays/gates: its policies are those of deploy/gates", (HERE / "overlays/gates/policies.toml").read_text(), shown)
    claims.each([promises.check_monitor], "monitor", rendered["components/servicemonitor"])
    return claims.close()


if __name__ == "__main__":
    sys.exit(main())
