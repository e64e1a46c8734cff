// One picture at a time, from the form to the gallery.

import { find } from "./dom.js";
import { generate } from "./gateway.js";
import { blobOf } from "./pictures.js";
import { Problem } from "./problem.js";
import { seconds } from "./words.js";

const PREVIEWS = 16; // of a picture, at most

export class Maker {
  #studio;
  #controller = null;

  constructor(studio) {
    this.#studio = studio;
    find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.make();
    });
    find("cancel").addEventListener("click", () => this.cancel());
  }

  get isBusy() {
    return this.#controller !== null;
  }

  cancel() {
    this.#controller?.abort();
  }

  async make() {
    if (this.isBusy) return;
    const { form, notice } = this.#studio;
    notice.clear();
    form.absolve();
    this.#busy(new AbortController());
    try {
      const order = await this.#order();
      const answer = await this.#wait(order);
      await this.#keep(order, answer);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#busy(null);
    }
  }

  /** What is asked for: the mode, its fields, its files, and the form's values to use again. */
  async #order() {
    const { form, seed, input, painter } = this.#studio;
    const { mode } = form;
    const files = {};
    if (mode !== "txt2img" && !input.picture) {
      throw new Problem("There is no picture to work on yet. Drop, paste or choose one.");
    }
    const fields = form.request();
    if (mode !== "txt2img") files.image = input.picture;
    if (mode === "inpaint") files.mask = await painter.file();
    if (files.mask === null) throw new Problem("Paint over the part that is to be repainted, then press Generate.");
    fields.seed = seed.next();
    fields.preview_every = Math.max(1, Math.ceil(fields.steps / PREVIEWS));
    return { mode, fields, files, values: form.values };
  }

  async #wait({ mode, fields, files }) {
    const { easel, progress, panels } = this.#studio;
    const face = easel.begin();
    progress.begin();
    const watcher = {
      progress: (said) => {
        progress.show(said);
        panels.work(said);
      },
      preview: (said) => easel.preview(said),
    };
    try {
      return await generate(mode, fields, files, watcher, this.#controller.signal);
    } catch (error) {
      easel.giveUp(face);
      throw error;
    } finally {
      panels.rest();
    }
  }

  async #keep(order, answer) {
    const { easel, gallery, notice, panels, progress } = this.#studio;
    let records = answer.images.map((image) => record(order, answer, image));
    records = await gallery.add(records).catch(() => {
      notice.show(new Problem("The browser has no room left for the gallery: download this picture, or delete others."));
      return records;
    });
    easel.hang(records);
    panels.share(answer.stages);
    const what = records.length === 1 ? "The picture is" : `${records.length} pictures are`;
    progress.end(`${what} done, in ${seconds(answer.seconds)}`);
  }

  #fail(error) {
    const { form, notice, progress } = this.#studio;
    if (error.name === "AbortError") {
      progress.end("Cancelled");
      notice.toast("Cancelled. The gateway has stopped working on it.");
      return;
    }
    progress.end("");
    notice.show(error);
    if (error.field) form.blame(error.field, error.message);
    if (!(error instanceof Problem)) throw error;
  }

  /** Generate keeps the focus that it has, so it is not disabled but says that it does nothing now. */
  #busy(controller) {
    this.#controller = controller;
    const cancel = find("cancel");
    if (!controller && document.activeElement === cancel) find("generate").focus();
    cancel.hidden = !controller;
    find("generate").setAttribute("aria-disabled", String(controller !== null));
  }
}

function record({ mode, values, files }, { parameters, seconds: took, stages, warnings }, image) {
  return {
    made: new Date().toISOString(),
    mode,
    values: { ...values, steps: String(parameters.steps), guidance_scale: String(parameters.guidance_scale) },
    seed: image.seed,
    width: image.width,
    height: image.height,
    mediaType: image.media_type,
    picture: blobOf(image.data, image.media_type),
    seconds: took,
    stages,
    warnings,
    input: files.image ?? null,
    mask: files.mask ?? null,
  };
}
