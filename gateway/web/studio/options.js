// What the stages offer, as choices and limits of the form.

import { find, make } from "./dom.js";
import { OTHER_SIZE } from "./form.js";
import { samplerName } from "./words.js";

const RATIOS = [[1, 1], [3, 2], [2, 3], [16, 9], [9, 16]];
const DENOISER = { txt2img: "diffusion", img2img: "diffusion", inpaint: "inpainting" };

export class Options {
  #form;
  #stages = [];

  constructor(form) {
    this.#form = form;
  }

  /** Takes the list of GET /v1/stages. */
  learn(stages) {
    this.#stages = stages;
    this.offer(this.#form.mode);
  }

  /** Offers what the stages of this mode do. */
  offer(mode) {
    const info = this.#info(DENOISER[mode]) ?? this.#info("all_in_one");
    if (!info) return;
    this.#limit("steps", info.limits.num_steps);
    this.#limit("num_images", info.limits.batch_size);
    this.#default("steps", info.defaults.num_steps);
    this.#default("guidance_scale", info.defaults.unconditional_guidance_scale);
    this.#choices("sampler", info.samplers.map((sampler) => [sampler, samplerName(sampler)]));
    this.#choices("size", sizes(info, this.#ownSize(info)));
    const models = [...new Set(this.#stages.map((stage) => stage.model).filter(Boolean))];
    this.#choices("model", models.map((model) => [model, model]));
    find("model-field").hidden = !models.length;
    for (const name of ["width", "height"]) this.#side(name, info);
  }

  #info(name) {
    const stage = this.#stages.find((one) => one.stage === name && one.model === null);
    return stage?.replicas.find((replica) => replica.info)?.info ?? null;
  }

  /** The model's own [width, height]; the decoder says it where the denoiser does not. */
  #ownSize(info) {
    const shape = info.shapes.image ?? this.#info("decoder")?.shapes.image;
    if (shape) return [shape[1], shape[0]];
    const latent = info.shapes.latent;
    return latent ? [latent[1] * 8, latent[0] * 8] : null;
  }

  #limit(name, limit) {
    if (limit) this.#form.control(name).max = limit;
  }

  #default(name, value) {
    if (value) this.#form.suggest(name, String(value));
  }

  #side(name, { sizes: allowed }) {
    if (!allowed) return;
    Object.assign(this.#form.control(name), { min: allowed.min, max: allowed.max, step: allowed.multiple });
    this.#form.suggest(name, String(allowed.min));
  }

  /** Keeps the first option, which stands for the model's own choice, and what is chosen. */
  #choices(name, choices) {
    const select = this.#form.control(name);
    const [own, ...old] = select.options;
    if (name === "size" && choices.own) own.textContent = choices.own;
    if (old.map((option) => option.value).join() !== choices.map(([value]) => value).join()) {
      const { value } = select;
      select.replaceChildren(own, ...choices.map(([value, text]) => make("option", { value }, text)));
      select.value = choices.some(([choice]) => choice === value) ? value : "";
    }
    this.#form.settle(name);
  }
}

/** The model's own size is the first option; some of the usual shapes about as large, and any other. */
function sizes(info, own) {
  const choices = [];
  if (own) choices.own = own.join(" × ");
  if (!info.sizes || !own) return choices;
  const { multiple, min, max } = info.sizes;
  const side = Math.sqrt(own[0] * own[1]);
  const fit = (length) => Math.min(max, Math.max(min, Math.round(length / multiple) * multiple));
  for (const [wide, high] of RATIOS) {
    const size = [fit(side * Math.sqrt(wide / high)), fit(side * Math.sqrt(high / wide))];
    const value = size.join("x");
    if (value !== own.join("x") && !choices.some(([one]) => one === value)) choices.push([value, size.join(" × ")]);
  }
  choices.push([OTHER_SIZE, "Another size"]);
  return choices;
}
