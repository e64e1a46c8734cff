// The seed: a new one for each picture, unless it is locked. Drawn here, so that it is always one that is exact in
// JavaScript and can be used again.

import { find, isPressed, press, setIcon } from "./dom.js";
import { Problem } from "./problem.js";

const KEY = "triptych.seed-locked";

export class Seed {
  #form;
  #lock = find("lock");

  constructor(form) {
    this.#form = form;
    this.locked = recall();
    this.#lock.addEventListener("click", () => {
      this.locked = !isPressed(this.#lock);
      if (this.locked && !this.#form.control("seed").value) this.#draw();
    });
    find("dice").addEventListener("click", () => this.#draw());
    form.control("seed").addEventListener("input", () => (this.locked = form.control("seed").value !== ""));
  }

  get locked() {
    return isPressed(this.#lock);
  }

  set locked(locked) {
    press(this.#lock, locked);
    setIcon(this.#lock, locked ? "locked" : "unlocked");
    try {
      localStorage[KEY] = String(locked);
    } catch {
      // it lasts until the page is closed
    }
  }

  /** The seed of the next picture. Throws a Problem. */
  next() {
    const text = this.#form.control("seed").value.trim();
    if (!this.locked || !text) return this.#draw();
    const seed = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
    throw new Problem(`Seed must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, or empty for a new one.`, "seed");
  }

  #draw() {
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    this.#form.fill({ seed: String(seed) });
    return seed;
  }
}

function recall() {
  try {
    return localStorage[KEY] === "true";
  } catch {
    return false;
  }
}
