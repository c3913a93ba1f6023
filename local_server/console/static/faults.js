// Faults of the offline clouds: what is injected now, and, with the token, switches.

import { copyButton, h, put, table } from "./dom.js";
import { count, printable } from "./format.js";
import { forgetRefused, showAccess } from "./access.js";
import { change } from "./server.js";

const PRESETS = [
  ["Two predictions fail with 503", [{ route: "POST *:predict", status: 503, times: 2 }, { route: "POST */invocations", status: 503, times: 2 }]],
  ["Every answer takes two seconds longer", [{ route: "*", latency: 2 }]],
  ["No capacity for new endpoints", [{ route: "SageMaker.CreateEndpoint", operation: { code: "CapacityError" } }, { route: "POST *:deployModel", operation: { code: "RESOURCE_EXHAUSTED", message: "no capacity" } }]],
  ["At most 10 requests a minute", [{ route: "*", quota: { requests: 10, seconds: 60 } }]],
  ["Uploads are cut off, three times", [{ route: "PUT *", drop: true, times: 3 }]],
];

export class FaultsSection {
  title = "Faults";

  constructor() {
    this.now = h("div", {});
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.own = h("textarea", { rows: 14, spellcheck: "false", "aria-label": "Rules as JSON", oninput: () => this.preview() });
    this.command = h("pre", { tabindex: 0, "aria-label": "The command that does the same" });
    this.access = h("div", {});
    this.apply = h("button", { type: "button", class: "primary", onclick: () => this.perform("POST", this.own.value) }, "Use these rules");
    this.clear = h("button", { type: "button", onclick: () => this.perform("DELETE") }, "Remove all faults");
    this.element = h("section", { class: "wide" }, h("h2", {}, "Injected faults"), this.access,
      h("h3", {}, "Now"), this.now,
      h("h3", {}, "Change"),
      h("div", { class: "actions presets" }, PRESETS.map(([name, faults]) =>
        h("button", { type: "button", onclick: () => this.fill(faults) }, name))),
      this.own, this.problem, h("div", { class: "actions" }, this.apply, this.clear),
      h("div", { class: "code" }, h("h4", {}, "The command that does the same"), copyButton("the command", () => this.command.textContent), this.command));
    this.fill(PRESETS[0][1]);
    this.showAccess();
  }

  open() {
    this.showAccess();
    this.show();
  }

  take(part, data) {
    if (part !== "faults") return;
    this.rules = data;
    if (this.element.isConnected) this.show();
  }

  show() {
    const rows = (this.rules ?? []).map(({ route, hits, ...effect }) => [h("code", {}, printable(route)), h("code", {}, printable(JSON.stringify(effect))), count(hits)]);
    put(this.now, rows.length > 0 ? table("Rules", ["Route", "Effect", "Hits"], rows) : h("p", { class: "quiet" }, "No faults are injected."));
  }

  fill(faults) {
    this.own.value = JSON.stringify({ faults }, null, 2);
    this.preview();
  }

  preview() {
    const body = this.own.value.replaceAll("'", "'\\''");
    this.command.textContent = `curl -H 'Content-Type: application/json' -d '${body}' ${location.origin}/_cloudserve/faults`;
  }

  showAccess() {
    showAccess(this.access, "change faults", (may) => { this.apply.disabled = !may; this.clear.disabled = !may; });
  }

  async perform(method, body) {
    this.problem.hidden = true;
    try {
      const { faults } = await change(method, "faults", body);
      this.take("faults", faults);
    } catch (error) {
      this.problem.hidden = false;
      this.problem.textContent = printable(error.message);
      if (forgetRefused(error)) this.showAccess();
    }
  }
}
