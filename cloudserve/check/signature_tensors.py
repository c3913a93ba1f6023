"""Rules on the tensors of signatures: what a request feeds, and what it fetches.

Sources: `PreProcessPrediction` in tensorflow_serving/servables/tensorflow/predict_util.cc, which
takes dtypes from requests; `DirectSession::SendPlaceholder` and `CheckFetch` in
tensorflow/core/common_runtime/direct_session.cc. JSON requests have the signature's dtypes
(tensorflow_serving/util/json_tensor.cc).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.subject import Rule, Subject
from cloudserve.hints import printable
from cloudserve.savedmodel.checks.roots import tensor_names
from cloudserve.savedmodel.definitions import REF_OFFSET
from cloudserve.savedmodel.dtypes import dtype_name
from cloudserve.savedmodel.graph import node_name
from cloudserve.savedmodel.signature import PREDICT_METHOD, Signature, TensorSpec, read_shape

_AGAIN = "export the model again: the signature was made for another graph"
_REFUSED = "TensorFlow Serving refuses every request for it"
_PLACEHOLDER = "Placeholder"
_FIRST_WITH_SCALARS = 24
"""The first version of graphs whose placeholders have the shape `[]` for a scalar only: before, it
is an unknown one (`Placeholder` in tensorflow/core/ops/array_ops.cc)."""


def unfed_input(subject: Subject) -> Iterator[Finding]:
    """Find placeholders that an answer needs and no request can feed."""
    graph, definitions = subject.graph, subject.meta_graph.signature_def
    for one in subject.model.signatures:
        definition = definitions[one.name]
        fed = frozenset(map(node_name, tensor_names(definition.inputs.values())))
        needed = graph.ancestors(tensor_names(definition.outputs.values()), fed)
        unfed = sorted(node.name for node in needed if node.op == _PLACEHOLDER)
        if unfed:
            yield Finding(
                "unfed-input",
                Severity.ERROR,
                f"its outputs need {printable(unfed[0])}, which is not one of its inputs",
                "every request fails with `You must feed a value for placeholder tensor`",
                "export the model with it as an input, or with a default: "
                "tf.compat.v1.placeholder_with_default",
                one.name,
            )


def no_output(subject: Subject) -> Iterator[Finding]:
    """Find signatures that answer nothing."""
    for one in subject.model.signatures:
        if not one.outputs:
            yield Finding(
                "no-output",
                Severity.ERROR,
                "it has no output",
                _REFUSED,
                "export the model again with the tensors that it answers",
                one.name,
            )


def mismatched_signature(subject: Subject) -> Iterator[Finding]:
    """Find inputs and outputs that are not as the graph's tensors are."""
    for one in subject.model.signatures:
        yield from _twice(one)
        for side, specs in (("input", one.inputs), ("output", one.outputs)):
            for spec in specs:
                if spec.tensor_name and not spec.components:
                    yield from _tensor(subject, one, side, spec)


def _twice(signature: Signature) -> Iterator[Finding]:
    counts = Counter(one.tensor_name for one in signature.inputs if one.tensor_name)
    for tensor, count in counts.items():
        if count > 1:
            text = f"{count} of its inputs are the tensor {printable(tensor)}"
            yield _mismatch(Severity.ERROR, text, _REFUSED, signature.name)


def _tensor(
    subject: Subject, signature: Signature, side: str, spec: TensorSpec
) -> Iterator[Finding]:
    try:
        dtype = subject.scopes[0].dtype(spec.tensor_name)
    except IndexError:
        text = f"{side} {spec.alias} is {printable(spec.tensor_name)}, which its node does not have"
        yield _mismatch(Severity.ERROR, text, _REFUSED, signature.name)
        return
    real = dtype_name((dtype or 0) % REF_OFFSET)
    if dtype and spec.dtype.removesuffix("_ref") != real:
        yield _dtype(signature, side, spec, real)
    yield from _shape(subject, signature.name, side, spec)


def _dtype(signature: Signature, side: str, spec: TensorSpec, real: str) -> Finding:
    text = f"{side} {spec.alias} is {spec.dtype} in the signature and {real} in the graph"
    if side == "output":
        severity = Severity.WARNING
        why = "clients that read the signature expect another type than the answers have"
    elif signature.method_name == PREDICT_METHOD:
        severity = Severity.ERROR
        why = "a JSON request is read as the signature says, and the graph refuses it"
    else:  # Classify and Regress feed strings, whatever the signature says
        severity = Severity.WARNING
        why = "a Predict request in JSON is read as the signature says, and the graph refuses it"
    return _mismatch(severity, text, why, signature.name)


def _shape(subject: Subject, signature: str, side: str, spec: TensorSpec) -> Iterator[Finding]:
    real = _graph_shape(subject, spec.tensor_name)
    is_unstated = spec.shape == () and subject.model.tensorflow_version.startswith(("0.", "1."))
    if real is None or spec.shape is None or is_unstated:
        return
    is_other = len(real) != len(spec.shape) or any(
        a is not None and b is not None and a != b for a, b in zip(real, spec.shape, strict=True)
    )
    if is_other:
        graph = TensorSpec(spec.alias, spec.tensor_name, spec.dtype, real).type
        text = f"{side} {spec.alias} is {spec.type} in the signature and {graph} in the graph"
        why = (
            "a request of the signature's shape may fail, or is answered in another shape"
            if side == "input"
            else "clients that read the signature expect answers of another shape"
        )
        yield _mismatch(Severity.WARNING, text, why, signature)


def _graph_shape(subject: Subject, tensor: str) -> tuple[int | None, ...] | None:
    """Return the shape of a placeholder, None if the graph does not state it."""
    node = subject.graph.nodes.get(node_name(tensor))
    if node is None or node.op != _PLACEHOLDER or "shape" not in node.attr:
        return None
    shape = read_shape(node.attr["shape"].shape)
    is_old = subject.meta_graph.graph_def.versions.producer < _FIRST_WITH_SCALARS
    return None if shape == () and is_old else shape


def _mismatch(severity: Severity, text: str, why: str, signature: str) -> Finding:
    return Finding("mismatched-signature", severity, text, why, _AGAIN, signature)


RULES: tuple[Rule, ...] = (unfed_input, no_output, mismatched_signature)
