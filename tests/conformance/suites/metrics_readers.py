"""/metrics with the Accept headers of Prometheus and other readers. Both formats are parsed by Prometheus' own client
for Python, which refuses violations of the specifications."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as classic

from report import Suite, equal
from service import Program, clean_this_process, request, verify

# Prometheus 2.49, 3.0, and 3.0 with native histograms, which it reads only from protobuf.
OPENMETRICS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
)
# Prometheus 2.49 with OpenMetrics switched off, Prometheus 2.5 (draft version), curl, and a client without Accept.
CLASSIC = (
    "text/plain;version=0.0.4;q=1,*/*;q=0.1",
    "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "*/*",
    None,
)
USER = {"AccessKeyId": "AKIASBXUSER00EXAMPLE", "SecretAccessKey": "sbx/USER00+NotARealSecret/Key0EXAMPLEKEY"}


def main():
    clean_this_process()
    suite = Suite("metrics")
    with Program("serve", "--sandbox") as program:
        # Every family has a series.
        equal(verify(program.address, USER).status, 200)
        equal(verify(program.address, USER | {"SecretAccessKey": "x" * 40}).status, 400)
        for number, accept in enumerate(OPENMETRICS):
            suite.check(f"OpenMetrics, {number}", lambda accept=accept: equal(
                read(program, accept)[0], "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        for number, accept in enumerate(CLASSIC):
            suite.check(f"the classic format, {number}", lambda accept=accept: equal(
                read(program, accept)[0], "text/plain; version=0.0.4; charset=utf-8"))
        suite.check("both parsers read the same", lambda: same(*(read(program, one[0])[1] for one in (OPENMETRICS, CLASSIC))))
    suite.close()


def read(program, accept):
    """The media type, and the families by name: their type, help, and samples without what differs each time."""
    response = request(program.address, "GET", "/metrics", headers={"Accept": accept} if accept else {})
    kind = response.headers["Content-Type"]
    parse = openmetrics if kind.startswith("application/openmetrics-text") else classic
    families = {family.name: family for family in parse(response.body.decode())}
    assert len(families) > 15, families
    unknown = [name for name, family in families.items() if family.type not in ("counter", "gauge", "histogram")]
    equal(unknown, [], "families of no known type")
    equal([sample.value for sample in families["build_info"].samples], [1.0], "build_info")
    equal(families["build_info"].type, "gauge", "type of build_info")
    return kind, families


def same(left, right):
    equal(sorted(left), sorted(right), "families")
    for name in left:
        equal(left[name].type, right[name].type, f"type of {name}")
        equal(left[name].documentation, right[name].documentation, f"help of {name}")
        names = [[(sample.name, sample.labels) for sample in side[name].samples] for side in (left, right)]
        equal(*map(sorted_by_text, names), f"samples of {name}")


def sorted_by_text(samples):
    return sorted(samples, key=str)


if __name__ == "__main__":
    main()
