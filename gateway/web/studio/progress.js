// How far the picture is: a bar and words to see, and now and then a sentence to hear.

import { find } from "./dom.js";
import { progressWords, stageName } from "./words.js";

const SPOKEN = 0.25; // of the steps between two sentences

export class Progress {
  #box = find("progress");
  #bar = this.#box.querySelector(".bar");
  #words = this.#box.querySelector("p");
  #spoken = "";

  begin() {
    this.#box.hidden = false;
    this.#spoken = "";
    this.#fill(null);
    this.#tell("Sending it to the gateway");
    this.say("Generating");
  }

  /** Takes an event `progress`. */
  show(progress) {
    const { stage, state, step, steps } = progress;
    const running = state === "running" && steps > 0;
    this.#fill(stage === "decoder" ? 1 : running ? step / steps : null);
    this.#tell(progressWords(progress));
    const part = running ? Math.floor(step / steps / SPOKEN) * SPOKEN * 100 : 0;
    const spoken = `${stageName(stage)}, ${state}${part ? `, ${part} %` : ""}`;
    if (spoken !== this.#spoken) this.say(part ? spoken : progressWords(progress));
    this.#spoken = spoken;
  }

  end(sentence) {
    this.#box.hidden = true;
    this.say(sentence);
  }

  /** For those who listen. */
  say(sentence) {
    find("said").textContent = sentence;
  }

  #fill(part) {
    this.#bar.classList.toggle("unknown", part === null);
    this.#bar.firstChild.style.inlineSize = part === null ? "" : `${part * 100}%`;
    if (part === null) this.#bar.removeAttribute("aria-valuenow");
    else this.#bar.setAttribute("aria-valuenow", Math.round(part * 100));
  }

  #tell(words) {
    this.#words.textContent = words;
    this.#bar.setAttribute("aria-valuetext", words);
  }
}
