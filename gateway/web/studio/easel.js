// The middle panel: the input with its mask, or what was made of it.

import { find, make, press } from "./dom.js";
import { setShape, showPreview } from "./pictures.js";
import { modeName } from "./words.js";

const NARROW = "(max-width: 59.99rem)"; // where the picture is below the form
const HIDDEN_IN_TEXT = ["faces", "drop", "paint", "tools", "input-tools"];

export class Easel {
  #input;
  #painter;
  #mode = "txt2img";
  #face = "result";
  #records = [];
  #addresses = [];
  #chosen;

  /** `chosen` is called with a record when one of several is chosen. */
  constructor(input, painter, chosen) {
    this.#input = input;
    this.#painter = painter;
    this.#chosen = chosen;
    find("show-input").addEventListener("click", () => this.show("input"));
    find("show-result").addEventListener("click", () => this.show("result"));
  }

  set mode(mode) {
    this.#mode = mode;
    find("mask").hidden = mode !== "inpaint";
    this.show(mode === "txt2img" ? "result" : "input");
  }

  get #isBusy() {
    const { classList } = find("mat");
    return classList.contains("working") || classList.contains("forming");
  }

  /** Shows one of its two faces, "input" or "result". */
  show(face) {
    this.#face = face;
    const isInput = face === "input";
    const has = this.#input.picture !== null;
    for (const id of HIDDEN_IN_TEXT) find(id).hidden = true;
    find("faces").hidden = this.#mode === "txt2img";
    find("drop").hidden = !isInput || has;
    find("paint").hidden = find("input-tools").hidden = !isInput || !has;
    find("tools").hidden = !isInput || !has || this.#mode !== "inpaint";
    const filled = find("pictures").children.length > 0;
    find("pictures").hidden = isInput || !filled;
    find("empty").hidden = isInput || filled;
    find("caption").hidden = isInput || !this.#records.length || this.#isBusy;
    press(find("show-input"), isInput);
    press(find("show-result"), !isInput);
  }

  /** There is another input picture: it gets an empty mask. */
  inputChanged() {
    const { picture, width, height } = this.#input;
    const image = find("input-picture");
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(picture);
    image.alt = `The input for ${modeName(this.#mode)}, ${width} by ${height} pixels`;
    setShape(find("paint"), width, height);
    this.#painter.begin(width, height);
    find("input-size").textContent = `${width} × ${height} pixels`;
    this.show("input");
  }

  /** Something is being made: what is shown is dimmed until there is a preview of it. The face shown before. */
  begin() {
    const face = this.#face;
    find("mat").classList.add("working");
    this.show("result");
    if (matchMedia(NARROW).matches) find("easel").scrollIntoView({ behavior: "smooth" });
    return face;
  }

  preview({ images }) {
    const list = find("pictures");
    let canvases = [...list.querySelectorAll("canvas")];
    if (canvases.length !== images.length) {
      canvases = images.map(() => make("canvas", { className: "preview", role: "img", ariaLabel: "Preview" }));
      list.replaceChildren(...canvases);
      list.dataset.count = images.length;
    }
    images.forEach((data, index) => showPreview(canvases[index], data));
    find("mat").classList.remove("working");
    find("mat").classList.add("forming");
    if (this.#face === "result") this.show("result");
  }

  /** Nothing has come of it: shows what there was before. */
  giveUp(face) {
    this.hang(this.#records, face);
  }

  /** Shows pictures; the first is chosen. */
  hang(records, face = "result") {
    find("mat").classList.remove("working", "forming");
    this.#records = records;
    for (const address of this.#addresses) URL.revokeObjectURL(address);
    this.#addresses = records.map((record) => URL.createObjectURL(record.picture));
    const several = records.length > 1;
    const items = records.map((record, index) => this.#frame(record, this.#addresses[index], several));
    find("pictures").replaceChildren(...items);
    find("pictures").dataset.count = records.length;
    this.show(face);
    if (records.length) this.#choose(items[0], records[0]);
  }

  #frame(record, address, several) {
    const image = make("img", { src: address, alt: `“${record.values.prompt}”, seed ${record.seed ?? "unknown"}` });
    setShape(image, record.width, record.height);
    if (!several) return image;
    const button = make("button", { type: "button", className: "frame", ariaPressed: "false" }, image);
    button.addEventListener("click", () => this.#choose(button, record));
    return button;
  }

  #choose(item, record) {
    for (const button of find("pictures").querySelectorAll("button")) press(button, button === item);
    this.#chosen(record);
  }
}
