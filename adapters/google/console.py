"""Pages of Google's console that an error points to. Pure functions."""

from __future__ import annotations

from urllib.parse import quote

_CONSOLE = "https://console.cloud.google.com"


def endpoint_log(project: str, endpoint: str) -> str:
    """Return where the log of a Vertex AI endpoint's containers is."""
    return _log(project, "aiplatform.googleapis.com/Endpoint", {"endpoint_id": endpoint})


def version_log(project: str, model: str, version: str) -> str:
    """Return where the log of an AI Platform version is."""
    return _log(project, "cloudml_model_version", {"model_id": model, "version_id": version})


def quotas(project: str) -> str:
    """Return where a project's quotas are seen and raised."""
    return f"{_CONSOLE}/iam-admin/quotas?project={project}"


def _log(project: str, resource: str, labels: dict[str, str]) -> str:
    lines = [f'resource.type="{resource}"']
    lines += [f'resource.labels.{name}="{value}"' for name, value in labels.items()]
    query = quote("\n".join(lines), safe="")
    return f"{_CONSOLE}/logs/query;query={query}?project={project}"
