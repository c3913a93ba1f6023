"""What a transform job with DataProcessing needs: one format of its input and its output.

Sources: SageMaker developer guide, "Associate prediction results with input records"; API
reference, `DataProcessing`. The service takes a job without Accept and fails when it reads the
answers (sagemaker-tensorflow-serving-container#154), so that Accept may be missing here too. The
texts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...protocol.errors import invalid

CSV = "text/csv"
_FORMATS = (CSV, "application/json", "application/jsonlines")


def is_joined(job: Mapping[str, Any]) -> bool:
    """Return whether a job joins the records of its input with their answers."""
    return bool(job.get("DataProcessing", {}).get("JoinSource", "None") == "Input")


def check_processing(job: Mapping[str, Any]) -> None:
    """Raise AwsError for filters, and for formats that the service does not join."""
    for field in ("InputFilter", "OutputFilter"):
        if job.get("DataProcessing", {}).get(field, "$") != "$":
            raise invalid(f"{field} other than $ is not available offline.")
    if is_joined(job):
        _check_formats(job["TransformInput"], job["TransformOutput"])


def _check_formats(source: Mapping[str, Any], output: Mapping[str, Any]) -> None:
    kind = _format(source.get("ContentType", ""), "ContentType")
    accepted = _format(output.get("Accept", kind), "Accept")
    if (kind == CSV) != (accepted == CSV):
        raise invalid(
            f"JoinSource Input needs one format of the input and the output: ContentType is {kind}"
            f" and Accept {accepted}."
        )
    if kind != CSV:
        return
    for field, value in (
        ("SplitType", source.get("SplitType", "None")),
        ("AssembleWith", output.get("AssembleWith", "None")),
    ):
        if value != "Line":
            raise invalid(f"{field} must be Line to join {CSV}; it is {value}.")


def _format(text: str, field: str) -> str:
    """Return a content type without its parameters; raises AwsError for another format."""
    kind = text.partition(";")[0].strip().lower()
    if kind not in _FORMATS:
        allowed = ", ".join(_FORMATS)
        raise invalid(f"{field} of a job with JoinSource Input must be one of {allowed}.")
    return kind
