// JSON as TensorFlow Serving writes it: NaN and Infinity are bare words, integers have 64 bits.
// What JavaScript cannot hold becomes an Exact, which keeps its text.

const TOKENS = /"(?:[^"\\]|\\.)*"|-?Infinity|NaN|-?\d{16,}(?![\d.eE])/g;
const MARK = "\u0001exact:";

export class Exact {
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}

/** Parse JSON; raises SyntaxError. */
export function parse(text) {
  const marked = text.replace(TOKENS, (token) => (token[0] === '"' ? token : JSON.stringify(MARK + token)));
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(MARK) ? new Exact(value.slice(MARK.length)) : value);
}

/** Return compact JSON; numbers that are not finite are bare words. */
export function write(value) {
  if (value instanceof Exact) return value.text;
  if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value) : String(value);
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}:${write(one)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Return the number of a value, NaN if it is none. */
export function toNumber(value) {
  if (value instanceof Exact) return Number(value.text);
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" ? value : Number.NaN;
}

/** Return the sizes of a nested list; null if it is ragged. */
export function shapeOf(value) {
  if (!Array.isArray(value)) return [];
  if (value.length === 0) return [0];
  const first = shapeOf(value[0]);
  if (first === null) return null;
  for (const one of value) {
    const other = shapeOf(one);
    if (other === null || other.length !== first.length || other.some((size, at) => size !== first[at])) return null;
  }
  return [value.length, ...first];
}
