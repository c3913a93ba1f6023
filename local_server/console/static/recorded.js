// The last requests of a server that records them: opened in full, sent again by the form, and saved as a golden file.

import { h, put, table } from "./dom.js";
import { clock, count, printable, shorten } from "./format.js";
import { record } from "./server.js";
import { fillForm } from "./tryit.js";

const LONGEST = 4000;

export class RecordedSection {
  title = "Requests";

  constructor() {
    this.list = h("div", {});
    this.full = h("div", { "aria-live": "polite" });
    this.problem = h("span", { class: "bad", role: "alert" });
    this.element = h("section", { class: "wide" }, h("h2", {}, "Recorded requests"),
      h("p", { class: "quiet" }, "The last 50 requests that were written to the golden files of --record, without what its rules redact."),
      this.list, this.full);
  }

  open() {
    this.show();
  }

  take(part, data) {
    if (part !== "requests") return;
    this.requests = data;
    if (this.element.isConnected) this.show();
  }

  show() {
    const rows = (this.requests ?? []).map((each) => [
      clock(each.time), printable(each.model), each.version + (each.label ? ` (${printable(each.label)})` : ""), each.method, batchOf(each),
      h("span", { class: `badge ${each.status === 200 ? "good" : "bad"}` }, each.status),
      h("button", { type: "button", class: "small", "data-id": each.id, onclick: () => this.openFull(each) }, "Open"),
    ]);
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
    put(this.list, rows.length > 0 ? table("Requests", ["Time", "Model", "Version", "Method", "Batch", "Status", "Request"], rows)
      : h("p", { class: "quiet" }, "No request has been recorded since the server started."));
    for (const button of this.list.querySelectorAll("button")) if (button.dataset.id === focused) button.focus();
  }

  openFull(each) {
    const again = () => {
      fillForm(each);
      location.hash = `#/models/${encodeURIComponent(each.model)}/${each.version}`;
    };
    put(this.full, h("h3", {}, `Request of ${clock(each.time)} to ${printable(each.model)}, version ${each.version}`),
      h("p", { class: "quiet" }, each.batch_rows > 0 ? `It ran in a batch of ${count(each.batch_rows)} rows, with other requests.` : "It ran alone."),
      each.request === "" ? h("p", { class: "quiet" }, "It is too long to be kept here; the golden file has it.") : [
        h("pre", { tabindex: 0, "aria-label": "Request" }, printable(shorten(each.request, LONGEST))),
        h("h4", { class: "spaced" }, "Answer"),
        h("pre", { tabindex: 0, "aria-label": "Answer" }, each.answer === "" ? "not recorded" : printable(shorten(each.answer, LONGEST))),
        h("div", { class: "actions" }, h("button", { type: "button", onclick: again }, "Send it again"),
          h("button", { type: "button", onclick: () => this.save(each) }, "Save as golden file"), this.problem)]);
    this.full.scrollIntoView({ block: "nearest" });
  }

  async save(each) {
    put(this.problem);
    try {
      const { text } = await record("requests", each.id);
      download(`${each.model}-${each.id}.golden.jsonl`, text);
    } catch (error) {
      put(this.problem, printable(error.message));
    }
  }
}

/** Have the browser save a text as a file. */
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  h("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

function batchOf({ batch_rows: rows }) {
  return rows > 0 ? `${count(rows)} rows` : "alone";
}
