// The form to try a version: inputs, the request in every form, the answer, and the difference
// from another version.

import { copyButton, h, put, select } from "./dom.js";
import { answerView } from "./answer.js";
import { differenceView } from "./difference.js";
import { fieldFor } from "./fields.js";
import { millis, printable, shorten } from "./format.js";
import { parse } from "./json.js";
import { bodyOf, canSendRows, predictPath } from "./requests.js";
import { send } from "./server.js";
import { SNIPPETS } from "./snippets.js";

const LONGEST_SHOWN = 4000;

/** The REST API of this server. */
const SERVER = { snippets: SNIPPETS, path: predictPath, send };

/** A recorded request that the next form of its version begins with. */
let waiting = null;

/** Let the form of a version begin with a recorded request: {model, version, method, request}. */
export function fillForm(recorded) {
  waiting = recorded;
}

export class TryIt {
  /** Take a version's card, its model's row, and the API: how a request is sent, and written down. */
  constructor(card, model, api = SERVER) {
    this.api = api;
    this.card = card;
    this.model = model;
    this.form = "rows";
    this.snippet = api.snippets[0].name;
    this.fields = h("div", { class: "fields" });
    this.own = h("textarea", { rows: 8, spellcheck: "false", "aria-label": "Request body as JSON" });
    this.ownArea = h("details", { class: "own" }, h("summary", {}, "Edit the request as JSON"), this.own);
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.result = h("div", { class: "result", "aria-live": "polite" });
    this.code = h("pre", { tabindex: 0, "aria-label": "Request" });
    this.codeChoice = h("div", {});
    this.versionChoice = h("div", {});
    this.button = h("button", { type: "submit", class: "primary" }, "Send");
    this.chooser = h("div", {});
    this.element = h("section", { class: "tryit", "aria-label": api.title ?? "Try it" }, h("h3", {}, "Try it"),
      h("form", { onsubmit: (event) => { event.preventDefault(); this.run(); }, oninput: () => this.preview() },
        this.chooser, this.fields, this.ownArea, this.problem,
        h("div", { class: "actions" }, this.button, this.versionChoice)),
      this.result,
      h("div", { class: "code" }, this.codeChoice, copyButton("the request", () => this.codeText), this.code));
    this.ownArea.addEventListener("toggle", () => {
      if (this.ownArea.open && !this.isFilled) this.own.value = this.formBody() ?? this.own.value;
      this.isFilled = false;
      this.preview();
    });
    this.useSignature(card.signatures[0]);
    this.update(model);
    this.fill();
  }

  /** Take the model's versions as they are now. */
  update(model) {
    this.model = model;
    const others = model.versions.filter((each) => each.state === "AVAILABLE" && each.version !== this.card.version);
    if (this.others === JSON.stringify(others)) return;
    this.others = JSON.stringify(others);
    if (!others.some((each) => each.version === this.other)) this.other = "";
    const options = [["", "no other version"], ...others.map((each) => [each.version, `version ${each.version}`])];
    put(this.versionChoice, others.length > 0 && select("Compare with", options, this.other, (value) => { this.other = value; }));
  }

  /** Begin with the recorded request that waits for this version, if there is one. */
  fill() {
    if (waiting?.model !== this.card.model || waiting?.version !== this.card.version) return;
    const { request, method } = waiting;
    waiting = null;
    const name = parse(request).signature_name ?? "serving_default";
    const signature = this.card.signatures.find((each) => each.name === name && each.method === method);
    if (signature) this.useSignature(signature);
    this.ownArea.open = true;
    this.isFilled = true;
    this.own.value = request;
    this.preview();
  }

  useSignature(signature) {
    this.signature = signature;
    if (signature === undefined) {
      put(this.fields, h("p", { class: "quiet" }, "This version has no signature that requests can name."));
      this.button.disabled = true;
      return;
    }
    const names = this.card.signatures.map((each) => [each.name, printable(each.name)]);
    put(this.chooser, names.length > 1 && select("Signature", names, signature.name,
      (name) => this.useSignature(this.card.signatures.find((each) => each.name === name))));
    this.form = canSendRows(signature) ? "rows" : "columns";
    this.inputs = signature.inputs.filter((spec) => !spec.is_optional || signature.inputs.every((each) => each.is_optional))
      .map((spec) => fieldFor(spec, this.form === "rows", sampleOf(signature, spec, this.form), () => this.preview()));
    put(this.fields, this.inputs.map((field) => field.element),
      signature.method === "predict" && signature.why_none && h("p", { class: "quiet" }, `No sample request: ${signature.why_none}.`));
    this.ownArea.open = false;
    if (signature.method !== "predict") {
      this.ownArea.open = true;
      put(this.fields, h("p", { class: "quiet" }, "This signature takes tf.Examples: give their features as JSON."));
      this.own.value = '{"examples":[{}]}';
      this.inputs = null;
    }
    put(this.result);
    this.preview();
  }

  /** Return the body of the form's values; null if one of them cannot be read. */
  formBody(form = this.form) {
    if (!this.inputs) return null;
    const values = this.inputs.map((field) => [field.alias, field.read()]);
    return values.some(([, value]) => value === undefined) ? null : bodyOf(this.signature, values, form);
  }

  body() {
    return this.ownArea.open ? this.own.value : this.formBody();
  }

  /** Show the request in the chosen form. */
  preview() {
    if (!this.signature) return;
    const offered = this.api.snippets.filter((each) => !each.needsRows || this.form === "rows");
    const chosen = offered.find((each) => each.name === this.snippet) ?? offered[0];
    this.snippet = chosen.name;
    if (this.offered !== offered.length) {
      this.offered = offered.length;
      put(this.codeChoice, select("Request for", offered.map((each) => [each.name, each.name]), chosen.name,
        (name) => { this.snippet = name; this.preview(); }));
    }
    const rows = this.ownArea.open ? this.own.value : this.formBody(this.form);
    const columns = this.ownArea.open ? this.own.value : this.formBody("columns");
    if (rows === null) { this.code.textContent = "…"; return; }
    const request = { rows, columns, model: this.card.model, version: this.card.version, signature: this.signature,
      path: this.api.path(this.card, this.signature), origin: location.origin };
    this.codeText = chosen.write(request);
    this.code.textContent = shorten(this.codeText, LONGEST_SHOWN);
  }

  complain(text) {
    this.problem.hidden = text === "";
    this.problem.textContent = printable(shorten(text, 600));
  }

  async run() {
    const body = this.body();
    this.complain("");
    if (body === null || body === "") {
      this.complain("One of the inputs cannot be read: see the message below it.");
      this.inputs?.find((field) => field.read() === undefined)?.focus();
      return;
    }
    this.button.disabled = true;
    this.button.textContent = "Sending…";
    try {
      const answer = await this.ask(this.card.version, body);
      const other = this.other ? await this.ask(this.other, body) : null;
      put(this.result, timing(answer), answerView(answer, this.signature),
        other && differenceView(answer, other, this.card.version, this.other));
    } catch (error) {
      this.complain(`The server did not answer: ${error.message}`);
    } finally {
      this.button.disabled = false;
      this.button.textContent = "Send";
    }
  }

  async ask(version, body) {
    const answer = await this.api.send(this.api.path({ ...this.card, version }, this.signature), body);
    try { answer.document = parse(answer.text); } catch { answer.document = null; }
    return this.api.read?.(answer) ?? answer;
  }
}

export function timing(answer) {
  const split = answer.timings.map(([name, value]) => `${name} ${typeof value === "string" ? value : millis(value)}`).join(" · ");
  return h("p", { class: answer.status === 200 ? "timing" : "timing bad" },
    h("strong", {}, answer.status), ` in ${millis(answer.millis)} as the browser sees it`,
    answer.from && ` · from ${printable(answer.from)}`, split && ` · ${split}`);
}

/** Return an input's value in the sample request: of its first row, or its whole column. */
function sampleOf(signature, spec, form) {
  if (form === "rows") {
    const row = signature.rows?.instances?.[0];
    return signature.inputs.length === 1 || row === undefined ? row : row?.[spec.alias];
  }
  const columns = signature.columns?.inputs;
  if (columns === undefined || columns === null) return undefined;
  return !Array.isArray(columns) && typeof columns === "object" && spec.alias in columns ? columns[spec.alias] : columns;
}
