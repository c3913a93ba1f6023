// The page: its sections, what is shown of them, and what the server sends.

import { h, put } from "./dom.js";
import { bytes, seconds } from "./format.js";
import { follow, setBearer } from "./server.js";
import { ModelsSection } from "./models.js";
import { TrafficSection } from "./traffic.js";
import { BatchingSection } from "./batching.js";
import { RecordedSection } from "./recorded.js";
import { CloudsSection } from "./clouds.js";
import { ReleasesSection } from "./releases.js";
import { CallsSection } from "./calls.js";
import { FaultsSection } from "./faults.js";

const STATES = {
  live: "live",
  lost: "no connection, trying again",
  locked: "a bearer token is needed",
  full: "too many pages are open",
};

const main = document.getElementById("main");
const sections = new Map([
  ["models", new ModelsSection()],
  ["traffic", new TrafficSection()],
  ["batching", new BatchingSection()],
  ["requests", new RecordedSection()],
  ["clouds", new CloudsSection()],
  ["releases", new ReleasesSection()],
  ["calls", new CallsSection()],
  ["faults", new FaultsSection()],
]);
const seen = new Set();
let facts = null;
let processFacts = null;

/** Show the section that the address names, else the first one that has data. */
function route() {
  const [name, ...words] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  const chosen = sections.has(name) && seen.has(name) ? name : [...sections.keys()].find((each) => seen.has(each));
  if (chosen === undefined) return;
  const section = sections.get(chosen);
  if (main.firstChild !== section.element) put(main, section.element);
  section.open(chosen === name ? words : []);
  for (const link of document.querySelectorAll("#sections a")) {
    link.toggleAttribute("aria-current", link.dataset.section === chosen);
    if (link.dataset.section === chosen) link.setAttribute("aria-current", "page");
  }
}

function decode(word) {
  try { return decodeURIComponent(word); } catch { return word; }
}

function handle(part, data) {
  if (part === "server") facts = data;
  if (part === "process") processFacts = data;
  for (const section of sections.values()) section.take(part, data);
  const name = part === "resources" ? "clouds" : part;
  if (sections.has(name) && !seen.has(name)) {
    seen.add(name);
    showSections();
    route();
  }
  if (part === "server" || part === "process") showFacts();
}

function showSections() {
  const listed = [...sections].filter(([name]) => seen.has(name));
  const links = listed.map(([name, section]) => {
    const link = h("a", { href: `#/${name}` }, section.title);
    link.dataset.section = name;
    return link;
  });
  put(document.getElementById("sections"), h("ul", {}, links.map((link) => h("li", {}, link))));
}

function showFacts() {
  if (facts === null) return;
  document.getElementById("kind").textContent = facts.kind;
  const parts = [
    ...facts.addresses.map((each) => [each.protocol, each.url]),
    ["cloudserve", facts.version],
    ["TensorFlow", facts.tensorflow || "not installed"],
    ["process", `${facts.process}, up ${seconds(Date.now() / 1000 - facts.started)}`],
    ["memory", bytes(processFacts?.resident_bytes)],
  ];
  const links = [
    facts.metrics && h("a", { href: facts.metrics }, "metrics"),
    facts.has_docs && h("a", { href: "/docs" }, "API reference"),
  ];
  put(document.getElementById("facts"),
    h("dl", {}, parts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    h("p", {}, links));
}

function show(state) {
  const live = document.getElementById("live");
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  document.body.classList.toggle("stale", state !== "live");
  put(live, STATES[state], state === "locked" && unlockForm());
}

function unlockForm() {
  const input = h("input", { type: "password", autocomplete: "off", "aria-label": "Bearer token" });
  const submit = (event) => { event.preventDefault(); setBearer(input.value.trim()); };
  return h("form", { onsubmit: submit }, input, h("button", { type: "submit" }, "Use token"));
}

addEventListener("hashchange", route);
follow(handle, show);
