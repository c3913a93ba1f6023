// A drawing pad and a drop zone for inputs with the shape of an image.

import { h, select } from "./dom.js";

const LEAST = 8;
const MOST = 1024;
const PAD = 280;
const NAMES = /image|img|pixel|picture|photo|digit/i;

/** Return {height, width, channels, isFlat, isCertain} of a row's shape; null if it is no image. */
export function imageShape(shape, alias) {
  const isSide = (size) => size === null || (size >= LEAST && size <= MOST);
  if (shape.length === 3 && isSide(shape[0]) && isSide(shape[1]) && [1, 3, 4].includes(shape[2])) {
    return { height: shape[0], width: shape[1], channels: shape[2], isFlat: false, isCertain: true };
  }
  if (shape.length === 2 && shape[0] >= LEAST && shape[0] <= MOST && shape[0] === shape[1]) {
    return { height: shape[0], width: shape[1], channels: 0, isFlat: false, isCertain: true };
  }
  const side = Math.sqrt(shape[0] ?? 0);
  if (shape.length === 1 && Number.isInteger(side) && side >= LEAST && side <= MOST) {
    return { height: side, width: side, channels: 0, isFlat: true, isCertain: NAMES.test(alias) || side === 28 };
  }
  return null;
}

export class ImageField {
  constructor(id, spec, shape, image, changed) {
    this.image = image;
    this.changed = changed;
    this.isInteger = /^u?int/.test(spec.dtype);
    this.scale = this.isInteger ? "0 to 255" : "0 to 1";
    this.size = [image.height ?? 224, image.width ?? 224];
    this.cursor = [Math.floor(this.size[1] / 2), Math.floor(this.size[0] / 2)];
    this.pad = h("canvas", { id, width: PAD, height: Math.round(PAD * this.size[0] / this.size[1]), tabindex: 0, role: "application",
      "aria-label": "Drawing pad: draw with the pointer, or move with the arrow keys and paint with the space bar" });
    this.pen = this.pad.getContext("2d", { willReadFrequently: true });
    this.file = h("input", { type: "file", accept: "image/*", "aria-label": "Image file", onchange: () => this.load(this.file.files[0]) });
    const scales = (this.isInteger ? ["0 to 255"] : ["0 to 1", "0 to 255", "-1 to 1"]).map((name) => [name, name]);
    this.element = h("div", { class: "drop" }, this.pad,
      h("div", { class: "drop-tools" },
        h("p", { class: "quiet" }, `Draw, or drop an image here: ${this.size[0]} × ${this.size[1]} pixels`),
        this.file, select("Values from", scales, this.scale, (name) => { this.scale = name; changed(); }),
        h("button", { type: "button", onclick: () => this.clear() }, "Clear")));
    this.listen();
    this.paintAll("#000");
  }

  listen() {
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => { event.preventDefault(); this.load(event.dataTransfer.files[0]); });
    this.pad.addEventListener("pointerdown", (event) => { this.pad.setPointerCapture(event.pointerId); this.last = null; this.draw(event); });
    this.pad.addEventListener("pointermove", (event) => { if (event.buttons) this.draw(event); });
    this.pad.addEventListener("pointerup", () => this.changed());
    this.pad.addEventListener("keydown", (event) => this.key(event));
  }

  paintAll(colour) {
    this.pen.fillStyle = colour;
    this.pen.fillRect(0, 0, this.pad.width, this.pad.height);
  }

  clear() {
    this.paintAll("#000");
    this.changed();
  }

  draw(event) {
    const box = this.pad.getBoundingClientRect();
    this.line((event.clientX - box.left) * this.pad.width / box.width, (event.clientY - box.top) * this.pad.height / box.height);
  }

  line(x, y) {
    this.pen.strokeStyle = "#fff";
    this.pen.lineWidth = PAD / 13;
    this.pen.lineCap = "round";
    this.pen.beginPath();
    this.pen.moveTo(...(this.last ?? [x, y]));
    this.pen.lineTo(x, y);
    this.pen.stroke();
    this.last = [x, y];
  }

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    if (move) {
      this.cursor = this.cursor.map((at, axis) => Math.min(this.size[1 - axis] - 1, Math.max(0, at + move[axis])));
      if (!event.shiftKey) { this.last = null; return; }
    }
    this.line((this.cursor[0] + 0.5) * this.pad.width / this.size[1], (this.cursor[1] + 0.5) * this.pad.height / this.size[0]);
    this.changed();
  }

  async load(file) {
    if (!file) return;
    try {
      const picture = await createImageBitmap(file);
      if (this.image.height === null) this.size[0] = Math.min(MOST, picture.height);
      if (this.image.width === null) this.size[1] = Math.min(MOST, picture.width);
      this.paintAll("#000");
      this.pen.drawImage(picture, 0, 0, this.pad.width, this.pad.height);
      this.source = picture;
      this.changed();
    } catch {
      this.file.setCustomValidity("The browser cannot read this image.");
      this.file.reportValidity();
    }
  }

  /** Return the pad's pixels, scaled down to the input's size. */
  read() {
    const [height, width] = this.size;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(this.pad, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const pixel = (at) => this.pixel(data, at * 4);
    if (this.image.isFlat) return Array.from({ length: width * height }, (_, at) => pixel(at));
    return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => pixel(y * width + x)));
  }

  pixel(data, at) {
    const grey = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    if (this.image.channels === 0) return this.value(grey);
    if (this.image.channels === 1) return [this.value(grey)];
    return Array.from({ length: this.image.channels }, (_, channel) => this.value(data[at + channel]));
  }

  value(level) {
    if (this.scale === "0 to 255") return this.isInteger ? Math.round(level) : level;
    const share = this.scale === "-1 to 1" ? level / 127.5 - 1 : level / 255;
    return Math.round(share * 1e4) / 1e4;
  }

  focus() { this.pad.focus(); }
}
