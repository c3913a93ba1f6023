"""Messages of Classify, Regress and MultiInference: examples in, classes and values out.

Source: tensorflow_serving/apis/{input,classification,regression}.proto.
"""

from __future__ import annotations

from ....codecs.examples import check_examples
from ....inference.types import Classifications, Regressions
from ....transport.grpc_types import Message


def read_examples(request: Message) -> list[bytes]:
    """Return the serialized Examples of a request's `input`, each preceded by the context.

    Concatenated messages merge (protobuf, "Last one wins"), so an example's features override its
    context's. Raises StatusError (RESOURCE_EXHAUSTED) for more memory than `Room` has.
    """
    if request.input.WhichOneof("kind") == "example_list_with_context":
        listed = request.input.example_list_with_context
        context = listed.context.SerializeToString()
    else:
        listed, context = request.input.example_list, b""
    check_examples(len(listed.examples), len(context))
    return [context + example.SerializeToString() for example in listed.examples]


def write_classifications(result: Message, answer: Classifications) -> None:
    """Write a `ClassificationResult`; invalid UTF-8 in labels is replaced."""
    for labels, scores in zip(answer.labels.tolist(), answer.scores.tolist(), strict=True):
        classes = result.classifications.add().classes
        for label, score in zip(labels, scores, strict=True):
            classes.add(label=label.decode("utf-8", "replace"), score=score)


def write_regressions(result: Message, answer: Regressions) -> None:
    """Write a `RegressionResult`."""
    for value in answer.values.tolist():
        result.regressions.add(value=value)
