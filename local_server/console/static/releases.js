// Releases with their gates and steps, as the ledgers in the buckets tell them.

import { h, put, table } from "./dom.js";
import { count, printable } from "./format.js";
import { localTime } from "./clouds.js";
import { ReleaseForm } from "./promote.js";

const MOST_ROWS = 100;
/** An e-value above it is beyond imagination; it may have 300 digits. */
const MOST_ODDS = 1e12;
const KINDS = { finished: "good", refused: "bad", stopped: "bad", superseded: "bad" };

export class ReleasesSection {
  title = "Releases";

  constructor() {
    this.list = h("div", {});
    this.form = new ReleaseForm();
    this.open_ = new Set();
    this.element = h("section", { class: "wide" }, h("h2", {}, "Releases"),
      h("p", { class: "quiet" }, "From the ledgers in the buckets, the newest first. The command is ", h("code", {}, "cloudserve history MODEL --target TARGET"), "."), this.form.element, this.list);
  }

  open() {
    // It may have been entered in another section.
    this.form.showAccess();
    this.show();
  }

  take(part, data) {
    if (part === "project") this.form.update(data);
    if (part !== "releases") return;
    this.releases = data;
    if (this.element.isConnected) this.show();
  }

  show() {
    const releases = this.releases ?? [];
    put(this.list, releases.length > 0 ? releases.slice(0, MOST_ROWS).map((each) => this.card(each)) : h("p", { class: "quiet" }, "There are no releases yet."),
      releases.length > MOST_ROWS && h("p", { class: "quiet" }, `and ${count(releases.length - MOST_ROWS)} older ones`));
  }

  card(each) {
    const share = each.percent < 100 ? ` ${each.percent} %` : "";
    const card = h("details", { class: "operation", open: this.open_.has(each.id) },
      h("summary", {}, h("span", { class: `badge ${KINDS[each.outcome] ?? "busy"}` }, each.outcome), " ",
        h("strong", {}, `${each.operation} ${printable(each.model)}${share}`), " ", h("code", {}, printable(each.revision)), " ",
        h("span", { class: "quiet" }, `on ${printable(each.target)}${each.environment ? ` in ${printable(each.environment)}` : ""}, ${localTime(each.started)}, ${printable(each.who)}`)),
      h("div", { class: "operation-body" },
        each.error && h("p", { class: "problem" }, printable(each.error)),
        h("p", { class: "quiet" }, `${printable(each.bucket)}${each.previous ? `, before it ${printable(each.previous)} was live` : ""}`),
        each.gates.length > 0 && [h("h3", {}, "Gates"), h("ul", {}, each.gates.map((gate) => h("li", {}, printable(gate))))],
        each.canary && canaryView(each),
        each.steps.length > 0 && [h("h3", {}, "Steps"), h("ol", {}, each.steps.map((step) => h("li", {}, printable(step))))]));
    card.addEventListener("toggle", () => { if (card.open) this.open_.add(each.id); else this.open_.delete(each.id); });
    return card;
  }
}

/** Return a canary's last evidence: the shares of both revisions, and how rarely chance gives them. */
function canaryView(each) {
  const rows = each.measures.map((one) => [printable(one.name), one.source, share(one.canary), share(one.live), odds(one.e_worse), odds(one.e_passed)]);
  return [h("h3", {}, "Canary"), h("p", {}, printable(each.canary)), rows.length > 0 && [
    table("Evidence of the canary", ["Event", "Requests of", "Canary", "Live", "Worse", "Not worse"], rows),
    h("p", { class: "quiet fine" }, "The last two columns say how rarely chance alone gives such evidence.")]];
}

function share({ requests, events }) {
  const percent = requests > 0 ? (100 * events / requests).toFixed(1) : "0.0";
  return `${percent} % of ${count(requests)}`;
}

function odds(value) {
  if (value >= MOST_ODDS) return `less than 1 in ${count(MOST_ODDS)}`;
  return value > 1 ? `1 in ${count(Math.round(value))}` : "–";
}
