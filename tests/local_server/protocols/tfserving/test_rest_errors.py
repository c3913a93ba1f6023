"""Errors over REST."""

import pytest
from cloudserve.local_server.protocols.errors import error_body, http_status
from cloudserve.local_server.status import Code

HTTP = {
    200: {Code.OK},
    400: {Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.OUT_OF_RANGE},
    401: {Code.UNAUTHENTICATED},
    403: {Code.PERMISSION_DENIED},
    404: {Code.NOT_FOUND},
    409: {Code.ALREADY_EXISTS, Code.ABORTED},
    429: {Code.RESOURCE_EXHAUSTED},
    499: {Code.CANCELLED},
    500: {Code.UNKNOWN, Code.INTERNAL, Code.DATA_LOSS},
    501: {Code.UNIMPLEMENTED},
    503: {Code.UNAVAILABLE},
    504: {Code.DEADLINE_EXCEEDED},
}


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_http_status(code):
    assert code in HTTP[http_status(code)]


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("no", b'{\n    "error": "no"\n}'),
        ('a "b"\n\té', b'{\n    "error": "a \\"b\\"\\n\\t\xc3\xa9"\n}'),
        ("\udcff", b'{\n    "error": "\xff"\n}'),
    ],
)
def test_an_error_is_one_key_indented_by_four(message, body):
    assert error_body(message) == body
