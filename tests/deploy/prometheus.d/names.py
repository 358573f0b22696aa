"""Compares the names in deploy/ with the running program, and writes the files that promtool checks.

Prints a line for each check that passes, and ends at the first that fails.
"""

import json
import pathlib
import re
import sys

from service import ROOT, Program, request, verify

RULES = (ROOT / "deploy/prometheus/alerts.yml").read_text()
TESTS = (ROOT / "deploy/prometheus/alerts.test.yml").read_text()
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
DASHBOARD = ROOT / "deploy/grafana/sts-verify.json"
OF_PROMETHEUS = {"up", "ALERTS"}  # not exposed by the program
VARIABLES = {"$__rate_interval": "5m", "$job": ".*", "$instance": ".*"}  # Grafana's, as promtool can read them


def ok(holds, what, *found):
    print(f"ok: {what}" if holds else f"failed: {what}: {found}", flush=True)
    if not holds:
        sys.exit(1)


def exposed():
    """The metrics of a program that has given each kind of answer, so every family has a value. They are in Prometheus'
    text format, which `promtool check metrics` reads."""
    with Program("serve", "--sandbox", STS_VERIFY_POLICIES_FILE=ROOT / "deploy/gates/policies.toml") as program:
        assert request(program.address, "GET", "/auth/reports").status == 401
        good = {"AccessKeyId": "AKIASBXUSER00EXAMPLE", "SecretAccessKey": "sbx/USER00+NotARealSecret/Key0EXAMPLEKEY"}
        assert verify(program.address, good).status == 200
        assert verify(program.address, good | {"SecretAccessKey": "x" * 40}).status == 400
        return request(program.address, "GET", "/metrics").body.decode()


def names_in(text):
    """The names of samples, as expressions use them, also for families without a sample."""
    samples = {re.match(r"[a-zA-Z_:]+", line).group() for line in text.splitlines() if line and line[0] != "#"}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        samples |= {"counter": {name}, "histogram": {name + end for end in ("_bucket", "_count", "_sum")},
                    "gauge": {name}}.get(kind, set())
    return samples


def metrics_in(expression):
    """The metrics that an expression names: its words that are not functions, labels or keywords."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\{[^}]*\}", "{}", bare)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b(?!\s*\()", re.sub(r"\[[^]]*\]", "", bare))
    return {word for word in words if word not in {"and", "or", "unless", "bool", "offset", "by", "e"}}


def expressions_of_rules():
    """Each `expr`, on one line or in an indented block."""
    found = re.findall(r"^( +)expr: (\|\n(?:\1 +.*\n)+|.+\n)", RULES, re.M)
    return [text.removeprefix("|\n") for _, text in found]


def panels():
    dashboard = json.loads(DASHBOARD.read_text())
    return dashboard, [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def check_alerts():
    alerts = re.findall(r"^ +- alert: (\w+)$", RULES, re.M)
    ok(len(alerts) == len(set(alerts)) > 15, "alerts have names of their own", alerts)
    sections = re.findall(r"^## (\w+)$", RUNBOOK, re.M)
    ok(sections == alerts, "the runbook has a section for each alert, in their order", set(sections) ^ set(alerts))
    links = re.findall(r"runbook: docs/runbook.md#(\w+)$", RULES, re.M)
    ok(links == [name.lower() for name in alerts], "each alert leads to its section", links)
    parts = [section.split("\n## ")[0] for section in RUNBOOK.split("\n## ")[1:]]
    whole = [all(f"**{word}" in part for word in ("Means", "Callers see", "Look at")) for part in parts]
    ok(all(whole), "each section says what it means, what callers see and where to look", whole)
    fired = set(re.findall(r'alertname="(\w+)"', TESTS)) | set(re.findall(r"alertname: (\w+)", TESTS))
    ok(fired == set(alerts), "each alert fires in a test", fired ^ set(alerts))
    every = [RULES.count(f"\n          {word}: ") for word in ("summary", "description", "runbook")]
    ok(every == [len(alerts)] * 3, "each alert has summary, description and runbook", every)


def check_dashboard(metrics):
    dashboard, shown = panels()
    ids = [panel["id"] for panel in dashboard["panels"]]
    ok(len(ids) == len(set(ids)), "the dashboard's panels have ids of their own", ids)
    sources = {json.dumps(panel["datasource"]) for panel in shown}
    ok(sources == {'{"type": "prometheus", "uid": "${datasource}"}'}, "the data source is a variable", sources)
    expressions = [target["expr"] for panel in shown for target in panel["targets"]]
    expressions += [one["expr"] for one in dashboard["annotations"]["list"] if "expr" in one]
    named = set().union(*map(metrics_in, expressions))
    ok(named - OF_PROMETHEUS <= metrics, "the program exposes what the dashboard shows", named - OF_PROMETHEUS - metrics)
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metrics}
    unseen = families - {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}
    ok(unseen <= {"process_virtual_memory_bytes"}, "the dashboard shows what the program exposes", unseen)
    return expressions


def as_rules(expressions):
    """promtool parses expressions in files of rules; JSON is YAML."""
    for variable, value in VARIABLES.items():
        expressions = [text.replace(variable, value) for text in expressions]
    rules = [{"record": f"dashboard:{number}", "expr": text} for number, text in enumerate(expressions)]
    return json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}, indent=1)


def main():
    work = pathlib.Path(sys.argv[1])
    text = exposed()
    (work / "metrics.txt").write_text(text)
    metrics = names_in(text)
    ok(len(metrics) > 15, "the program exposes metrics", metrics)
    recorded = set(re.findall(r"^ +- record: (\S+)$", RULES, re.M))
    expressions = expressions_of_rules()
    ok(len(expressions) == RULES.count(" expr: "), "every expression of the rules was read", len(expressions))
    named = set().union(*map(metrics_in, expressions)) - OF_PROMETHEUS - recorded
    ok(named <= metrics, "the program exposes what the alerts need", named - metrics)
    check_alerts()
    (work / "dashboard.yml").write_text(as_rules(check_dashboard(metrics)))


main()
