// What has gone wrong, in words; and short notes that go by themselves.

import { find } from "./dom.js";

const TOAST_MS = 8000;

export class Notice {
  #problem = find("problem");
  #toast = find("toast");
  #timer = null;
  #undo = null;

  constructor() {
    this.#problem.querySelector("button").addEventListener("click", () => this.clear());
    this.#toast.querySelector("button").addEventListener("click", () => {
      this.#undo?.();
      this.#toast.hidden = true;
    });
  }

  show(problem) {
    this.#problem.querySelector("p").textContent = problem.message;
    this.#problem.hidden = false;
    this.#problem.scrollIntoView({ block: "nearest" });
  }

  clear() {
    this.#problem.hidden = true;
  }

  /** A note; with `undo` it offers to take back what it tells. */
  toast(sentence, undo = null) {
    clearTimeout(this.#timer);
    this.#undo = undo;
    this.#toast.querySelector("span").textContent = sentence;
    this.#toast.querySelector("button").hidden = !undo;
    this.#toast.hidden = false;
    this.#timer = setTimeout(() => (this.#toast.hidden = true), TOAST_MS);
  }
}
