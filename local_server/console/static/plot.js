// Small plots of the last minutes, as SVG, with the same numbers as text.

import { bar, h, svg } from "./dom.js";
import { clock } from "./format.js";

const WIDTH = 600;
const HEIGHT = 120;

/**
 * Return a plot of lines: `lines` are [name, points], points [time, value or null]; `format` writes
 * a value.
 */
export function plot(title, lines, format) {
  const all = lines.flatMap(([, points]) => points);
  const times = all.map(([time]) => time);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const top = ceiling(Math.max(0, ...all.map(([, value]) => value ?? 0)));
  const x = (time) => (to === from ? WIDTH : (time - from) / (to - from) * WIDTH);
  const y = (value) => HEIGHT - value / top * (HEIGHT - 8);
  const paths = lines.map(([, points], index) => svg("path", { class: `line line-${index}`, d: path(points, x, y) }));
  const last = lines.map(([name, points], index) =>
    h("li", {}, h("span", { class: `key line-${index}` }), `${name} `, h("strong", {}, format(points.at(-1)?.[1] ?? null))));
  return h("figure", { class: "plot" }, h("figcaption", {}, title), h("ul", { class: "keys" }, last),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `${title}, from 0 to ${format(top)}` },
      [0.5, 1].map((share) => svg("line", { class: "rule", x1: 0, x2: WIDTH, y1: y(top * share), y2: y(top * share) })), paths),
    h("p", { class: "axis quiet" }, h("span", {}, all.length > 0 && clock(from)), h("span", {}, `top line: ${format(top)}`), h("span", {}, all.length > 0 && clock(to))));
}

function path(points, x, y) {
  let isOpen = false;
  return points.map(([time, value]) => {
    if (value === null) { isOpen = false; return ""; }
    // A point without a neighbour is drawn as a dot.
    const step = isOpen ? `L${x(time).toFixed(1)} ${y(value).toFixed(1)}` : `M${x(time).toFixed(1)} ${y(value).toFixed(1)}h0`;
    isOpen = true;
    return step;
  }).join("");
}

function ceiling(value) {
  if (value <= 0) return 1;
  const scale = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * scale).find((step) => step >= value);
}

/** Return a histogram as a table of bars: [label, count]. */
export function histogram(title, bars) {
  const most = Math.max(1, ...bars.map(([, count]) => count));
  return h("figure", { class: "histogram" }, h("figcaption", {}, title),
    bars.length === 0 ? h("p", { class: "quiet" }, "none yet")
      : h("table", { class: "bars" }, h("tbody", {}, bars.map(([label, count]) => h("tr", {},
        h("th", { scope: "row" }, label),
        h("td", { class: "bar" }, bar(count / most)),
        h("td", { class: "number" }, count.toLocaleString("en-US")))))));
}
