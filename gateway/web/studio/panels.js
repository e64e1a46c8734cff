// The strip of panels: where each stage runs, how it is, and its share of the last picture's time.

import { find, make } from "./dom.js";
import { getStages } from "./gateway.js";
import { isReady, percent, place, seconds, stageName, stateName } from "./words.js";

const CALM_MS = 10_000;
const WAITING_MS = 2_000;
const DENOISERS = ["diffusion", "inpainting"];
const LATER = { text_encoder: 0, diffusion: 1, inpainting: 1, decoder: 2, all_in_one: 3 };

/** Polls the stages, gently and only while the page is seen. `learn` gets the list, or null without a gateway. */
export class Panels {
  #list = find("panels");
  #panels = new Map();
  #learn;
  #timer = null;

  constructor(learn) {
    this.#learn = learn;
    document.addEventListener("visibilitychange", () => this.poll());
    for (const event of ["online", "key"]) window.addEventListener(event, () => this.poll());
  }

  async poll() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const stages = await getStages().catch(() => null);
    if (stages) this.#show(stages.filter((stage) => stage.model === null));
    else this.#lose();
    this.#learn(stages);
    const calm = stages?.every((stage) => stage.replicas.some((replica) => isReady(replica.state)));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.poll(), calm ? CALM_MS : WAITING_MS);
  }

  /** Shows which stage is at work, from an event `progress`. */
  work({ stage, step, steps }) {
    for (const [name, panel] of this.#panels) {
      panel.working = name === stage;
      if (panel.working) panel.fill(steps ? step / steps : 0.5);
      else if (LATER[name] < LATER[stage]) panel.fill(1);
      else panel.fill(0);
    }
  }

  rest() {
    for (const panel of this.#panels.values()) {
      panel.working = false;
      panel.fill(0);
    }
  }

  /** Shows each stage's part in the time of a picture, from the answer's `stages`. */
  share(calls) {
    const whole = calls.reduce((sum, call) => sum + call.seconds, 0) || 1;
    for (const [name, panel] of this.#panels) {
      const own = calls.filter((call) => call.stage === name);
      panel.share(own.reduce((sum, call) => sum + call.seconds, 0), whole, own.at(-1)?.replica);
    }
  }

  #show(stages) {
    const names = stages.map((stage) => stage.stage);
    if (names.join() !== [...this.#panels.keys()].join()) this.#hang(names);
    for (const stage of stages) this.#panels.get(stage.stage).state(stage.replicas);
  }

  #hang(names) {
    this.#panels = new Map(names.map((name) => [name, new Panel(name)]));
    const middle = names.filter((name) => DENOISERS.includes(name));
    const items = names.filter((name) => !DENOISERS.includes(name) || name === middle[0]);
    this.#list.replaceChildren(
      ...items.map((name) => {
        const inside = name === middle[0] ? middle : [name];
        return make("li", { className: `panel ${name}` }, ...inside.map((one) => this.#panels.get(one).element));
      }),
    );
  }

  #lose() {
    if (!this.#panels.size) this.#hang(["text_encoder", "diffusion", "decoder"]);
    for (const panel of this.#panels.values()) panel.lost();
  }
}

class Panel {
  #state = make("p", { className: "state" });
  #where = make("p", { className: "where" });
  #time = make("p", { className: "time" });
  #bar = make("span");
  #ready = "";

  constructor(name) {
    this.element = make(
      "div",
      { className: "stage" },
      make("h2", {}, stageName(name)),
      this.#state,
      this.#where,
      this.#time,
      make("div", { className: "share", ariaHidden: "true" }, this.#bar),
    );
    this.element.dataset.stage = name;
  }

  set working(working) {
    if (working === this.working) return;
    this.element.classList.toggle("working", working);
    this.#state.textContent = working ? "At work" : this.#ready;
  }

  get working() {
    return this.element.classList.contains("working");
  }

  fill(part) {
    this.#bar.style.inlineSize = `${part * 100}%`;
  }

  state(replicas) {
    const best = replicas.find((replica) => isReady(replica.state)) ?? replicas[0];
    const ready = replicas.filter((replica) => isReady(replica.state)).length;
    this.element.dataset.ready = best && isReady(best.state) ? "yes" : "no";
    this.#ready = best ? stateName(best.state, best.progress) : "Nowhere";
    if (ready && ready < replicas.length) this.#ready += ` (${ready} of ${replicas.length})`;
    if (!this.working) this.#state.textContent = this.#ready;
    this.#where.textContent = (!ready && best?.error) || replicas.map((replica) => place(replica.url)).join(", ");
    this.element.title = replicas
      .map((replica) => `${replica.url}: ${stateName(replica.state)}${replica.error ? `. ${replica.error}` : ""}`)
      .join("\n");
  }

  lost() {
    this.element.dataset.ready = "no";
    this.#ready = this.#state.textContent = "No gateway";
  }

  share(own, whole, replica) {
    this.fill(own / whole);
    this.#time.textContent = own ? `${seconds(own)} · ${percent(own / whole)}` : "";
    this.#time.title = own ? `Its share of the last picture, made at ${replica}` : "";
  }
}
