// JSON as TensorFlow Serving writes it: NaN and Infinity are bare words, integers have 64 bits.
// What JavaScript cannot hold becomes an Exact, which keeps its text.

const TOKENS = /-?Infinity|NaN|-?\d{16,}(?![\d.eE])/g;
const MARK = "\u0001exact:";

export class Exact {
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}

/** Parse JSON; raises SyntaxError. */
export function parse(text) {
  const marked = markOutsideStrings(text);
  if (marked === text) return JSON.parse(text);
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(MARK) ? new Exact(value.slice(MARK.length)) : value);
}

/** Mark tokens between strings. A regular expression for strings would fail on long ones. */
function markOutsideStrings(text) {
  const parts = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('"', at);
    const end = open < 0 ? text.length : open;
    parts.push(text.slice(at, end).replace(TOKENS, (token) => JSON.stringify(MARK + token)));
    if (open < 0) break;
    at = endOfString(text, open);
    parts.push(text.slice(open, at));
  }
  return parts.join("");
}

function endOfString(text, open) {
  let close = text.indexOf('"', open + 1);
  while (close >= 0) {
    let before = close - 1;
    while (text[before] === "\\") before -= 1;
    if ((close - before) % 2 === 1) return close + 1;
    close = text.indexOf('"', close + 1);
  }
  return text.length;
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
