"""The reason of a failure in a model container's answer. Needs none of Google's packages."""

from __future__ import annotations

import msgspec


class _Answer(msgspec.Struct):
    error: str


def container_reason(text: str) -> str:
    """Return the sentence in a container's refusal, which platforms pass on as its JSON body.

    TensorFlow Serving's is `{ "error": SENTENCE }`; any other text is returned as it is.
    """
    try:
        return msgspec.json.decode(text, type=_Answer).error
    except msgspec.DecodeError:
        return text
