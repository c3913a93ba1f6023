// The list of models, and the chosen version: its signatures and the form to try it.

import { h, put, table } from "./dom.js";
import { bytes, count, millis, printable, seconds, tensorType } from "./format.js";
import { record } from "./server.js";
import { ModelChange } from "./changes.js";
import { TryIt } from "./tryit.js";

const MOST_LISTED = 200;

export class ModelsSection {
  title = "Models";

  constructor() {
    this.models = [];
    this.traffic = new Map();
    this.chosen = null;
    this.shown = null;
    this.filter = h("input", { type: "search", placeholder: "Filter models", "aria-label": "Filter models", oninput: () => this.list() });
    this.summary = h("p", { class: "quiet", role: "status" });
    this.rail = h("ul", { class: "rail", onkeydown: (event) => this.moveInRail(event) });
    this.versions = h("div", {});
    this.policy = h("p", { class: "quiet policy" });
    this.change = new ModelChange();
    this.card = h("div", { class: "card-area" });
    this.heading = h("h2", {}, "Models");
    this.element = h("div", { class: "columns" },
      h("aside", { "aria-label": "Models" }, this.filter, this.summary, this.rail),
      h("section", { class: "detail" }, this.heading, this.versions, this.policy, this.change.element, this.card));
  }

  take(part, data) {
    if (part === "server") this.facts = data;
    if (part === "models") {
      this.models = data;
      this.list();
      this.choose(this.chosen ?? []);
    } else if (part === "traffic") {
      this.traffic = new Map(data.versions.map((each) => [`${each.model}\n${each.version}`, [each, data.seconds]]));
      this.showVersions();
    }
  }

  open(words) {
    this.choose(words.length > 0 ? words : this.chosen ?? []);
  }

  /** Show the models whose name has the filter's text. */
  list() {
    const wanted = this.filter.value.trim().toLowerCase();
    const found = this.models.filter((model) => model.name.toLowerCase().includes(wanted));
    const available = this.models.filter((model) => bestVersion(model)?.state === "AVAILABLE").length;
    this.summary.textContent = `${count(this.models.length)} ${this.models.length === 1 ? "model" : "models"}, ${count(available)} available` +
      (found.length > MOST_LISTED ? `; the first ${MOST_LISTED} of ${count(found.length)} are listed` : "");
    const focused = this.rail.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    put(this.rail, found.slice(0, MOST_LISTED).map((model) => h("li", {}, this.link(model))));
    this.markCurrent();
    if (focused !== null) [...this.rail.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  }

  /** Move between the models by the arrow keys; one of them is a stop of the tab key. */
  moveInRail(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const links = [...this.rail.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement) + steps[event.key];
    links[Math.min(links.length - 1, Math.max(0, at))]?.focus();
  }

  markCurrent() {
    const links = [...this.rail.querySelectorAll("a")];
    const wanted = `#/models/${encodeURIComponent(this.model?.name ?? "")}`;
    const current = links.find((link) => link.getAttribute("href") === wanted);
    for (const link of links) {
      link.tabIndex = link === (current ?? links[0]) ? 0 : -1;
      if (link === current) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  }

  link(model) {
    const state = bestVersion(model)?.state ?? "NO VERSION";
    return h("a", { href: `#/models/${encodeURIComponent(model.name)}` },
      h("span", { class: "name" }, printable(model.name)), badge(state));
  }

  /** Choose a model and a version; without words the first model and its highest version. */
  choose([name, version]) {
    this.model = this.models.find((model) => model.name === name) ?? this.models[0];
    if (this.model === undefined) {
      put(this.card, h("p", { class: "quiet" }, "This server has no models."));
      return;
    }
    this.chosen = [this.model.name, version];
    this.version = this.model.versions.find((each) => each.version === version) ?? bestVersion(this.model);
    this.heading.textContent = printable(this.model.name);
    this.markCurrent();
    this.policy.textContent = this.model.policy && `Served: ${printable(this.model.policy)}.` +
      (this.model.unserved.length > 0 ? ` Not served: ${this.model.unserved.slice(0, 20).join(", ")}.` : "");
    this.change.update(this.model, this.facts);
    this.showVersions();
    this.showCard();
  }

  showVersions() {
    if (this.model === undefined) return;
    if (this.model.versions.length === 0) {
      put(this.versions, h("p", { class: "problem" }, printable(this.model.problem || "no version")));
      return;
    }
    const heads = ["Version", "State", "Labels", "Loaded in", "Files", "Requests/s", "Median"];
    const rows = this.model.versions.map((each) => this.versionCells(each));
    put(this.versions, table("Versions", heads, rows),
      this.model.versions.filter((each) => each.message).map((each) =>
        h("p", { class: "problem" }, `Version ${each.version}: ${printable(each.message)}`)));
  }

  versionCells(each) {
    const href = `#/models/${encodeURIComponent(this.model.name)}/${each.version}`;
    const [rates, interval] = this.traffic.get(`${this.model.name}\n${each.version}`) ?? [null, 1];
    return [
      h("a", { href, "aria-current": each === this.version && "true" }, each.version),
      badge(each.state),
      each.labels.map(printable).join(", ") || "–",
      seconds(each.load_seconds),
      bytes(each.file_bytes),
      rates ? (rates.requests / interval).toFixed(1) : "0",
      millis(rates?.millis[0]),
    ];
  }

  /** Fetch and show the signatures, unless they are shown already. */
  async showCard() {
    const wanted = JSON.stringify([this.model.name, this.version?.version, this.version?.state, this.version?.load_seconds]);
    if (wanted === this.shown) {
      this.tryIt?.update(this.model);
      this.tryIt?.fill();
      return;
    }
    this.shown = wanted;
    this.tryIt = null;
    if (this.version?.state !== "AVAILABLE") {
      put(this.card, this.version && h("p", { class: "quiet" }, `Version ${this.version.version} is ${this.version.state}: it answers no requests.`));
      return;
    }
    try {
      const card = await record("models", this.model.name, this.version.version);
      if (wanted !== this.shown) return;
      this.tryIt = new TryIt(card, this.model);
      put(this.card, signatureCards(card), this.tryIt.element);
    } catch (error) {
      this.shown = null;
      put(this.card, h("p", { class: "problem" }, error.message));
    }
  }
}

function bestVersion(model) {
  return model.versions.find((each) => each.state === "AVAILABLE") ?? model.versions[0];
}

export function badge(state) {
  const kinds = { AVAILABLE: "good", END: "bad", "NO VERSION": "bad" };
  return h("span", { class: `badge ${kinds[state] ?? "busy"}` }, state.toLowerCase());
}

function signatureCards(card) {
  return h("section", { "aria-label": "Signatures" }, h("h3", {}, "Signatures"),
    card.signatures.map((signature, index) => h("details", { open: index === 0 },
      h("summary", {}, h("code", {}, printable(signature.name)), " ", h("span", { class: "quiet" }, signature.method)),
      table(`Tensors of ${signature.name}`, ["Side", "Name", "Type"], [
        ...signature.inputs.map((spec) => tensorCells("in", spec)),
        ...signature.outputs.map((spec) => tensorCells("out", spec)),
      ]))));
}

function tensorCells(direction, spec) {
  return [direction, h("code", {}, printable(spec.alias)), tensorType(spec) + (spec.is_optional ? ", optional" : "")];
}
