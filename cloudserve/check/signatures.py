"""Rules on signatures: what a request cannot send, and what an answer cannot carry.

The rules on JSON are those of tensorflow_serving/util/json_tensor.cc; SageMaker's TensorFlow
container, Vertex AI's and AI Platform's prebuilt containers take predictions as JSON alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from cloudserve.check.finding import Finding, Severity
from cloudserve.check.subject import Rule, Subject
from cloudserve.savedmodel.checks.contract import DEFAULT_SIGNATURE
from cloudserve.savedmodel.checks.tensor_rules import JSON_DTYPES
from cloudserve.savedmodel.signature import METHODS, PREDICT_METHOD, Signature, TensorSpec

_JSON_ONLY = "JSON is the only form that SageMaker, Vertex AI and AI Platform take"
FIXED_BATCH = "fixed-batch"
_EXPORT = (
    "export it with signatures: model.export('DIRECTORY') in Keras, or "
    "tf.saved_model.save(module, 'DIRECTORY', signatures=module.FUNCTION)"
)


def no_signature(subject: Subject) -> Iterator[Finding]:
    """Find a model that can answer no request."""
    if not subject.model.signatures:
        yield Finding(
            "no-signature",
            Severity.ERROR,
            "the model has no signature",
            "TensorFlow Serving loads it and can answer no request",
            _EXPORT,
        )


def no_default_signature(subject: Subject) -> Iterator[Finding]:
    """Find a model whose requests must all name a signature."""
    names = [signature.name for signature in subject.model.signatures]
    if names and DEFAULT_SIGNATURE not in names:
        yield Finding(
            "no-default-signature",
            Severity.WARNING,
            f"there is no signature {DEFAULT_SIGNATURE}",
            "a request that names no signature is refused, and clients of SageMaker and Vertex AI "
            "seldom name one",
            f"export the signature {names[0]} as {DEFAULT_SIGNATURE}, or name it in each request",
        )


def unknown_method(subject: Subject) -> Iterator[Finding]:
    """Find signatures that no API of TensorFlow Serving accepts, if it checks methods.

    `VerifySignature` in predict_util.cc does with --enable_signature_method_name_check, which is
    off by default.
    """
    for one in subject.model.signatures:
        if one.method_name not in METHODS:
            yield Finding(
                "unknown-method",
                Severity.WARNING,
                f"its method is {one.method_name or 'not set'}",
                "TensorFlow Serving refuses every request for it, if it checks methods: with "
                "--enable_signature_method_name_check, and in versions before that option",
                f"export it with the method {PREDICT_METHOD}",
                one.name,
            )


def no_json_form(subject: Subject) -> Iterator[Finding]:
    """Find inputs and outputs of dtypes that JSON cannot represent."""
    for one in subject.model.signatures:
        for side, specs in (("input", one.inputs), ("output", one.outputs)):
            for spec in specs:
                if spec.dtype.removesuffix("_ref") not in JSON_DTYPES:
                    yield _no_json(one, f"{side} {spec.alias} is {spec.dtype}")


def _no_json(signature: Signature, text: str) -> Finding:
    return Finding(
        "no-json-form",
        Severity.WARNING,
        f"{text}, which has no JSON form",
        f"TensorFlow Serving takes it over gRPC alone, and {_JSON_ONLY}",
        "cast it in the exported function, an input to float32 or int64",
        signature.name,
    )


def composite_tensor(subject: Subject) -> Iterator[Finding]:
    """Find sparse and ragged inputs and outputs, which requests and answers cannot hold."""
    for one in subject.model.signatures:
        for spec in (*one.inputs, *one.outputs):
            if spec.components:
                yield Finding(
                    "composite-tensor",
                    Severity.ERROR,
                    f"{spec.alias} is made of {len(spec.components)} tensors (sparse or ragged)",
                    "a Predict request names one tensor for each input and output, so "
                    "TensorFlow Serving refuses it",
                    "take the dense tensors as inputs and build the sparse one in the function",
                    one.name,
                )


def fixed_batch(subject: Subject) -> Iterator[Finding]:
    """Find inputs whose first dimension is a number: requests cannot be batched."""
    for one in subject.model.signatures:
        fixed = [spec for spec in one.inputs if _first(spec)]
        if fixed and one.method_name == PREDICT_METHOD:
            spec = fixed[0]
            yield Finding(
                FIXED_BATCH,
                Severity.WARNING,
                f"the first dimension of {spec.alias} is {_first(spec)}: {spec.type}",
                "a request has exactly that many rows, and no server can batch requests",
                "export it with an open first dimension, such as "
                f"tf.TensorSpec([None, …], tf.{spec.dtype}), or open this one: "
                f"cloudserve export {shlex.quote(str(subject.model.path))} models/NAME "
                "--open-batch",
                one.name,
            )


def scalar_output(subject: Subject) -> Iterator[Finding]:
    """Find outputs without a batch dimension: the row form of JSON cannot hold them.

    Models of TensorFlow 1 declare `()` for tensors of any rank, so theirs are not judged.
    """
    if subject.model.tensorflow_version.startswith(("1.", "0.")):
        return
    for one in subject.model.signatures:
        scalars = [spec.alias for spec in one.outputs if spec.shape == ()]
        if scalars and one.method_name == PREDICT_METHOD:
            yield Finding(
                "scalar-output",
                Severity.WARNING,
                f"output {scalars[0]} is a scalar",
                'TensorFlow Serving refuses requests in the row form ("instances"), because each '
                "row needs its own answer; Vertex AI has no other form",
                "return a tensor with the batch as its first dimension",
                one.name,
            )


def string_output(subject: Subject) -> Iterator[Finding]:
    """Find string outputs that JSON answers write as text."""
    for one in subject.model.signatures:
        texts = [spec.alias for spec in one.outputs if _is_text(spec)]
        if texts and one.method_name == PREDICT_METHOD:
            yield Finding(
                "string-output",
                Severity.NOTE,
                f"output {texts[0]} is a string that is not named …_bytes",
                "TensorFlow Serving writes it as JSON text; bytes that are not UTF-8 make an "
                "answer that clients cannot parse",
                "name it …_bytes if it holds bytes: it is written in base64 then",
                one.name,
            )


def _is_text(spec: TensorSpec) -> bool:
    return spec.dtype == "string" and not spec.alias.endswith("_bytes")


def _first(spec: TensorSpec) -> int | None:
    return spec.shape[0] if spec.shape else None


RULES: tuple[Rule, ...] = (
    no_signature,
    no_default_signature,
    unknown_method,
    no_json_form,
    composite_tensor,
    fixed_batch,
    scalar_output,
    string_output,
)
