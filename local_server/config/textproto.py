"""Text-proto files, read as TensorFlow Serving reads them (`ParseProtoTextFile`)."""

from __future__ import annotations

import logging
from pathlib import Path

from google.protobuf import text_format

from cloudserve.protos import Message

from ..status import Code, FileStatusError

logger = logging.getLogger(__name__)


def parse_text_file(path: Path, message_class: Message) -> Message:
    """Read a text-proto file.

    Raises FileStatusError: NOT_FOUND for a file that is not there, INVALID_ARGUMENT
    `Invalid protobuf file: '<path>'` for one that is not such a message; where and why is logged,
    as protobuf's C++ parser does.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise FileStatusError(Code.NOT_FOUND, f"{path}; {error.strerror}") from error
    try:
        return parse_text_proto(text, message_class)
    except ValueError as error:
        name = message_class.DESCRIPTOR.full_name
        logger.error("Error parsing text-format %s: %s", name, error)  # noqa: TRY400  not a defect
        raise FileStatusError(Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{path}'") from error


def parse_text_proto(text: bytes, message_class: Message) -> Message:
    """Parse a message in text form; raises ValueError with `LINE:COLUMN: what is wrong`.

    The UTF-8 byte order mark that editors of Windows write first is skipped.
    """
    try:
        return text_format.Parse(text.decode("utf-8-sig"), message_class())
    except text_format.ParseError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
