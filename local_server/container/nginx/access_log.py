"""The lines of the container's access log.

Source: aws/sagemaker-tensorflow-serving-container, `nginx.conf.template`: `access_log /dev/stdout
combined`; nginx, module ngx_http_log_module, "combined". Which address and agent SageMaker's
requests have is not documented.
"""

from __future__ import annotations

from datetime import datetime

from ..types import Answer

_ADDRESS, _AGENT = "127.0.0.1", "-"


def access_line(path: str, answer: Answer, now: datetime) -> str:
    """Return the line of a POST request."""
    time, size = now.strftime("%d/%b/%Y:%H:%M:%S %z"), len(answer.body)
    return f'{_ADDRESS} - - [{time}] "POST {path} HTTP/1.1" {answer.status} {size} "-" "{_AGENT}"'
