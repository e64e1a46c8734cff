// The words and the settings: what is asked for, kept over a reload.

import { find } from "./dom.js";
import { Problem } from "./problem.js";

const KEY = "triptych.form";
const NUMBERS = ["steps", "guidance_scale", "num_images", "width", "height", "strength"];
const TEXTS = ["prompt", "negative_prompt", "size", "sampler", "seed", "model"];
export const OTHER_SIZE = "other";

/** Controls by name; `changed` is called with the mode whenever a person, or `mode`, changes that. */
export class Form {
  element = find("form");
  #touched = new Set();
  #wanted = new Map(); // what selects are to have once it is offered

  constructor(changed) {
    this.element.addEventListener("input", ({ target }) => this.#input(target));
    this.element.addEventListener("change", ({ target }) => {
      if (target.name === "mode") this.#modeChanged(changed);
      else if (target.tagName === "SELECT") this.#input(target);
    });
    this.#restore();
  }

  get mode() {
    return this.element.elements.mode.value;
  }

  set mode(mode) {
    if (mode === this.mode) return;
    this.element.elements.mode.value = mode;
    this.element.elements.mode[0].dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** Everything as it stands, as `fill` takes it. */
  get values() {
    const names = [...TEXTS, ...NUMBERS];
    return Object.fromEntries(names.map((name) => [name, this.#wanted.get(name) ?? this.control(name).value]));
  }

  control(name) {
    return this.element.elements[name];
  }

  /** Sets the controls that `values` names, as if a person had. */
  fill(values) {
    for (const [name, value] of Object.entries(values)) {
      this.#set(name, value);
      this.#touched.add(name);
    }
    this.keep();
  }

  /** Sets a control unless a person has set it. */
  suggest(name, value) {
    if (!this.#touched.has(name)) this.#set(name, value);
  }

  /** Gives a select what it is to have, now that all that is offered is there. */
  settle(name) {
    const wanted = this.#wanted.get(name);
    this.#wanted.delete(name);
    if (wanted !== undefined && has(this.control(name), wanted)) this.control(name).value = wanted;
    this.#follow(this.control(name));
  }

  /** The fields of a request, but for the seed. Throws a Problem that names the control at fault. */
  request() {
    const values = this.values;
    const fields = { prompt: values.prompt, negative_prompt: values.negative_prompt };
    for (const name of ["steps", "guidance_scale", "num_images"]) fields[name] = this.#number(name);
    if (this.mode !== "txt2img") fields.strength = this.#number("strength");
    const size = values.size === OTHER_SIZE ? `${this.#number("width")}x${this.#number("height")}` : values.size;
    const chosen = { size, sampler: values.sampler, model: values.model };
    for (const [name, value] of Object.entries(chosen)) if (value) fields[name] = value;
    return fields;
  }

  /** Marks the control of this name as at fault, and goes there. */
  blame(name, message) {
    const control = this.control(name === "size" && this.control("size").value === OTHER_SIZE ? "width" : name);
    if (!control?.setAttribute) return;
    if (find("settings").contains(control)) find("settings").open = true;
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-errormessage", "problem");
    control.title = message;
    control.focus();
  }

  absolve() {
    for (const control of this.element.querySelectorAll("[aria-invalid]")) {
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-errormessage");
      control.title = "";
    }
  }

  keep() {
    try {
      localStorage[KEY] = JSON.stringify({ mode: this.mode, touched: [...this.#touched], values: this.values });
    } catch {
      // it lasts until the page is closed
    }
  }

  #number(name) {
    const control = this.control(name);
    const { min, max } = control;
    const value = control.valueAsNumber;
    const label = control.labels[0].textContent;
    const bad = Number.isNaN(value) || (min !== "" && value < Number(min)) || (max !== "" && value > Number(max));
    const whole = control.step === "any" || Number.isInteger(value);
    if (!bad && whole) return value;
    const kind = control.step === "any" ? "a number" : "a whole number";
    throw new Problem(`${label} must be ${kind} from ${min} to ${max}.`, name);
  }

  #set(name, value) {
    const control = this.control(name);
    this.#wanted.delete(name);
    if (control.tagName !== "SELECT" || has(control, value)) control.value = value;
    else this.#wanted.set(name, value);
    this.#follow(control);
  }

  #input(control) {
    const name = control.dataset.of ?? control.name;
    if (control.dataset.of) this.control(name).value = control.value;
    else this.#follow(control);
    this.#touched.add(name);
    this.#wanted.delete(name);
    this.absolve();
    this.keep();
  }

  /** What goes with a control: its slider, and the fields of another size. */
  #follow(control) {
    const slider = this.element.querySelector(`[data-of="${control.name}"]`);
    if (slider && control.value !== "") slider.value = control.value;
    if (control.name === "size") find("own-size").hidden = control.value !== OTHER_SIZE;
  }

  #modeChanged(changed) {
    find("strength-field").hidden = this.mode === "txt2img";
    this.suggest("strength", this.mode === "inpaint" ? "1" : "0.75");
    this.keep();
    changed(this.mode);
  }

  #restore() {
    try {
      const { mode, touched, values } = JSON.parse(localStorage[KEY]);
      this.fill(Object.fromEntries(touched.map((name) => [name, values[name]]).filter(([name]) => name in values)));
      this.element.elements.mode.value = mode;
    } catch {
      // there is nothing yet
    }
  }
}

const has = (select, value) => [...select.options].some((option) => option.value === value);
