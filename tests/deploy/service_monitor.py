"""Whether an object is a ServiceMonitor, by the types made from the Prometheus Operator's own CRDs."""

from cloudcoil.models.prometheus_operator import v1
from pydantic import ValidationError


def problems(item):
    """The errors; None if there are none."""
    try:
        parsed = v1.ServiceMonitor.model_validate(item)
    except ValidationError as error:
        return str(error)
    # Unknown fields are ignored silently, and are missing when the object is written again.
    again = parsed.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return None if again == item else f"it has fields that a ServiceMonitor has not: {item} became {again}"
