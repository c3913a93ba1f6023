"""The comparison of two servers that are sent the same requests.

Both answer, or both refuse with the same status. Answers have the same names, types and shapes;
numbers are compared within a tolerance, in steps (ULP) of the output's dtype.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from cloudserve.errors import RemoteError, UnreachableError
from cloudserve.golden.compare import Comparison, Deviation
from cloudserve.golden.file import Golden, Header, Tolerance, encode
from cloudserve.golden.generate import DEFAULT
from cloudserve.golden.numbers import DTYPES
from cloudserve.golden.replay import decode_answer
from cloudserve.savedmodel.signature import Signature

if TYPE_CHECKING:
    from cloudserve.golden.ask import Ask

_OK = 200


@dataclass(frozen=True, slots=True)
class Parity:
    """The result of a comparison."""

    requests: int
    answered: int
    """Requests that both servers answered."""
    refused: int
    """Requests that both refused with the same status."""
    differing: int
    deviations: Mapping[str, tuple[Deviation, ...]]
    """The deviations of the outputs by signature."""
    statuses: tuple[str, ...]
    """The requests that one server refused and the other did not, a sentence each."""

    @property
    def ulp(self) -> float:
        """Return the largest distance of two numbers, in steps of the output's dtype."""
        return max((one.ulp for one in self._outputs), default=0)

    @property
    def findings(self) -> tuple[str, ...]:
        """Return the differences, a sentence each."""
        return (*self.statuses, *(str(one) for one in self._outputs if one.outside))

    @property
    def _outputs(self) -> list[Deviation]:
        return [one for deviations in self.deviations.values() for one in deviations]

    def figures(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        outputs = [
            {"signature": signature, **one.figures()}
            for signature, deviations in self.deviations.items()
            for one in deviations
        ]
        return {
            "requests": self.requests,
            "answered": self.answered,
            "refused_by_both": self.refused,
            "differing": self.differing,
            "ulp": max((one["ulp"] for one in outputs if one["ulp"] is not None), default=0),
            "absolute": max((one["absolute"] or 0.0 for one in outputs), default=0.0),
            "outputs": outputs,
        }


@dataclass(slots=True)
class _Run:
    signatures: Mapping[str, Signature]
    tolerance: Tolerance
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)
    answered: int = 0
    refused: int = 0
    differing: int = 0

    def add(self, number: int, request: Mapping[str, Any], first: Ask, second: Ask) -> None:
        where = f"request {number}"
        body = encode(request)
        one, other = _answer(first, body, where), _answer(second, body, where)
        if isinstance(one, dict) and isinstance(other, dict):
            self.answered += 1
            name = str(request.get("signature_name", DEFAULT))
            self.differing += not self._comparison(name).add(one, other, where)
        elif _is_alike(one, other):
            self.refused += 1
        else:
            self.differing += 1
            self.statuses.append(f"{where}: {_say(other)} instead of {_say(one)}")

    def _comparison(self, name: str) -> Comparison:
        if name not in self.comparisons:
            outputs = _tolerances(self.signatures.get(name), self.tolerance)
            header = Header(tolerance=self.tolerance, outputs=outputs)
            self.comparisons[name] = Comparison(Golden(header, ()), is_strict=True)
        return self.comparisons[name]


def compare_servers(
    requests: Sequence[Mapping[str, Any]],
    local: Ask,
    deployed: Ask,
    signatures: Sequence[Signature],
    tolerance: Tolerance,
) -> Parity:
    """Send each request to both servers and compare the answers.

    Raises UnreachableError if one of them does not answer at all.
    """
    run = _Run({signature.name: signature for signature in signatures}, tolerance)
    for number, request in enumerate(requests, start=1):
        run.add(number, request, local, deployed)
    return Parity(
        len(requests),
        run.answered,
        run.refused,
        run.differing,
        {name: tuple(one.deviations.values()) for name, one in run.comparisons.items()},
        tuple(run.statuses),
    )


def digest_of(requests: Sequence[Mapping[str, Any]]) -> str:
    """Return the SHA-256 of the requests as they are sent, one on each line."""
    return hashlib.sha256(b"".join(encode(r) + b"\n" for r in requests)).hexdigest()


def _tolerances(signature: Signature | None, tolerance: Tolerance) -> dict[str, Tolerance]:
    """Return the tolerances of outputs whose dtype is not float32; "" is a single output."""
    if signature is None:
        return {}
    outputs = {
        spec.alias: msgspec.structs.replace(tolerance, dtype=spec.dtype)
        for spec in signature.outputs
        if spec.dtype in DTYPES
    }
    if len(signature.outputs) == 1 and outputs:
        (outputs[""],) = outputs.values()
    return outputs


def _answer(ask: Ask, body: bytes, where: str) -> dict[str, Any] | RemoteError:
    try:
        return decode_answer(ask(body), where)
    except UnreachableError:
        raise
    except RemoteError as error:
        return error


def _is_alike(one: dict[str, Any] | RemoteError, other: dict[str, Any] | RemoteError) -> bool:
    """Return whether both are refusals of the same status, as far as the platform tells it."""
    if isinstance(one, dict) or isinstance(other, dict):
        return False
    # AI Platform reports a model's error inside an HTTP 200.
    return other.status in {None, _OK, one.status}


def _say(answer: dict[str, Any] | RemoteError) -> str:
    if isinstance(answer, dict):
        return "an answer"
    return f"an error of status {answer.status or 'unknown'} ({answer.message})"
