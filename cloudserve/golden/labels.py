"""The accuracy of answers: the share of labelled instances that are answered right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudserve.errors import UserError
from cloudserve.plural import counted

Label = int | float | str


def count_right(answer: Mapping[str, Any], labels: Sequence[Label], output: str, where: str) -> int:
    """Return how many instances of an answer have their label.

    The answer to an instance is a label, or a list of scores, whose greatest names the class by its
    position. Raises UserError if the answer has another form, or several outputs and `output` names
    none of them.
    """
    predictions = answer.get("predictions")
    if not isinstance(predictions, list) or len(predictions) != len(labels):
        raise UserError(
            f"an answer to {counted(len(labels), 'label')} needs as many `predictions`",
            where=where,
            hint="write the request with `instances`, one for each label",
        )
    pairs = zip(predictions, labels, strict=True)
    return sum(_chosen(prediction, output, where) == label for prediction, label in pairs)


def _chosen(prediction: Any, output: str, where: str) -> Label:
    if isinstance(prediction, dict):
        if output not in prediction:
            raise UserError(
                f"the answer has no output `{output}` to compare labels with",
                where=where,
                hint=f"set `label` in the header to one of {', '.join(sorted(prediction))}",
            )
        prediction = prediction[output]
    if isinstance(prediction, list):
        return _greatest(prediction, where)
    if isinstance(prediction, str | int | float):
        return prediction
    raise _no_label(where)


def _greatest(scores: list[Any], where: str) -> Label:
    if len(scores) == 1 and isinstance(scores[0], str | int | float):
        value: Label = scores[0]
        return value
    if not scores or not all(isinstance(score, int | float) for score in scores):
        raise _no_label(where)
    return scores.index(max(scores))


def _no_label(where: str) -> UserError:
    return UserError(
        "the answer is neither a label nor a list of scores",
        where=where,
        hint="set `label` in the header to the output with the scores of the classes",
    )
