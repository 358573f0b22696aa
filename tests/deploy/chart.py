"""The chart of deploy/helm, linted and rendered by Helm itself, used as a library."""

import program
import yaml
from helm_python import chart as helm
from helm_python.errors import HelmError

PATH = program.ROOT / "deploy/helm/sts-verify"
EXAMPLES = PATH / "examples"
RELEASE = "sts-verify"
NAMESPACE = "sts-verify"


def values_of(name):
    """The values of an example."""
    return yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))


def merged(*many):
    """One set of values of several; later ones win, as with `helm --values`."""
    result = {}
    for values in many:
        for name, value in values.items():
            both = isinstance(value, dict) and isinstance(result.get(name), dict)
            result[name] = merged(result[name], value) if both else value
    return result


def texts(values, path=PATH, name=RELEASE, namespace=NAMESPACE):
    """The rendered files by their names; the notes are one."""
    with helm.Chart.load(path) as loaded:
        rendered = loaded.render(values, name=name, namespace=namespace)
    return {key.rsplit("/", 1)[1]: text for key, text in rendered.items()}


def objects(values, **where):
    """The rendered objects."""
    files = texts(values, **where).items()
    documents = [yaml.safe_load_all(text) for name, text in files if name != "NOTES.txt"]
    return [item for document in documents for item in document if item]


def refusal(values):
    """Why Helm does not render these values; None if it does."""
    try:
        texts(values)
    except HelmError as error:
        return str(error)
    return None


def lint(values):
    """The findings of `helm lint --strict`, except that the chart has no icon."""
    report = helm.lint(PATH, values, strict=True, namespace=NAMESPACE, kube_version="v1.30.0")
    said = [message["error"] for message in report["messages"] if message["error"] != "icon is recommended"]
    return said + report["errors"]
