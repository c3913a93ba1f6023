"""A copy of a SavedModel's files with another MetaGraph."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from google.protobuf.message import DecodeError, EncodeError

from cloudserve.errors import ModelError, UserError
from cloudserve.savedmodel.files import check_protobuf_size, read_file
from cloudserve.savedmodel.tree import find_files

from ..messages import Message, message_class

MODEL_FILE = "saved_model.pb"
_FINGERPRINT = "fingerprint.pb"
"""A hash of the graph; TensorFlow only logs it, and loads a model without it."""

_REASON = re.compile(r"\[Errno [0-9]+\] ([^:]+)")


@contextmanager
def place_of(draft: Path, place: Path) -> Iterator[None]:
    """Let errors of a model's draft name its place: the draft is removed with them."""
    try:
        yield
    except ModelError as error:
        if not error.where or not error.where.startswith(str(draft)):
            raise
        message = error.message.replace(str(draft), str(place))
        raise ModelError(message, where=str(place), hint=error.hint) from error


def read_model(source: Path) -> Message:
    """Return the `SavedModel` message of a directory.

    Raises UserError for a model in another form, ModelError for a damaged one.
    """
    if not (source / MODEL_FILE).is_file():
        raise UserError(
            f"the model has no {MODEL_FILE}, the only form that can be changed",
            where=str(source),
            hint="export it again",
        )
    check_protobuf_size(source, MODEL_FILE)
    try:
        return message_class("tensorflow.SavedModel").FromString(read_file(source, MODEL_FILE))
    except DecodeError as error:
        raise ModelError(
            f"{MODEL_FILE} is not a SavedModel protobuf, or is truncated",
            where=str(source),
            hint="copy or export the model again",
        ) from error


def select(message: Message, tags: Iterable[str]) -> Message:
    """Return the MetaGraph with these tags, which the model has."""
    return next(one for one in message.meta_graphs if set(one.meta_info_def.tags) == set(tags))


def copy_model(source: Path, target: Path, message: Message) -> None:
    """Copy the files of a model with another `SavedModel` message; raises OSError.

    Raises ModelError for links that lead out of the model or in a circle, before anything is
    written.
    """
    find_files(source)
    try:
        shutil.copytree(source, target, symlinks=False)
    except shutil.Error as error:  # a list of all files that failed
        _, _, reason = error.args[0][0]
        match = _REASON.match(reason)
        raise OSError(0, match[1] if match else reason) from error
    write_model(target, message)


def write_model(folder: Path, message: Message) -> None:
    """Replace the `SavedModel` message of a directory; raises OSError, ModelError above 2 GB."""
    try:
        content = message.SerializeToString()
    except EncodeError as error:  # protobuf's limit
        raise ModelError(
            f"the changed {MODEL_FILE} has more than the 2 GB of a protobuf",
            where=str(folder),
            hint="keep the weights in variables, not in the graph",
        ) from error
    (folder / MODEL_FILE).write_bytes(content)
    (folder / _FINGERPRINT).unlink(missing_ok=True)
