// Batches since the start of the server: sizes, waiting, padding, and who waits now.

import { h, put, table } from "./dom.js";
import { count, printable } from "./format.js";
import { histogram } from "./plot.js";

export class BatchingSection {
  title = "Batching";

  constructor() {
    this.rule = h("p", { class: "quiet" });
    this.figures = h("div", { class: "plots" });
    this.waiting = h("div", {});
    this.element = h("section", { class: "wide" }, h("h2", {}, "Batching"), this.rule, this.figures,
      h("h3", {}, "Requests that wait now"), this.waiting);
  }

  open() {
    this.show();
  }

  take(part, data) {
    if (part !== "batching") return;
    this.data = data;
    if (this.element.isConnected) this.show();
  }

  show() {
    if (!this.data) return;
    const { rule, sizes, request_sizes: requests, wait_millis: waits, padded_rows: padded, rows, waiting } = this.data;
    this.rule.textContent = rule === "by costs"
      ? "Requests run together where the measured costs show that it is faster. Figures are since the start of the server."
      : "Requests run together by TensorFlow Serving's parameters. Figures are since the start of the server.";
    put(this.figures,
      histogram("Rows of a batch", bars(sizes)),
      histogram("Rows of a request", bars(requests)),
      histogram("Waited, in milliseconds", bars(waits)),
      h("figure", { class: "histogram" }, h("figcaption", {}, "Padding"), h("p", {}, rows > 0
        ? `${count(padded)} of ${count(rows)} rows were padding: ${(100 * padded / rows).toFixed(1)} %` : "none yet")));
    const queued = waiting.filter((each) => each.depth > 0);
    put(this.waiting, queued.length > 0
      ? table("Queues", ["Model", "Version", "Requests"], queued.map((each) => [printable(each.model), each.version, count(each.depth)]))
      : h("p", { class: "quiet" }, `No request waits in the queues of ${count(waiting.length)} versions.`));
  }
}

/** Return the buckets that hold something, labelled by their upper bound. */
function bars({ bounds, counts }) {
  const labels = [...bounds.map((bound) => `≤ ${Number(bound.toPrecision(2))}`), "more"];
  return counts.map((number, index) => [labels[index], number]).filter(([, number]) => number > 0);
}
