// One field for each input: a text box for strings, a grid for short vectors, a paste of JSON or
// CSV for long ones, and a drawing pad and drop zone for what has the shape of an image.

import { h, put, select } from "./dom.js";
import { printable, tensorType } from "./format.js";
import { Exact, parse, write } from "./json.js";
import { ImageField, imageShape } from "./image_field.js";
import { readNumbers, zeros } from "./numbers.js";

const MOST_CELLS = 64;
const BINARY = /image|jpe?g|png|b64|bytes|audio|wav|file/i;

/** How many fields were made: several forms may have inputs of the same name. */
let fields = 0;

/** Return the field of an input: {alias, element, read(), focus()}; read() is undefined for bad text. */
export function fieldFor(spec, byRow, sample, changed) {
  const shape = spec.shape === null ? null : byRow ? spec.shape.slice(1) : spec.shape;
  fields += 1;
  const id = `field-${fields}`;
  const controls = controlsFor(spec, shape, sample, id, changed);
  const element = h("fieldset", {}, h("legend", {}, h("code", {}, printable(spec.alias)), " ",
    h("span", { class: "quiet" }, tensorType(spec))));
  const field = { alias: spec.alias, element, read: () => undefined, focus: () => undefined };
  const use = (control) => {
    field.read = () => control.read();
    field.focus = () => control.focus();
    put(area, control.element);
    changed();
  };
  const area = h("div", {});
  if (controls.length > 1) {
    element.append(select("Enter as", controls.map(([name]) => [name, name]), controls[0][0],
      (name) => use(controls.find((each) => each[0] === name)[1])));
  }
  element.append(area);
  use(controls[0][1]);
  return field;
}

function controlsFor(spec, shape, sample, id, changed) {
  const value = sample ?? (shape === null ? 0 : zeros(shape, spec.dtype));
  if (!spec.takes_json) return [["JSON", new TextField(id, spec, shape, value)]];
  if (spec.dtype === "string") return stringControls(spec, shape, sample, id, changed);
  if (shape === null) return [["values", new TextField(id, spec, shape, value)]];
  const cells = shape.reduce((product, size) => product * (size ?? Infinity), 1);
  const values = cells <= MOST_CELLS && shape.length <= 2
    ? new GridField(id, spec, shape, value) : new TextField(id, spec, shape, value);
  const image = imageShape(shape, spec.alias);
  const paste = values instanceof GridField && cells > 1 ? [["JSON or CSV", new TextField(`${id}-text`, spec, shape, value)]] : [];
  if (image === null) return [["values", values], ...paste];
  const drawn = ["image", new ImageField(id, spec, shape, image, changed)];
  return image.isCertain ? [drawn, ["values", values]] : [["values", values], ...paste, drawn];
}

function stringControls(spec, shape, sample, id, changed) {
  if (shape === null || shape.length > 0) return [["JSON", new TextField(id, spec, shape, sample ?? [""])]];
  const text = ["text", new StringField(id, typeof sample === "string" ? sample : "")];
  const file = ["file", new FileField(id, changed)];
  return BINARY.test(spec.alias) ? [file, text] : [text, file];
}

/** A text of one string. */
class StringField {
  constructor(id, text) {
    this.element = h("textarea", { id, rows: 2, "aria-label": "Text" });
    this.element.value = text;
  }
  read() { return this.element.value; }
  focus() { this.element.focus(); }
}

/** Numbers as JSON, CSV, or words between spaces. */
class TextField {
  constructor(id, spec, shape, value) {
    this.spec = spec;
    this.shape = shape;
    this.note = h("p", { id: `${id}-note`, class: "problem", hidden: true });
    this.area = h("textarea", { id, rows: 4, spellcheck: "false", "aria-label": "Values as JSON or CSV", "aria-describedby": `${id}-note` });
    this.area.value = write(value);
    this.element = h("div", {}, this.area, this.note);
  }

  read() {
    try {
      const value = this.spec.dtype === "string" || !this.spec.takes_json
        ? parse(this.area.value) : readNumbers(this.area.value, this.shape, this.spec.dtype);
      this.complain("");
      return value;
    } catch (error) {
      this.complain(error.message);
      return undefined;
    }
  }

  complain(text) {
    this.note.hidden = text === "";
    this.note.textContent = text;
    this.area.setAttribute("aria-invalid", text !== "");
  }

  focus() { this.area.focus(); }
}

/** A box for each number of a scalar, a vector or a matrix. */
class GridField {
  constructor(id, spec, shape, value) {
    this.spec = spec;
    this.shape = shape;
    const [rows, columns] = shape.length === 2 ? shape : [1, shape[0] ?? 1];
    const flat = (Array.isArray(value) ? value.flat(Infinity) : [value]);
    this.cells = Array.from({ length: rows * columns }, (_, index) => this.cell(index, columns, flat[index] ?? 0));
    const lines = Array.from({ length: rows }, (_, row) =>
      h("div", { class: "grid-row" }, this.cells.slice(row * columns, (row + 1) * columns)));
    this.element = h("div", { class: "grid", id }, lines);
  }

  cell(index, columns, value) {
    const place = this.shape.length === 0 ? "Value"
      : this.shape.length === 1 ? `Value ${index}` : `Row ${Math.floor(index / columns)}, column ${index % columns}`;
    if (this.spec.dtype === "bool") return h("input", { type: "checkbox", "aria-label": place, checked: value === true });
    return h("input", { type: "text", inputmode: "decimal", "aria-label": place, size: 8,
      value: value instanceof Exact ? value.text : String(value) });
  }

  read() {
    const values = this.cells.map((cell) => this.readCell(cell));
    if (values.includes(undefined)) return undefined;
    if (this.shape.length === 0) return values[0];
    if (this.shape.length === 1) return values;
    return Array.from({ length: this.shape[0] }, (_, row) => values.slice(row * this.shape[1], (row + 1) * this.shape[1]));
  }

  readCell(cell) {
    if (cell.type === "checkbox") return cell.checked;
    try {
      const value = readNumbers(cell.value, [], this.spec.dtype);
      cell.removeAttribute("aria-invalid");
      return value;
    } catch (error) {
      cell.setAttribute("aria-invalid", "true");
      cell.title = error.message;
      return undefined;
    }
  }

  focus() { (this.cells.find((cell) => cell.getAttribute("aria-invalid")) ?? this.cells[0]).focus(); }
}

/** The bytes of a file, as TensorFlow Serving's {"b64": …}. */
class FileField {
  constructor(id, changed) {
    this.value = { b64: "" };
    this.name = h("span", { class: "quiet" }, "no file");
    this.input = h("input", { type: "file", id, "aria-label": "File", onchange: () => this.load(this.input.files[0], changed) });
    this.element = h("div", { class: "drop" }, this.input, this.name);
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => { event.preventDefault(); this.load(event.dataTransfer.files[0], changed); });
  }

  async load(file, changed) {
    if (!file) return;
    const octets = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let at = 0; at < octets.length; at += 8192) text += String.fromCharCode(...octets.subarray(at, at + 8192));
    this.value = { b64: btoa(text) };
    this.name.textContent = `${printable(file.name)}, ${octets.length} bytes`;
    changed();
  }

  read() { return this.value; }
  focus() { this.input.focus(); }
}
