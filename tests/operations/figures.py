"""Reads /metrics as Prometheus does."""

from prometheus_client.parser import text_string_to_metric_families

from service import request


class Figures:
    def __init__(self, service):
        text = request(service.address, "GET", "/metrics").body.decode()
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def sum(self, name, **labels):
        """The sum of the samples of that name that have these labels."""
        return sum(sample.value for sample in self.samples
                   if sample.name == name and labels.items() <= sample.labels.items())


def of_service(service):
    """What the service counted for /verify."""
    figures = Figures(service)

    def answered(**labels):
        return figures.sum("http_server_request_duration_seconds_count", http_route="/verify", **labels)
    return {
        "answered": answered(),
        "answered 200": answered(http_response_status_code="200"),
        "answered 503": answered(http_response_status_code="503"),
        "valid": figures.sum("sts_verify_total", verdict="valid"),
        "invalid": figures.sum("sts_verify_total", verdict="invalid"),
        "indeterminate": figures.sum("sts_verify_total", verdict="indeterminate"),
        "shed": figures.sum("sts_verify_shed_total"),
        "Overloaded": figures.sum("sts_verify_errors_total", code="Overloaded"),
        "ReadTimeoutError": figures.sum("sts_verify_errors_total", code="ReadTimeoutError"),
        "calls to STS": figures.sum("sts_request_duration_seconds_count"),
    }


def of_client(tally):
    """The same counts from the client's record."""
    def having(**wanted):
        return sum(all(getattr(answer, name) == value for name, value in wanted.items()) for answer in tally.answers)
    return {
        "answered": len(tally.answers),
        "answered 200": having(status=200),
        "answered 503": having(status=503),
        "valid": having(verdict="valid"),
        "invalid": having(verdict="invalid"),
        "indeterminate": having(verdict="indeterminate"),
        "shed": len(tally.shed),
        "Overloaded": having(code="Overloaded"),
        "ReadTimeoutError": having(code="ReadTimeoutError"),
        "calls to STS": len(tally.answers) - len(tally.shed),
    }


def hold_against_metrics(report, scenario, service, tally):
    """`tally` contains all requests that the service received."""
    counted, own = of_service(service), of_client(tally)
    report.holds(f"{scenario}: the counts in /metrics equal the client's", counted == own,
                 f"/metrics: {counted}", f"client: {own}")
    report.note(f"{scenario}: /metrics agrees with the client's record: "
                + ", ".join(f"{name} {count:.0f}" for name, count in counted.items() if count)
                if counted == own else f"{scenario}: /metrics disagrees with the client's record")
