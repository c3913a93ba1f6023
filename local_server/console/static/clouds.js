// The offline clouds: endpoints with their traffic, other resources, buckets and their objects.

import { bar, h, put, table } from "./dom.js";
import { bytes, clock, count, printable } from "./format.js";
import { endpointForm } from "./endpoint_form.js";
import { record } from "./server.js";

const MOST_ROWS = 200;
const GOOD = /^(InService|deployed|done|OK|Completed|SUCCEEDED|READY|Approved)$/i;
const BAD = /fail|error|^ALARM$|Rejected|Out/i;

/** Return a badge of a platform's state. */
export function stateBadge(state) {
  if (!state) return "–";
  const kind = GOOD.test(state) ? "good" : BAD.test(state) ? "bad" : "busy";
  return h("span", { class: `badge ${kind}` }, state);
}

/** Return a time of the platform as the page's reader writes it. */
export function localTime(text) {
  const time = new Date(text);
  return text && !Number.isNaN(time.getTime()) ? time.toLocaleString("sv-SE") : "–";
}

export class CloudsSection {
  title = "Clouds";

  constructor() {
    this.forms = new Map();
    this.endpoints = h("div", { class: "plots" });
    this.buckets = h("div", {});
    this.objects = h("div", { "aria-live": "polite" });
    this.others = h("div", {});
    this.element = h("section", { class: "wide" }, h("h2", {}, "Offline clouds"),
      h("h3", {}, "Endpoints"), this.endpoints,
      h("h3", {}, "Buckets"), this.buckets, this.objects,
      h("h3", {}, "Models, jobs, operations and alarms"), this.others);
  }

  open() {
    this.show();
  }

  take(part, data) {
    if (part === "resources") this.resources = data;
    else if (part === "buckets") {
      this.stored = data;
      if (this.bucket) this.showObjects(...this.bucket);
    } else return;
    if (this.element.isConnected) this.show();
  }

  show() {
    const resources = this.resources ?? [];
    const endpoints = resources.filter((each) => each.kind === "endpoint");
    const focused = this.endpoints.contains(document.activeElement) ? document.activeElement : null;
    put(this.endpoints, endpoints.length > 0 ? endpoints.map((each) => endpointCard(each, this.formOf(each))) : h("p", { class: "quiet" }, "There are no endpoints."));
    focused?.focus();
    this.showBuckets();
    const others = resources.filter((each) => each.kind !== "endpoint")
      .sort((one, other) => (one.created < other.created ? 1 : -1));
    put(this.others, others.length > 0 ? this.otherTable(others) : h("p", { class: "quiet" }, "There are none."),
      others.length > MOST_ROWS && h("p", { class: "quiet" }, `and ${count(others.length - MOST_ROWS)} older ones`));
  }

  /** Return the form of an endpoint; it is kept, with what was typed. */
  formOf(row) {
    if (!row.path) return null;
    if (!this.forms.has(row.resource)) this.forms.set(row.resource, endpointForm(row));
    const form = this.forms.get(row.resource);
    form.update();
    return form.element;
  }

  otherTable(others) {
    const rows = others.slice(0, MOST_ROWS).map((each) => [
      each.cloud, each.kind, h("code", {}, printable(each.name)), each.place || "–", stateBadge(each.state),
      h("span", {}, printable(each.about), each.problem && h("span", { class: "problem inline" }, printable(each.problem))),
      localTime(each.created),
    ]);
    const listed = table("Resources", ["Cloud", "Kind", "Name", "Region", "State", "About", "Created"], rows);
    for (const row of listed.querySelectorAll("tbody tr")) row.children[5].className = "wrap";
    return listed;
  }

  showBuckets() {
    const rows = (this.stored ?? []).map((each) => [
      h("button", { type: "button", class: "link", onclick: () => this.showObjects(each.scheme, each.name) }, `${each.scheme}://${printable(each.name)}`),
      each.place || "–", count(each.objects), bytes(each.bytes),
    ]);
    const focused = this.buckets.contains(document.activeElement) ? document.activeElement.textContent : null;
    put(this.buckets, rows.length > 0 ? table("Buckets", ["Bucket", "Region", "Objects", "Size"], rows) : h("p", { class: "quiet" }, "There are no buckets."));
    for (const button of this.buckets.querySelectorAll("button")) if (button.textContent === focused) button.focus();
  }

  async showObjects(scheme, bucket) {
    this.bucket = [scheme, bucket];
    try {
      const objects = await record("objects", scheme, bucket);
      const rows = objects.map((each) => [h("code", {}, printable(each.key)), bytes(each.bytes), each.content_type, clock(each.updated)]);
      put(this.objects, h("h4", { class: "spaced" }, `Objects of ${scheme}://${printable(bucket)}`),
        rows.length > 0 ? table("Objects", ["Key", "Size", "Type", "Written"], rows) : h("p", { class: "quiet" }, "There are none."),
        objects.length >= 500 && h("p", { class: "quiet" }, "These are the first 500."));
    } catch {
      this.bucket = null;
      put(this.objects);
    }
  }
}

function endpointCard(each, form) {
  return h("article", { class: "plot" },
    h("div", { class: "split" }, h("h4", {}, printable(each.name)), stateBadge(each.state)),
    h("p", { class: "quiet" }, [each.cloud, each.place, printable(each.about)].filter(Boolean).join(" · ")),
    each.problem && h("p", { class: "problem" }, printable(each.problem)),
    each.shares.map((share) => h("div", { class: "share" },
      h("div", { class: "split" }, h("strong", {}, printable(share.name)),
        h("span", {}, share.percent === null ? "shadow" : `${Number(share.percent.toFixed(1))} %`)),
      bar((share.percent ?? 0) / 100),
      h("p", { class: "quiet fine" }, [share.machines, printable(share.runs)].filter(Boolean).join(" · ")))),
    form);
}
