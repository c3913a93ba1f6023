// Promotions and rollbacks of a project's models on these clouds: planned, shown, then carried out.

import { copyButton, h, put, select } from "./dom.js";
import { forgetRefused, showAccess } from "./access.js";
import { printable } from "./format.js";
import { change } from "./server.js";

const PLAN = "releases/plan";
const APPLY = "releases/apply";

export class ReleaseForm {
  constructor() {
    this.wanted = { operation: "promote", model: "", target: "", environment: null, version: "", percent: 100 };
    this.plan = null;
    this.choices = h("div", { class: "actions" });
    this.version = h("input", { type: "text", size: 16, placeholder: "the newest", "aria-label": "Version", oninput: () => this.take("version", this.version.value.trim()) });
    this.percent = h("input", { type: "text", inputmode: "numeric", size: 4, value: "100", "aria-label": "Percent of the traffic", oninput: () => this.take("percent", Number(this.percent.value)) });
    this.access = h("div", {});
    this.make = h("button", { type: "submit" }, "Show the plan");
    this.perform = h("button", { type: "button", class: "primary", onclick: () => this.carryOut() }, "Carry it out");
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.shown = h("div", { class: "result", "aria-live": "polite" });
    this.element = h("details", { class: "operation", hidden: true }, h("summary", {}, "Promote or roll back"),
      h("div", { class: "operation-body" }, this.access,
        h("form", { onsubmit: (event) => { event.preventDefault(); this.show(); } },
          this.choices, h("div", { class: "actions" }, this.make), this.problem), this.shown));
    this.showAccess();
  }

  showAccess() {
    showAccess(this.access, "promote and roll back", (may) => { this.may = may; this.allow(); });
  }

  allow(busy = false) {
    this.make.disabled = !this.may || busy;
    this.perform.disabled = !this.may || busy || this.plan === null;
  }

  /** Take the models and targets of the project file. */
  update(project) {
    if (JSON.stringify(project) === this.project) return;
    this.project = JSON.stringify(project);
    this.element.hidden = false;
    this.complain(project.problem);
    if (!project.models.includes(this.wanted.model)) this.wanted.model = project.models[0] ?? "";
    if (!project.targets.includes(this.wanted.target)) this.wanted.target = project.targets[0] ?? "";
    const known = ["", ...project.environments];
    if (!known.includes(this.wanted.environment)) this.wanted.environment = project.environment;
    this.environments = project.environments.length > 0 ? known : [];
    this.models = project.models;
    this.targets = project.targets;
    this.choose();
  }

  choose() {
    const isPromotion = this.wanted.operation === "promote";
    const named = (names) => names.map((name) => [name, printable(name)]);
    this.version.placeholder = isPromotion ? "the newest" : "the previous";
    put(this.choices,
      select("Operation", [["promote", "promote"], ["rollback", "roll back"]], this.wanted.operation, (value) => { this.take("operation", value); this.choose(); }),
      select("Model", named(this.models), this.wanted.model, (value) => this.take("model", value)),
      select("Target", named(this.targets), this.wanted.target, (value) => this.take("target", value)),
      this.environments.length > 0 && select("Environment", this.environments.map((name) => [name, printable(name) || "none"]), this.wanted.environment, (value) => this.take("environment", value)),
      h("label", { class: "choice" }, h("span", {}, isPromotion ? "Version" : "To version"), this.version),
      isPromotion && h("label", { class: "choice" }, h("span", {}, "Percent"), this.percent));
  }

  /** Take a choice; a plan that was shown is for another one. */
  take(field, value) {
    this.wanted[field] = value;
    this.asked = null;
    this.plan = null;
    put(this.shown);
    this.allow();
  }

  async show() {
    const percent = this.wanted.operation === "promote" ? this.wanted.percent : 100;
    if (!Number.isInteger(percent) || percent < 1 || percent > 100) {
      this.complain("The percentage of the traffic is a whole number from 1 to 100.");
      this.percent.focus();
      return;
    }
    const asked = { ...this.wanted, percent };
    this.asked = asked;
    await this.working(this.make, "Planning…", async () => {
      const plan = await change("POST", PLAN, JSON.stringify(asked));
      if (this.asked !== asked) return; // something else was chosen in the meantime
      this.plan = plan.actions.length > 0 ? plan.id : null;
      put(this.shown, planView(plan), h("div", { class: "code" }, h("h3", {}, "The command that does the same"),
        copyButton("the command", () => plan.command), h("pre", { tabindex: 0 }, printable(plan.command))),
      plan.actions.length > 0 && h("div", { class: "actions" }, this.perform));
    });
  }

  async carryOut() {
    const id = this.plan;
    this.plan = null;
    await this.working(this.perform, "Carrying it out…", async () => {
      const done = await change("POST", APPLY, JSON.stringify({ id }));
      put(this.shown, h("p", { class: done.is_done ? "timing" : "timing bad" }, h("strong", {}, done.is_done ? "done" : "stopped")),
        done.lines.length > 0 && h("pre", { tabindex: 0 }, printable(done.lines.join("\n"))),
        done.error && h("p", { class: "problem" }, printable(done.error)));
    });
  }

  async working(button, text, work) {
    const before = button.textContent;
    button.textContent = text;
    this.complain("");
    this.allow(true);
    try {
      await work();
    } catch (error) {
      put(this.shown);
      this.complain(error.message);
      if (forgetRefused(error)) this.showAccess();
    } finally {
      button.textContent = before;
      this.allow();
    }
  }

  complain(text) {
    this.problem.hidden = !text;
    this.problem.textContent = printable(text);
  }
}

function planView(plan) {
  return [h("p", {}, h("strong", {}, printable(plan.title))), h("p", { class: "quiet" }, printable(plan.destination)),
    plan.warnings.map((each) => h("p", { class: "problem" }, printable(each))),
    plan.gates.length > 0 && [h("h3", { class: "spaced" }, "Checked first"), list("ul", plan.gates)],
    plan.actions.length > 0 && [h("h3", { class: "spaced" }, "Steps"), list("ol", plan.actions)]];
}

function list(kind, sentences) {
  return h(kind, {}, sentences.map((each) => h("li", {}, printable(each))));
}
