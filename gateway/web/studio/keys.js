// The keyboard: what works anywhere on the page. Single letters work on the mask alone, where nobody types or dictates.

import { find } from "./dom.js";

export function initKeys({ maker, painter }) {
  const dialog = find("keys");
  find("keys-open").addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    const control = event.ctrlKey || event.metaKey;
    if (event.key === "Escape" && maker.isBusy && !document.querySelector("dialog[open]")) maker.cancel();
    else if (control && event.key === "Enter") find("form").requestSubmit();
    else if (control && event.key === "/") dialog.showModal();
    else if (control && event.key.toLowerCase() === "z" && paints(event.target)) {
      if (event.shiftKey) painter.redo();
      else painter.undo();
    } else return;
    event.preventDefault();
  });
}

/** Whether taking back means a stroke here, and not a word. */
const paints = (target) => !find("tools").hidden && !target.closest("textarea, input:not([type=range])");
