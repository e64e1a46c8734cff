// Painting the mask on the input picture, with a pointer or with the keyboard.

import { find, isPressed, press } from "./dom.js";
import { Strokes, drawStroke, givenMask, maskFile } from "./strokes.js";

const COLOUR = "#3f57e0";
const STEP = 0.02; // of the picture's shorter side, for an arrow key
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Painter {
  #canvas = find("mask");
  #ring = find("ring");
  #strokes = new Strokes();
  #stroke = null;
  #at = [0, 0];

  constructor() {
    this.#canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) this.#canvas.addEventListener(name, () => (this.#stroke = null));
    this.#canvas.addEventListener("pointerleave", () => (this.#ring.hidden = true));
    this.#canvas.addEventListener("blur", () => (this.#ring.hidden = true));
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
    for (const [id, kind] of [["brush", "paint"], ["eraser", "erase"]]) find(id).addEventListener("click", () => this.use(kind));
    find("undo").addEventListener("click", () => this.undo());
    find("redo").addEventListener("click", () => this.redo());
    for (const kind of ["invert", "clear"]) find(kind).addEventListener("click", () => this.#whole(kind));
  }

  /** An empty mask for a picture of this size. */
  begin(width, height) {
    Object.assign(this.#canvas, { width, height });
    this.#at = [width / 2, height / 2];
    this.#strokes.forget();
    this.#show();
  }

  /** Paints the mask of this file. */
  async give(file) {
    this.#strokes.add(await givenMask(file, COLOUR));
    this.#show();
  }

  /** The mask as a PNG file, white where it is painted; null where nothing is. */
  file() {
    return maskFile(this.#canvas);
  }

  use(kind) {
    press(find("brush"), kind === "paint");
    press(find("eraser"), kind === "erase");
  }

  undo() {
    this.#strokes.undo();
    this.#show();
  }

  redo() {
    this.#strokes.redo();
    this.#show();
  }

  #whole(kind) {
    this.#strokes.add({ kind });
    this.#show();
  }

  #show() {
    this.#strokes.draw(this.#canvas, COLOUR);
    this.#offer();
  }

  #offer() {
    find("undo").disabled = !this.#strokes.canUndo;
    find("redo").disabled = !this.#strokes.canRedo;
  }

  get #size() {
    const shorter = Math.min(this.#canvas.width, this.#canvas.height);
    return Math.max(1, (shorter * find("brush-size").valueAsNumber) / 100);
  }

  #start(point) {
    const kind = isPressed(find("eraser")) ? "erase" : "paint";
    this.#stroke = { kind, size: this.#size, points: [point] };
    this.#strokes.add(this.#stroke);
    this.#extend();
    this.#offer();
  }

  #extend() {
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    drawStroke(context, this.#stroke, COLOUR, this.#stroke.points.length - 1);
  }

  #begin(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    this.#canvas.focus({ preventScroll: true });
    this.#canvas.setPointerCapture(event.pointerId);
    this.#start(this.#point(event));
  }

  #move(event) {
    this.#at = this.#point(event);
    this.#showRing();
    if (!this.#stroke) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const one of between.length ? between : [event]) {
      this.#stroke.points.push(this.#point(one));
      this.#extend();
    }
  }

  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.#canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.#canvas.height;
    return [x, y];
  }

  #showRing() {
    const scale = this.#canvas.clientWidth / this.#canvas.width;
    const side = this.#size * scale;
    const [x, y] = this.#at.map((value) => value * scale);
    this.#ring.hidden = false;
    Object.assign(this.#ring.style, {
      inlineSize: `${side}px`,
      blockSize: `${side}px`,
      transform: `translate(${x - side / 2}px, ${y - side / 2}px)`,
    });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = this.#action(event);
    if (!act) return;
    event.preventDefault();
    act();
    this.#showRing();
  }

  #action({ key, shiftKey }) {
    if (key in ARROWS) return () => this.#walk(ARROWS[key], shiftKey);
    return {
      " ": () => {
        this.#start(this.#at);
        this.#stroke = null;
      },
      b: () => this.use("paint"),
      e: () => this.use("erase"),
      "[": () => find("brush-size").stepDown(2),
      "]": () => find("brush-size").stepUp(2),
    }[key];
  }

  #walk([x, y], draws) {
    const { width, height } = this.#canvas;
    const step = Math.max(1, Math.min(width, height) * STEP);
    const from = this.#at;
    const within = (value, most) => Math.min(most, Math.max(0, value));
    this.#at = [within(from[0] + x * step, width), within(from[1] + y * step, height)];
    if (!draws) return;
    this.#start(from);
    this.#stroke.points.push(this.#at);
    this.#extend();
    this.#stroke = null;
  }
}
