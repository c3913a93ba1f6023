// Numbers, sizes and durations as people read them; control characters made visible.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  let unit = 0;
  let size = count;
  while (size >= 1000 && unit < UNITS.length - 1) { size /= 1000; unit += 1; }
  return `${unit === 0 ? size : size.toFixed(size < 10 ? 1 : 0)} ${UNITS[unit]}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`;
  if (value < 120) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  if (value < 7200) return `${Math.floor(value / 60)} min`;
  if (value < 172800) return `${Math.floor(value / 3600)} h`;
  return `${Math.floor(value / 86400)} d`;
}

export function millis(value) {
  if (value === null || value === undefined) return "–";
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ms`;
}

export function count(value) {
  return value.toLocaleString("en-US");
}

export function number(value) {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 1e-4 && Math.abs(value) < 1e7 ? String(Number(value.toPrecision(7))) : value.toExponential(4);
}

export function clock(time) {
  return new Date(time * 1000).toLocaleTimeString("en-GB");
}

/** Return a text of at most so many characters; a longer one ends with the number left out. */
export function shorten(text, most) {
  return text.length <= most ? text : `${text.slice(0, most)}… (${count(text.length - most)} more characters)`;
}

/** Return a text without characters that would change how the page is read; lines and tabs stay. */
export function printable(text) {
  return String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Return the type of a tensor: float32 [batch × 28 × 28]. */
export function tensorType(spec) {
  if (spec.dimensions === null) return `${spec.dtype} [any shape]`;
  return spec.dimensions.length === 0 ? `${spec.dtype} scalar` : `${spec.dtype} [${spec.dimensions.join(" × ")}]`;
}
