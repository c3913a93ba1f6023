// Changes of a model's versions and labels: shown first, then performed with the token.

import { copyButton, h, put, select } from "./dom.js";
import { forgetRefused, showAccess } from "./access.js";
import { printable, shorten } from "./format.js";
import { change, record } from "./server.js";

const LONGEST_SHOWN = 4000;
const ACTIONS = [
  ["unload", "Unload a version"],
  ["load", "Load a version"],
  ["label", "Set a label"],
  ["unlabel", "Remove a label"],
  ["reset", "As at the start"],
];
const WITH_VERSION = new Set(["unload", "load", "label"]);

export class ModelChange {
  constructor() {
    this.action = "unload";
    this.version = "";
    this.removed = "";
    this.shown = null;
    this.actionChoice = h("div", {}, select("Change", ACTIONS, this.action, (value) => { this.action = value; this.choices = null; this.update(this.model, this.facts); }));
    this.versionChoice = h("div", {});
    this.label = h("input", { type: "text", "aria-label": "Label", size: 14, placeholder: "label", oninput: () => this.preview() });
    this.labelChoice = h("div", {});
    this.remarks = h("div", { "aria-live": "polite" });
    this.access = h("div", {});
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.code = h("pre", { tabindex: 0, "aria-label": "The reload that does the same" });
    this.button = h("button", { type: "submit", class: "primary" }, "Perform");
    this.codeArea = h("div", { class: "code" }, h("h3", {}, "The gRPC call that does the same"), copyButton("the call", () => this.codeText), this.code);
    this.element = h("details", { class: "operation", ontoggle: () => this.preview() }, h("summary", {}, "Change versions and labels"),
      h("div", { class: "operation-body" }, this.access,
        h("form", { onsubmit: (event) => { event.preventDefault(); this.perform(); } },
          h("div", { class: "actions" }, this.actionChoice, this.versionChoice, this.labelChoice, this.button),
          this.remarks, this.problem),
        this.codeArea));
    showAccess(this.access, "change models", (may) => this.allow(may));
  }

  allow(may) {
    this.may = may;
    this.button.disabled = !may || !this.shown?.id;
  }

  /** Take the model as it is now. */
  update(model, facts) {
    [this.model, this.facts] = [model, facts];
    this.element.hidden = !model || !facts?.takes_changes;
    if (this.element.hidden) return;
    const chosen = model.versions.map((each) => each.version);
    const { labels } = model;
    const listed = this.action === "load" ? model.unserved : chosen;
    const choices = JSON.stringify([model.name, this.action, listed, labels, model.policy]);
    if (choices === this.choices) return;
    this.choices = choices;
    if (!listed.includes(this.version)) this.version = listed[0] ?? "";
    if (!labels.includes(this.removed)) this.removed = labels[0] ?? "";
    const versions = listed.map((each) => [each, each]);
    put(this.versionChoice, WITH_VERSION.has(this.action) && select("Version", versions, this.version, (value) => { this.version = value; this.preview(); }));
    put(this.labelChoice, this.action === "label" ? this.label
      : this.action === "unlabel" && select("Label", labels.map((each) => [each, printable(each)]), this.removed, (value) => { this.removed = value; this.preview(); }));
    this.preview();
  }

  /** Return the change as the server takes it. */
  wanted() {
    const label = this.action === "label" ? this.label.value : this.action === "unlabel" ? this.removed : "";
    return { action: this.action, model: this.model.name, version: WITH_VERSION.has(this.action) ? this.version : "", label };
  }

  /** Fetch and show what the change would do. */
  async preview() {
    if (!this.element.open || !this.model) return;
    const wanted = this.wanted();
    const key = JSON.stringify(wanted);
    this.pending = key;
    this.shown = null;
    this.allow(this.may);
    let shown = { refusal: this.missing(wanted), remarks: [] };
    if (!shown.refusal) {
      try { shown = await record("changes", wanted.action, wanted.model, wanted.version, wanted.label); } catch (error) { shown = { refusal: error.message, remarks: [] }; }
    }
    if (this.pending !== key) return;
    this.shown = { ...shown, wanted };
    put(this.remarks, shown.refusal ? h("p", { class: "quiet spaced" }, printable(shown.refusal))
      : h("ul", { class: "spaced quiet" }, shown.remarks.map((each) => h("li", {}, printable(each)))));
    this.codeArea.hidden = !shown.config;
    this.codeText = shown.config ? reload(shown.config, this.facts) : "";
    this.code.textContent = shorten(this.codeText, LONGEST_SHOWN);
    this.allow(this.may);
  }

  missing({ action, version, label }) {
    if (WITH_VERSION.has(action) && version === "") return action === "load" ? "Every version below the base path is chosen already." : "There is no version.";
    if (action === "unlabel" && label === "") return "The model has no labels.";
    return action === "label" && label.trim() === "" ? "Enter a label." : "";
  }

  async perform() {
    if (!this.shown?.id) return;
    this.problem.hidden = true;
    this.button.disabled = true;
    try {
      await change("POST", "models", JSON.stringify({ ...this.shown.wanted, id: this.shown.id }));
    } catch (error) {
      this.problem.hidden = false;
      this.problem.textContent = printable(error.message);
      if (forgetRefused(error)) showAccess(this.access, "change models", (may) => this.allow(may));
    }
    this.preview();
  }
}

function reload(config, facts) {
  const address = facts.addresses.find((each) => each.protocol === "gRPC")?.url;
  const text = config.replaceAll("\\", "\\\\");
  return `${address ? "" : "# This server was started without gRPC: the text is also that of --model_config_file.\n"}# pip install tensorflow-serving-api
import grpc
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

request = model_management_pb2.ReloadConfigRequest()
text_format.Parse("""
${text}""", request.config)
channel = grpc.insecure_channel(${JSON.stringify(address ?? "HOST:8500")})
print(model_service_pb2_grpc.ModelServiceStub(channel).HandleReloadConfigRequest(request, 60.0))`;
}
