// How two versions answer the same request.

import { h, table } from "./dom.js";
import { millis, number, printable, shorten } from "./format.js";
import { shapeOf, toNumber, write } from "./json.js";

/** Return the differences of two answers, output by output. */
export function differenceView(one, other, version, otherVersion) {
  const title = h("h4", {}, `Version ${version} and version ${otherVersion}`);
  if (one.status !== other.status || other.status !== 200) {
    const words = other.document?.error ?? other.text;
    return h("div", { class: "difference" }, title, h("p", { class: "problem" },
      `Version ${version} answered ${one.status}, version ${otherVersion} ${other.status}: ${printable(shorten(words, 400))}`));
  }
  const [left, right] = [flat(one.document), flat(other.document)];
  const names = [...new Set([...left.keys(), ...right.keys()])];
  const rows = names.map((name) => [h("code", {}, printable(name)), ...compare(left.get(name), right.get(name))]);
  return h("div", { class: "difference" }, title,
    table("Differences", ["Output", "Result", "Largest difference", "At"], rows),
    h("p", { class: "quiet" }, `${millis(one.millis)} and ${millis(other.millis)} as the browser sees them`));
}

/** Return the outputs of a document by name. */
function flat(document) {
  const body = document.predictions ?? document.outputs ?? document.results ?? document;
  const row = Array.isArray(body) && body.length > 0 && body[0] !== null && !Array.isArray(body[0]) && body[0].constructor === Object;
  if (row) return new Map(Object.keys(body[0]).map((key) => [key, body.map((each) => each[key])]));
  return !Array.isArray(body) && body !== null && body.constructor === Object ? new Map(Object.entries(body)) : new Map([["answer", body]]);
}

function compare(one, other) {
  if (one === undefined || other === undefined) return ["only one version has it", "", ""];
  const [left, right] = [shapeOf(one), shapeOf(other)];
  if (JSON.stringify(left) !== JSON.stringify(right)) return [`the shapes are [${left}] and [${right}]`, "", ""];
  const [a, b] = [one, other].map((value) => (Array.isArray(value) ? value.flat(Infinity) : [value]));
  let most = 0;
  let at = -1;
  for (let index = 0; index < a.length; index += 1) {
    const apart = distance(a[index], b[index]);
    if (apart > most) { most = apart; at = index; }
  }
  if (at < 0) return ["equal", "0", ""];
  const words = most === Infinity ? "not comparable" : number(most);
  return [highest(a) === highest(b) ? "differs" : "differs, with another highest value", words, String(at)];
}

function distance(one, other) {
  if (write(one) === write(other)) return 0;
  const apart = Math.abs(toNumber(one) - toNumber(other));
  return Number.isNaN(apart) ? Infinity : apart;
}

function highest(values) {
  return values.reduce((best, one, at) => (toNumber(one) > toNumber(values[best]) ? at : best), 0);
}
