// A reader of /openapi.json: the operations of each model, their bodies, examples and errors.

import { copyButton, h, put, table } from "./dom.js";
import { count, printable, shorten } from "./format.js";
import { fetchJson, setBearer } from "./server.js";

const LONGEST = 3000;
const MOST_MODELS = 200;
const main = document.getElementById("main");
let root = null;

/** Return what a reference names. */
function resolve(node) {
  if (!node?.$ref) return node;
  return node.$ref.replace(/^#\//, "").split("/").reduce((at, word) => at?.[word.replaceAll("~1", "/").replaceAll("~0", "~")], root);
}

/** Return a schema as one line of text: {"instances": [[number × 784]]}. */
function schemaText(given, depth = 0) {
  const schema = resolve(given) ?? {};
  if (depth > 12) return "…";
  const next = (one) => schemaText(one, depth + 1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return [...new Set(schema.anyOf.map(next))].join(" or ");
  if (schema.prefixItems) return `[${schema.prefixItems.map(next).join(", ")}]`;
  if (schema.type === "array") {
    const size = schema.minItems !== undefined && schema.minItems === schema.maxItems ? ` × ${schema.minItems}` : ", …";
    return schema.items ? `[${next(schema.items)}${size}]` : "[…]";
  }
  if (schema.type === "object") {
    const optional = (key) => (schema.required?.includes(key) ? "" : "?");
    const pairs = Object.entries(schema.properties ?? {}).map(([key, one]) => `"${key}"${optional(key)}: ${next(one)}`);
    return pairs.length > 0 ? `{${pairs.join(", ")}}` : "{…}";
  }
  return schema.type ?? schema.description ?? "any value";
}

/** Return the texts of the alternatives of a body. */
function forms(given) {
  const schema = resolve(given);
  return (schema.anyOf ?? [schema]).map((each) => schemaText(each));
}

/** Return a text with what is between backticks as code. */
function withCode(text) {
  return printable(text).split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

function operationView(path, method, operation, parameters) {
  const content = operation.requestBody?.content?.["application/json"];
  const answers = Object.entries(operation.responses ?? {}).map(([code, given]) => {
    const answer = resolve(given);
    const schema = answer.content?.["application/json"]?.schema;
    return [code, h("span", {}, printable(answer.description ?? "")), schema ? h("code", {}, shorten(schemaText(schema), 600)) : ""];
  });
  const listed = table(`Answers of ${method} ${path}`, ["Status", "Meaning", "Body"], answers);
  for (const row of listed.querySelectorAll("tbody tr")) row.lastChild.className = "wrap";
  return h("details", { class: "operation" },
    h("summary", {}, h("span", { class: `badge ${method === "get" ? "good" : "busy"}` }, method.toUpperCase()), " ",
      h("code", {}, printable(path)), " ", h("span", { class: "quiet" }, withCode(operation.summary ?? ""))),
    h("div", { class: "operation-body" },
      parameters.map((each) => h("p", {}, h("code", {}, each.name), ": ",
        each.schema?.enum ? `one of ${each.schema.enum.join(", ")}` : each.schema?.type ?? "")),
      content && [h("h4", {}, "Body"), h("pre", { tabindex: 0 }, shorten(forms(content.schema).join("\nor\n"), LONGEST)),
        Object.entries(content.examples ?? {}).map(([name, example]) => exampleView(path, name, example.value))],
      h("h4", {}, "Answers"), listed));
}

function exampleView(path, name, value) {
  const body = JSON.stringify(value);
  const quoted = `'${body.replaceAll("'", "'\\''")}'`;
  const command = `curl -d ${quoted} '${location.origin}${path}'`;
  return h("div", { class: "code" }, h("h4", {}, `Example: ${printable(name)}`), copyButton(`the example ${name}`, () => command),
    h("pre", { tabindex: 0 }, shorten(command, LONGEST)));
}

/** Return the operations by the model that they belong to. */
function byModel() {
  const models = new Map();
  for (const [path, item] of Object.entries(root.paths ?? {})) {
    for (const method of ["get", "post"]) {
      const operation = item[method];
      if (!operation) continue;
      const model = operation.tags?.[0] ?? "";
      if (!models.has(model)) models.set(model, []);
      models.get(model).push([path, method, operation, item.parameters ?? []]);
    }
  }
  return [...models];
}

function show() {
  const all = byModel();
  const list = h("div", {});
  const filter = h("input", { type: "search", placeholder: "Filter models", "aria-label": "Filter models", oninput: () => fill() });
  const fill = () => {
    const found = all.filter(([name]) => name.toLowerCase().includes(filter.value.trim().toLowerCase()));
    put(list, found.slice(0, MOST_MODELS).map(([name, operations]) => h("section", {}, h("h3", {}, printable(name)),
      operations.map((each) => operationView(...each)))),
    found.length > MOST_MODELS && h("p", { class: "quiet" }, `and ${count(found.length - MOST_MODELS)} more models`));
  };
  put(main, h("section", { class: "wide" }, h("h2", {}, printable(root.info?.title ?? "API")),
    h("p", { class: "quiet" }, printable(root.info?.description ?? "")), all.length > 5 && filter, list));
  fill();
}

/** Fetch the document; a server with tokens is asked again with one. */
async function load() {
  try {
    root = await fetchJson("/openapi.json");
    show();
  } catch (error) {
    const input = h("input", { type: "password", autocomplete: "off", "aria-label": "Bearer token" });
    const submit = (event) => { event.preventDefault(); setBearer(input.value.trim()); load(); };
    put(main, h("p", { class: "problem" }, error.message),
      h("form", { class: "actions", onsubmit: submit }, input, h("button", { type: "submit" }, "Use token")));
  }
}

load();
