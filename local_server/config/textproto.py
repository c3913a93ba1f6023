"""Text-proto files, parsed as TensorFlow Serving does (`ParseProtoTextFile`)."""

from __future__ import annotations

import logging
from pathlib import Path

from google.protobuf import text_format

from cloudserve.protos import Message

from ..status import Code, FileStatusError

logger = logging.getLogger(__name__)


def parse_text_file(path: Path, message_class: Message) -> Message:
    """Read a text-proto file.

    Raises FileStatusError: NOT_FOUND if the file does not exist, INVALID_ARGUMENT
    `Invalid protobuf file: '<path>'` if it is not such a message; position and reason are logged,
    as by protobuf's C++ parser.
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
    """Parse a message in text form; raises ValueError with `LINE:COLUMN: reason`.

    A UTF-8 byte order mark, which editors of Windows write, is skipped.
    """
    try:
        return text_format.Parse(text.decode("utf-8-sig"), message_class())
    except text_format.ParseError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
