"""Metrics in Prometheus' text format, line for line as TensorFlow Serving prints them.

Source: tensorflow_serving/util/prometheus_exporter.cc. A `# TYPE` line and no
`# HELP`, braces even without labels, metrics sorted by name. Sums are printed with all digits,
where C++ prints six, and line ends in labels are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable

from .instruments import Metric, Sample

CONTENT_TYPE = "text/plain"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def expose(metrics: Iterable[Metric]) -> bytes:
    """Return the current values of metrics; invalid UTF-8 in label values is replaced."""
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
    """Return the shortest text that reads back as the same number."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
