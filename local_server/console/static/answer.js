// An answer: bars for class scores, a picture for an image, else numbers and texts.

import { bar, h } from "./dom.js";
import { number, printable, shorten } from "./format.js";
import { shapeOf, toNumber } from "./json.js";

const MOST_BARS = 10;
const MOST_SCORES = 20000;
const MOST_TEXT = 4000;
const SCORES = /prob|score|class|logit|softmax|dense|predict|output/i;

/** Return the view of an answer: {status, text, document}. */
export function answerView(answer, signature) {
  if (answer.status !== 200 || answer.document === null) {
    const words = answer.document?.error ?? answer.text;
    return h("p", { class: "problem" }, printable(shorten(String(words), MOST_TEXT)));
  }
  const raw = h("details", {}, h("summary", {}, "The answer as it came"), h("pre", { tabindex: 0 }, shorten(answer.text, MOST_TEXT)));
  return h("div", {}, outputsOf(answer.document, signature).map(([name, value]) => outputView(name, value)), raw);
}

/** Return [name, value] of each output of the first row, or of the whole answer. */
export function outputsOf(document, signature) {
  if (Array.isArray(document.results)) return [["results", document.results[0]]];
  const lone = signature.outputs.length === 1 ? signature.outputs[0].alias : null;
  if ("outputs" in document) {
    return lone === null ? Object.entries(document.outputs) : [[lone, document.outputs]];
  }
  const row = document.predictions?.[0];
  return lone === null && row !== null && typeof row === "object" && !Array.isArray(row) ? Object.entries(row) : [[lone ?? "predictions", row]];
}

function outputView(name, value) {
  const shape = shapeOf(value);
  return h("div", { class: "output" }, h("h4", {}, h("code", {}, printable(name)), " ",
    h("span", { class: "quiet" }, shape && shape.length > 0 ? `[${shape.join(" × ")}]` : "")),
    pairsOf(value) ?? scoresOf(name, value, shape) ?? pictureOf(value, shape) ?? textOf(value));
}

/** Return bars of a classification: [[class, score], …]. */
function pairsOf(value) {
  const isPairs = Array.isArray(value) && value.length > 0 &&
    value.every((one) => Array.isArray(one) && one.length === 2 && typeof one[0] === "string" && !Number.isNaN(toNumber(one[1])));
  return isPairs ? bars(value.map(([label, score], at) => [label || String(at), toNumber(score)])) : null;
}

function scoresOf(name, value, shape) {
  const list = shape?.length === 2 && shape[0] === 1 ? value[0] : value;
  if (!Array.isArray(list) || shapeOf(list)?.length !== 1 || list.length < 2 || list.length > MOST_SCORES) return null;
  const scores = list.map(toNumber);
  if (!scores.every(Number.isFinite)) return null;
  const sum = scores.reduce((total, one) => total + one, 0);
  const isShare = scores.every((one) => one >= 0 && one <= 1.0001) && Math.abs(sum - 1) < 0.01;
  return isShare || (SCORES.test(name) && scores.length <= 1001) ? bars(scores.map((score, at) => [String(at), score])) : null;
}

function bars(scores) {
  const ordered = [...scores].sort((one, other) => other[1] - one[1]).slice(0, MOST_BARS);
  const most = Math.max(...scores.map(([, score]) => Math.abs(score)), 1e-12);
  return h("div", {},
    h("table", { class: "bars" },
      h("thead", { class: "hidden" }, h("tr", {}, ["Class", "Share", "Score"].map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ordered.map(([label, score]) => h("tr", {},
        h("th", { scope: "row" }, printable(shorten(label, 60))),
        h("td", { class: "bar" }, bar(score / most)),
        h("td", { class: "number" }, number(score)))))),
    scores.length > MOST_BARS && h("p", { class: "quiet" }, `the ${MOST_BARS} highest of ${scores.length}`));
}

function pictureOf(value, shape) {
  const isSide = (size) => size >= 8 && size <= 2048;
  const isImage = (shape?.length === 2 || (shape?.length === 3 && [1, 3, 4].includes(shape[2]))) && isSide(shape[0]) && isSide(shape[1]);
  if (!isImage) return null;
  const values = value.flat(Infinity).map(toNumber);
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((least, one) => Math.min(least, one), Infinity);
  const high = finite.reduce((most, one) => Math.max(most, one), -Infinity);
  const canvas = h("canvas", { width: shape[1], height: shape[0], class: "picture", role: "img",
    "aria-label": `An image of ${shape[1]} by ${shape[0]} pixels` });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(shape[1], shape[0]);
  const channels = shape[2] ?? 1;
  for (let at = 0; at < shape[0] * shape[1]; at += 1) {
    for (let colour = 0; colour < 4; colour += 1) {
      const one = values[at * channels + (channels < 3 ? 0 : colour)];
      picture.data[at * 4 + colour] = colour === 3 ? 255 : 255 * (one - low) / (high - low || 1);
    }
  }
  context.putImageData(picture, 0, 0);
  return h("div", {}, canvas, h("p", { class: "quiet" }, `black is ${number(low)}, white is ${number(high)}`));
}

function textOf(value) {
  return h("pre", { tabindex: 0 }, printable(shorten(show(value, 2000), MOST_TEXT)));
}

/** Return a value as text; of long lists the beginning. */
function show(value, most) {
  if (Array.isArray(value)) {
    const shown = value.slice(0, most).map((one) => show(one, 200)).join(", ");
    return `[${shown}${value.length > most ? `, … ${value.length - most} more` : ""}]`;
  }
  if (value === null || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return number(value);
  if (value.constructor === Object) return `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${show(one, 200)}`).join(", ")}}`;
  return String(value);
}
