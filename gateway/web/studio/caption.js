// Below a picture: what it is, how it was made, and what can be done with it.

import { find, make } from "./dom.js";
import { fileName, modeName, samplerName, seconds } from "./words.js";

/** Shows a record; `actions` are functions of it: reuse, transform, inpaint, remove. */
export function showCaption(record, actions) {
  const { values } = record;
  const act = (text, action, className = "") => {
    const button = make("button", { type: "button", className }, text);
    button.addEventListener("click", () => action(record));
    return button;
  };
  const element = find("caption");
  const said = [values.negative_prompt && `without: ${values.negative_prompt}`].filter(Boolean);
  element.replaceChildren(
    make("h2", { className: "title" }, values.prompt || "Untitled"),
    ...said.map((text) => make("p", { className: "hint" }, text)),
    make("dl", {}, ...facts(record).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
    ...record.warnings.map((warning) => make("p", { className: "warning" }, warning)),
    make(
      "div",
      { className: "actions", role: "group", ariaLabel: "With this picture" },
      act("Reuse settings", actions.reuse),
      act("Use as input", actions.transform),
      act("Inpaint", actions.inpaint),
      download(record),
      act("Delete", actions.remove, "danger"),
    ),
  );
}

export function hideCaption() {
  find("caption").replaceChildren();
  find("caption").hidden = true;
}

function facts({ mode, values, seed, width, height, seconds: took }) {
  const found = [["Seed", seed === null ? "not obeyed" : String(seed)], ["Size", `${width} × ${height}`]];
  found.push(["Steps", values.steps], ["Guidance", values.guidance_scale]);
  if (values.sampler) found.push(["Sampler", samplerName(values.sampler)]);
  if (mode !== "txt2img") found.push(["From", modeName(mode)], ["Strength", values.strength]);
  found.push(["Made in", seconds(took)]);
  return found;
}

/** The address is made when it is asked for, and given back soon after. */
function download(record) {
  const link = make("a", { className: "button", href: "#", download: fileName({ ...record, prompt: record.values.prompt }) }, "Download");
  link.addEventListener("click", () => {
    link.href = URL.createObjectURL(record.picture);
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
  return link;
}
