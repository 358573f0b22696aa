"""Lints and renders the chart in many ways, and checks its documented properties.

check_helm.py FOLDER      the rendered and packaged files stay there
"""

import pathlib
import sys

import chart
import helm_promises
import kubernetes_promises as promises
import program
import schemas
from claims import Claims
from helm_python import chart as helm
from helm_python.registry import RegistryClient, pull
from registry import Registry

DIGEST = "sha256:" + "0123456789abcdef" * 4
POLICY = '[policy.reports]\naccounts = ["123456789012"]\n'
REDIS = {"STS_VERIFY_REDIS_URL": {"name": "redis", "key": "url"}}


def variants():
    """Sets of values by their titles: first those whose pods accept requests from anywhere, then the others."""
    production, gates = chart.values_of("production"), chart.values_of("gates")
    open_to_all = {
        "the defaults": {},
        "examples/sandbox": chart.values_of("sandbox"),
        "examples/production": production,
        "digests in the values": {"apiKeys": {"digests": [f"{DIGEST} team-a", DIGEST]}},
        "no API keys": {"apiKeys": {"enabled": False}},
        "TLS": {"tls": {"enabled": True}},
        "a policies file": {"policies": {"toml": POLICY}},
        "a policies file of one's own": {"policies": {"existingConfigMap": "policies"}},
        "a CA bundle": {"caBundle": {"existingConfigMap": "roots"}},
        "Redis": {"settingsFromSecrets": REDIS},
        "a fixed number of pods": {"autoscaling": {"enabled": False}, "replicas": 5},
        "a ServiceMonitor": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
        "a large number": {"settings": {"STS_VERIFY_MAX_BODY_BYTES": 10000000}},
        "a Service for others": {"service": {"type": "LoadBalancer", "annotations": {"a/b": "c"}}},
        "where pods run": {
            "nodeSelector": {"kubernetes.io/arch": "arm64"},
            "tolerations": [{"key": "spot", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "high",
            "podLabels": {"team": "a"},
            "podAnnotations": {"a/b": "c"},
            "image": {"pullSecrets": ["login"]},
        },
    }
    everything = chart.merged(
        *open_to_all.values(), production, gates, {"sandbox": False, "apiKeys": {"enabled": True}}
    )
    everything["policies"] = {"existingConfigMap": "policies"}
    return open_to_all, {"examples/gates": gates, "everything": everything}


def check_variants(claims, folder):
    open_to_all, narrowed = variants()
    rendered = {}
    for name, values in (open_to_all | narrowed).items():
        claims.none(f"{name}: helm lint reports nothing", chart.lint(values))
        rendered[name] = chart.objects(values)
        schemas.validate(claims, name, rendered[name], folder)
        more = [promises.check_open] if name in open_to_all else []
        promises.check(claims, name, rendered[name], helm_promises.check_release, *more)
    claims.each([promises.check_sandbox], "sandbox", rendered["examples/sandbox"])
    claims.each([promises.check_production], "production", rendered["examples/production"])
    claims.each([promises.check_tls], "TLS", (rendered["TLS"], rendered["the defaults"]))
    claims.each([promises.check_monitor], "monitor", rendered["a ServiceMonitor"])
    claims.each([helm_promises.check_gates], "gates", rendered["examples/gates"])
    claims.each([helm_promises.check_keys], "digests", rendered["digests in the values"])
    claims.each([helm_promises.check_number], "large numbers", rendered["a large number"])


def check_package(claims, folder):
    """Pushes the chart to a registry, as a release does, and pulls it, as a user does."""
    archive = pathlib.Path(helm.package(chart.PATH, destination=folder))
    with Registry(folder / "registry") as registry, RegistryClient(plain_http=True) as client:
        client.push(archive, f"oci://{registry.address}/charts")
        reference = f"oci://{registry.address}/charts/sts-verify"
        claims.equal("a registry lists the version that was pushed", client.tags(reference), [program.version()])
        pulled = folder / "pulled"
        pulled.mkdir(exist_ok=True)
        pull(reference, client=client, version=program.version(), destination=pulled, plain_http=True)
    (again,) = pulled.glob("*.tgz")
    claims.equal("the pulled chart equals the pushed chart", helm.digest(again), helm.digest(archive))
    same = chart.texts({}, path=again) == chart.texts({})
    claims.true("it renders the same as the folder", same)
    with helm.Chart.load(again) as loaded:
        files = {file["name"] for file in loaded.files}
    wanted = {"README.md", *(f"examples/{path.relative_to(chart.EXAMPLES)}" for path in chart.EXAMPLES.rglob("*.yaml"))}
    claims.equal("it contains README and examples, and nothing else", files, wanted)


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    claims = Claims("helm")
    check_variants(claims, folder)
    claims.each(helm_promises.OF_THE_CHART, "the chart", folder)
    check_package(claims, folder)
    return claims.close()


if __name__ == "__main__":
    sys.exit(main())
