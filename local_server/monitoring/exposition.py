"""Metrics in Prometheus' text form, line for line as TensorFlow Serving writes them.

Source: tensorflow_serving/util/prometheus_exporter.cc; tfserving.md 6.1. A `# TYPE` line and no
`# HELP`, braces even around no labels, metrics in the order of their names. Sums are written with
all their digits, where C++ cuts them to six, and line ends in labels are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable

from .instruments import Metric, Sample

CONTENT_TYPE = "text/plain"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def expose(metrics: Iterable[Metric]) -> bytes:
    """Return what metrics say at the moment; label values that are not UTF-8 lose what is not."""
    lines: list[str] = []
    for metric in sorted(metrics, key=lambda metric: metric.name):
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        lines.extend(_line(metric.name, sample) for sample in metric.samples())
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{_escape(value)}"' for key, value in sample.labels)
    return f"{name}{sample.suffix}{{{labels}}} {_number(sample.value)}"


def _escape(value: object) -> str:
    return str(value).translate(_ESCAPES)


def _number(value: float) -> str:
    """Write a number as short as it reads back the same."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
