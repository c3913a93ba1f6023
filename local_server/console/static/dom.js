// Elements made of text. Nothing here, or anywhere in the console, turns a string into HTML: names
// and payloads come from models and requests.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; attributes beginning with "on" are listeners, children may be nested lists. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an SVG element. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Replace what an element contains. */
export function put(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** Return a table of header texts and rows of cells; a cell is a string or a node. */
export function table(caption, heads, rows) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {},
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));
}

/** Return a bar of a share from 0 to 1; the number beside it is what a screen reader reads. */
export function bar(share) {
  const width = Math.round(1000 * Math.min(1, Math.max(0, share)));
  return svg("svg", { class: "bar-line", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width, height: 10 }));
}

/** Return a labelled select; options are [value, text]. */
export function select(label, options, chosen, onchange) {
  const element = h("select", { onchange: () => onchange(element.value) },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return h("label", { class: "choice" }, h("span", {}, label), element);
}

/** Return a button that copies a text, and says so. */
export function copyButton(what, read) {
  const button = h("button", { type: "button", class: "small", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(read());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}
