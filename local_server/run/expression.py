"""Expressions for arrays: literals, arithmetic, and the functions of numpy that make arrays.

The text is parsed and never run by Python: whatever is not in the tables below is an error. They
have the literals of `saved_model_cli run --input_exprs`, and the calls such as `np.ones((2, 3))`
that its older versions took.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cloudserve.errors import UserError

_MAKERS = ("arange", "array", "eye", "full", "linspace", "ones", "repeat", "stack", "tile", "zeros")
_RANDOM = ("normal", "rand", "randint", "randn", "uniform")
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in _MAKERS},
    **{f"random.{name}": getattr(np.random, name) for name in _RANDOM},
}
_DTYPES: Mapping[str, Any] = {
    name: getattr(np, name)
    for name in (
        *("bool_", "float16", "float32", "float64", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
    )
}
_METHODS = frozenset({"astype", "reshape", "transpose"})
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_MODULES = frozenset({"np", "numpy"})
_Number = (bool, int, float, np.ndarray, np.generic)


def evaluate(text: str) -> Any:
    """Return the value of an expression: a number, a string, bytes, a list or an array.

    Raises UserError, which names the part that is not in the grammar.
    """
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError as error:
        raise _invalid(text, f"it is not an expression ({error.msg})") from error
    except _NotAllowedError as error:
        raise _invalid(text, str(error)) from error
    except RecursionError as error:
        raise _invalid(text, "it is nested too deeply") from error
    except (TypeError, ValueError, ArithmeticError, MemoryError) as error:
        raise _invalid(text, str(error) or type(error).__name__) from error


class _NotAllowedError(Exception):
    """A part of an expression that is not in the grammar."""


def _invalid(text: str, reason: str) -> UserError:
    shown = text if len(text) < 80 else f"{text[:77]}…"  # noqa: PLR2004 (a line's width)
    return UserError(
        f"`{shown}` is not an input: {reason}",
        hint="write literals such as [[1.0, 2.0]] or ['text'], or a call of one of these: "
        f"{', '.join(f'np.{name}' for name in sorted(_FUNCTIONS))}",
    )


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | bytes() as value):
            return value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            values = [_value(one) for one in elements]
            return values if isinstance(node, ast.List) else tuple(values)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_number(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_number(left), _number(right))
        case ast.Attribute():
            return _attribute(node)
        case ast.Call():
            return _call(node)
    raise _NotAllowedError(f"`{ast.unparse(node)}` is not allowed")


def _number(node: ast.expr) -> Any:
    """Return the value of an operand, not a text or a list: times a number it could be huge."""
    value = _value(node)
    if not isinstance(value, _Number):
        raise _NotAllowedError(f"`{ast.unparse(node)}` is not a number or an array")
    return value


def _attribute(node: ast.Attribute) -> Any:
    name = _numpy_name(node)
    if name and name in _DTYPES:
        return _DTYPES[name]
    if not name and node.attr == "T":
        return np.asarray(_number(node.value)).T
    raise _NotAllowedError(f"`{ast.unparse(node)}` is not allowed")


def _call(node: ast.Call) -> Any:
    if any(isinstance(one, ast.Starred) for one in node.args) or any(
        one.arg is None for one in node.keywords
    ):
        raise _NotAllowedError("`*` is not allowed")
    arguments = [_value(one) for one in node.args]
    keywords = {one.arg: _value(one.value) for one in node.keywords if one.arg}
    function = _function(node.func)
    return function(*arguments, **keywords)


def _function(node: ast.expr) -> Any:
    if isinstance(node, ast.Attribute):
        name = _numpy_name(node)
        if known := _FUNCTIONS.get(name) or _DTYPES.get(name):
            return known
        if not name and node.attr in _METHODS:
            return getattr(np.asarray(_number(node.value)), node.attr)
    raise _NotAllowedError(f"`{ast.unparse(node)}` is not a function of the grammar")


def _numpy_name(node: ast.Attribute) -> str:
    """Return `random.rand` of `np.random.rand`; "" for an attribute of anything else."""
    match node:
        case ast.Attribute(value=ast.Name(id=module), attr=attr) if module in _MODULES:
            return attr
        case ast.Attribute(value=ast.Attribute() as inner, attr=attr):
            name = _numpy_name(inner)
            return f"{name}.{attr}" if name else ""
    return ""
