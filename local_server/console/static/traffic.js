// Rate, latency and errors while the page is open, up to ten minutes.

import { h, put, table } from "./dom.js";
import { count, millis, printable } from "./format.js";
import { plot } from "./plot.js";

const MOST_POINTS = 600;

export class TrafficSection {
  title = "Traffic";

  constructor() {
    this.points = [];
    this.statuses = new Map();
    this.plots = h("div", { class: "plots" });
    this.versions = h("div", {});
    this.element = h("section", { class: "wide" }, h("h2", {}, "Live traffic"),
      h("p", { class: "quiet" }, "Since this page was opened, at most ten minutes. Latencies are how long a request held its version; they are read from a histogram, so they are coarse."),
      this.plots, h("h3", {}, "In the last second"), this.versions);
  }

  open() {
    this.show();
  }

  take(part, data) {
    if (part !== "traffic" || data.seconds < 0.2) return;
    this.points = [...this.points.slice(1 - MOST_POINTS), data];
    for (const [status, number] of Object.entries(data.statuses)) this.statuses.set(status, (this.statuses.get(status) ?? 0) + number);
    this.last = data;
    if (this.element.isConnected) this.show();
  }

  show() {
    const series = (read) => this.points.map((each) => [each.time, read(each)]);
    const quantile = (index) => series((each) => each.total.millis[index]);
    put(this.plots,
      plot("Requests per second", [["requests", series((each) => each.total.requests / each.seconds)]], (value) => (value ?? 0).toFixed(1)),
      plot("Latency", [["median", quantile(0)], ["90 %", quantile(1)], ["99 %", quantile(2)]], millis),
      plot("Errors per second", [["errors", series((each) => each.total.errors / each.seconds)]], (value) => (value ?? 0).toFixed(1)));
    const rows = (this.last?.versions ?? []).map((each) => [
      printable(each.model), each.version, count(each.requests), count(each.errors), ...each.millis.map(millis),
    ]);
    put(this.versions,
      rows.length > 0 ? table("Versions with traffic", ["Model", "Version", "Requests", "Errors", "Median", "90 %", "99 %"], rows)
        : h("p", { class: "quiet" }, "No requests."),
      this.statuses.size > 0 && h("p", {}, "Errors since the page was opened: ",
        [...this.statuses].map(([status, number]) => `${count(number)} ${status}`).join(", ")));
  }
}
