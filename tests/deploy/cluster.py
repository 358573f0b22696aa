"""`kubectl` and `helm` as far as docs/deploying.md uses them, for a cluster that is a file.

cluster.py kubectl|helm ARGUMENTS... CLUSTER names the file, KUBECTL the real kubectl

The real kubectl and Helm itself render the objects. This program stores them as a cluster would, and does what
`rollout` and `rollback` do. An unknown command ends with exit code 2, so that a changed command is noticed.
"""

import argparse
import copy
import json
import os
import pathlib
import subprocess
import sys

import chart
import yaml


class Cluster:
    """The objects by kind and name, the releases of Helm, and the templates that the Deployment has had."""

    def __init__(self):
        self.path = pathlib.Path(os.environ["CLUSTER"])
        self.state = {"objects": {}, "releases": [], "templates": []}
        if self.path.exists():
            self.state = json.loads(self.path.read_text(encoding="utf-8"))

    def save(self):
        self.path.write_text(json.dumps(self.state), encoding="utf-8")

    def objects(self):
        return list(self.state["objects"].values())

    def put(self, item, namespace):
        about = item["metadata"]
        if item["kind"] != "Namespace":
            about.setdefault("namespace", namespace)
            assert about["namespace"] == namespace, f"{about['name']} is for {about['namespace']}, not {namespace}"
        self.state["objects"][f"{item['kind']}/{about['name']}"] = item
        if item["kind"] == "Deployment":
            template = item["spec"]["template"]
            if self.state["templates"][-1:] != [template]:
                self.state["templates"].append(copy.deepcopy(template))

    def remove(self, key):
        del self.state["objects"][key]


def kubectl_itself(*arguments, stdin=None):
    done = subprocess.run([os.environ["KUBECTL"], *arguments], input=stdin, text=True, capture_output=True, check=False)
    sys.stderr.write(done.stderr)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def kubectl(cluster, arguments):
    parser = argparse.ArgumentParser("kubectl")
    parser.add_argument("-n", "--namespace", default="default")
    commands = parser.add_subparsers(dest="command", required=True)
    apply = commands.add_parser("apply")
    source = apply.add_mutually_exclusive_group(required=True)
    source.add_argument("-f")
    source.add_argument("-k")
    rollout = commands.add_parser("rollout")
    rollout.add_argument("action", choices=["status", "undo"])
    rollout.add_argument("deployment")
    if "create" in arguments:
        return create(cluster, arguments)
    given = parser.parse_args(arguments)
    if given.command == "rollout":
        return roll(cluster, given)
    text = kubectl_itself("kustomize", given.k) if given.k else read(given.f)
    for item in yaml.safe_load_all(text):
        cluster.put(item, item["metadata"].get("namespace", given.namespace))
    return None


def read(name):
    return sys.stdin.read() if name == "-" else pathlib.Path(name).read_text(encoding="utf-8")


def create(cluster, arguments):
    """`create` with --dry-run=client is the real one; without it, its result is kept, once."""
    if "--dry-run=client" in arguments:
        sys.stdout.write(kubectl_itself(*arguments))
        return
    item = yaml.safe_load(kubectl_itself(*arguments, "--dry-run=client", "-o", "yaml"))
    key = f"{item['kind']}/{item['metadata']['name']}"
    if key in cluster.state["objects"]:
        sys.exit(f"Error from server (AlreadyExists): {key} already exists")
    cluster.put(item, item["metadata"]["namespace"])


def roll(cluster, given):
    deployment = cluster.state["objects"][f"Deployment/{given.deployment.removeprefix('deployment/')}"]
    if given.action == "undo":
        *_, before, _ = cluster.state["templates"]
        deployment["spec"]["template"] = copy.deepcopy(before)
        cluster.put(deployment, given.namespace)


def helm(cluster, arguments):
    parser = argparse.ArgumentParser("helm")
    commands = parser.add_subparsers(dest="command", required=True)
    upgrade = commands.add_parser("upgrade")
    upgrade.add_argument("--install", action="store_true", required=True)
    upgrade.add_argument("release")
    upgrade.add_argument("chart")
    upgrade.add_argument("--values", action="append", default=[])
    upgrade.add_argument("--set", action="append", default=[])
    rollback = commands.add_parser("rollback")
    rollback.add_argument("release")
    for command in (upgrade, rollback):
        command.add_argument("--namespace", required=True)
    given = parser.parse_args(arguments)
    releases = cluster.state["releases"]
    if given.command == "rollback":
        # To the previous release, as Helm does if no revision is given.
        return install(cluster, releases[-2], given.namespace)
    values = chart.merged(*(yaml.safe_load(read(name)) for name in given.values), *map(setting, given.set))
    return install(
        cluster, chart.objects(values, path=given.chart, name=given.release, namespace=given.namespace), given.namespace
    )


def setting(text):
    """`a.b=c`, as for --set. No name may contain a dot."""
    path, value = text.split("=", 1)
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def install(cluster, objects, namespace):
    """Stores a release. Objects that only the previous release had are removed."""

    def keys(items):
        return {f"{item['kind']}/{item['metadata']['name']}" for item in items}

    releases = cluster.state["releases"]
    for key in keys(releases[-1] if releases else []) - keys(objects):
        cluster.remove(key)
    for item in copy.deepcopy(objects):
        cluster.put(item, namespace)
    releases.append(objects)


def main():
    cluster = Cluster()
    {"kubectl": kubectl, "helm": helm}[sys.argv[1]](cluster, sys.argv[2:])
    cluster.save()


if __name__ == "__main__":
    main()
