// Hangs the parts together.

import { hideCaption, showCaption } from "./caption.js";
import { find, make } from "./dom.js";
import { Easel } from "./easel.js";
import { Form } from "./form.js";
import { Gallery } from "./gallery.js";
import { Input } from "./input.js";
import { initKeys } from "./keys.js";
import { Maker } from "./maker.js";
import { Notice } from "./notice.js";
import { Options } from "./options.js";
import { Painter } from "./painter.js";
import { Panels } from "./panels.js";
import { Progress } from "./progress.js";
import { Seed } from "./seed.js";
import { openStore } from "./store.js";
import { initTheme } from "./theme.js";

const IDEAS = [
  "a red apple on a blue background",
  "a cat on a yellow background",
  "a castle at sunset",
  "a rocket at night",
];
const WIDE = "(min-width: 60rem)";

const notice = new Notice();
const painter = new Painter();
const progress = new Progress();
const input = new Input(inputChanged, (problem) => notice.show(problem));
const easel = new Easel(input, painter, chosen);
const form = new Form(modeChanged);
const options = new Options(form);
const seed = new Seed(form);
const gallery = new Gallery(await openStore(), (record) => easel.hang([record]));
const panels = new Panels((stages) => stages && options.learn(stages));
const maker = new Maker({ form, seed, input, painter, easel, gallery, notice, panels, progress });
initKeys({ maker, painter });
initTheme(find("theme"));
modeChanged(form.mode);
find("settings").open = matchMedia(WIDE).matches;
find("ideas").replaceChildren(...IDEAS.map(idea));
await Promise.all([gallery.load(), panels.poll()]);
document.documentElement.dataset.ready = "yes";

function modeChanged(mode) {
  easel.mode = mode;
  options.offer(mode);
}

function inputChanged() {
  if (form.mode === "txt2img") form.mode = "img2img";
  notice.clear();
  easel.inputChanged();
}

function chosen(record) {
  gallery.mark(record);
  showCaption(record, { reuse, transform: useAs("img2img"), inpaint: useAs("inpaint"), remove });
}

/** Settings, words, seed, and what it was made of. */
async function reuse(record) {
  form.mode = record.mode;
  form.fill({ ...record.values, seed: record.seed === null ? "" : String(record.seed) });
  seed.locked = record.seed !== null;
  if (record.input) await input.take(record.input);
  if (record.mask) await painter.give(record.mask);
  notice.toast("The form has the settings of this picture.");
}

function useAs(mode) {
  return async (record) => {
    form.mode = mode;
    await input.take(record.picture);
  };
}

async function remove(record) {
  await gallery.remove(record);
  hideCaption();
  easel.hang([]);
  notice.toast("Deleted.", async () => easel.hang(await gallery.add([record])));
}

function idea(prompt) {
  const button = make("button", { type: "button" }, prompt);
  button.addEventListener("click", () => {
    form.fill({ prompt });
    find("prompt").focus();
  });
  return make("li", {}, button);
}
