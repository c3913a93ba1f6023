// Numbers that people paste: JSON, CSV, words between spaces; fitted to a shape.

import { Exact, parse, shapeOf, toNumber } from "./json.js";

const INTEGER = /^u?int/;

/** Return a tensor of zeros; open sizes are 1. */
export function zeros(shape, dtype) {
  if (shape.length === 0) return dtype === "bool" ? false : dtype === "string" ? "" : 0;
  return Array.from({ length: shape[0] ?? 1 }, () => zeros(shape.slice(1), dtype));
}

/** Return the values of a text in a shape, null for any; raises an Error that says what is wrong. */
export function readNumbers(text, shape, dtype) {
  const trimmed = text.trim();
  if (trimmed === "") throw new Error("There is no number.");
  if (trimmed.startsWith("[")) {
    const value = readList(trimmed);
    check(value, shape);
    return value;
  }
  const values = trimmed.split(/[\s,;]+/).filter((word) => word !== "").map((word) => readNumber(word, dtype));
  if (shape === null) return values.length === 1 ? values[0] : values;
  return fold(values, shape);
}

function readList(text) {
  try { return parse(text); } catch { throw new Error("This is not JSON: a bracket or a comma is missing, or there is one too many."); }
}

function readNumber(word, dtype) {
  if (dtype === "bool") {
    if (/^(true|1)$/i.test(word)) return true;
    if (/^(false|0)$/i.test(word)) return false;
    throw new Error(`"${word}" is neither true nor false.`);
  }
  const isInteger = /^[+-]?\d+$/.test(word);
  if (INTEGER.test(dtype) && !isInteger) throw new Error(`"${word}" is not an integer.`);
  if (isInteger && word.length > 15) return new Exact(word.replace(/^\+/, ""));
  const value = Number(word.replace(/^([+-]?)inf(inity)?$/i, "$1Infinity"));
  if (Number.isNaN(value) && !/^nan$/i.test(word)) throw new Error(`"${word}" is not a number.`);
  return value;
}

function check(value, shape) {
  const found = shapeOf(value);
  if (found === null) throw new Error("The lists have different lengths.");
  if (shape === null) return;
  if (found.length !== shape.length || shape.some((size, at) => size !== null && size !== found[at])) {
    throw new Error(`The shape is [${found.join(", ")}], not [${shape.map((size) => size ?? "?").join(", ")}].`);
  }
  if (value.flat(Infinity).some((one) => typeof one === "number" ? false : Number.isNaN(toNumber(one)) && String(one) !== "NaN")) {
    throw new Error("A value is not a number.");
  }
}

function fold(values, shape) {
  const open = shape.filter((size) => size === null).length;
  const known = shape.reduce((product, size) => product * (size ?? 1), 1);
  if (open > 1 || (open === 0 && values.length !== known) || (open === 1 && values.length % known !== 0)) {
    throw new Error(`There are ${values.length} numbers; the shape is [${shape.map((size) => size ?? "?").join(", ")}].`);
  }
  return nest(values, shape.map((size) => size ?? values.length / known));
}

function nest(values, sizes) {
  if (sizes.length === 0) return values[0];
  const step = values.length / sizes[0];
  return Array.from({ length: sizes[0] }, (_, at) => nest(values.slice(at * step, (at + 1) * step), sizes.slice(1)));
}
