// The last calls of the clouds' APIs, with the texts of errors.

import { h, put, table } from "./dom.js";
import { clock, count, millis, printable } from "./format.js";

const MOST_CALLS = 1000;
const MOST_ROWS = 200;

export class CallsSection {
  title = "Calls";

  constructor() {
    this.calls = [];
    this.filter = h("input", { type: "search", placeholder: "Filter: service, operation, path, error", "aria-label": "Filter calls", oninput: () => this.show() });
    this.failed = h("input", { type: "checkbox", onchange: () => this.show() });
    this.summary = h("p", { class: "quiet fine listed", role: "status" });
    this.list = h("div", {});
    this.element = h("section", { class: "wide" }, h("h2", {}, "API calls"),
      h("p", { class: "quiet" }, "Predictions and objects are listed while a page is open, and when they fail. Bodies are not kept."),
      h("div", { class: "actions" }, this.filter, h("label", { class: "choice" }, this.failed, h("span", {}, "errors only"))),
      this.summary, this.list);
  }

  open() {
    this.show();
  }

  take(part, data) {
    if (part !== "calls") return;
    const known = new Set(this.calls.map((each) => `${each.id} ${each.time}`));
    this.calls = [...this.calls, ...data.filter((each) => !known.has(`${each.id} ${each.time}`))].slice(-MOST_CALLS);
    if (this.element.isConnected) this.show();
  }

  show() {
    const wanted = this.filter.value.trim().toLowerCase();
    const found = this.calls.filter((each) => (!this.failed.checked || isFailure(each)) &&
      `${each.service} ${each.operation} ${each.resource} ${each.error}`.toLowerCase().includes(wanted)).reverse();
    this.summary.textContent = `${count(found.length)} of ${count(this.calls.length)} calls` + (found.length > MOST_ROWS ? `, the newest ${MOST_ROWS} are listed` : "");
    const rows = found.slice(0, MOST_ROWS).map((each) => [
      clock(each.time), each.service, h("code", {}, printable(each.operation)),
      h("span", { class: `badge ${isFailure(each) ? "bad" : "good"}` }, each.status || "dropped"), millis(each.millis),
      h("span", {}, each.resource !== "/" && h("code", {}, printable(each.resource)), each.error && h("span", { class: "problem inline" }, printable(each.error))),
    ]);
    const listed = table("Calls", ["Time", "Service", "Operation", "Status", "Took", "Path and error"], rows);
    for (const row of listed.querySelectorAll("tbody tr")) row.lastChild.className = "wrap";
    put(this.list, rows.length > 0 ? listed : h("p", { class: "quiet" }, "No calls."));
  }
}

function isFailure(call) {
  return call.status >= 400 || call.status === 0;
}
