// The key of a gateway that asks for one: sent with every request, and kept in this tab until it is closed.

import { find } from "./dom.js";

const STORED = "triptych.key";

let key = stored();
let asking = null;
let declined = false;

/** The header that a request is sent with. */
export const credentials = () => (key ? { Authorization: `Bearer ${key}` } : {});

/**
 * Asks the person for a key: whether there is a new one. Who has said no is asked again only where something was
 * to be made (`insist`). The window is told by an event `key`.
 */
export function askForKey(insist = false) {
  if (declined && !insist) return Promise.resolve(false);
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const dialog = find("access");
  const field = find("access-key");
  find("access-wrong").hidden = !key;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const close = () => {
      const given = dialog.returnValue === "use" ? field.value.trim() : "";
      field.value = "";
      declined = !given;
      if (given) keep(given);
      resolve(!declined);
    };
    dialog.addEventListener("close", close, { once: true });
  });
}

function stored() {
  try {
    return sessionStorage[STORED] ?? "";
  } catch {
    return ""; // storage is forbidden here
  }
}

function keep(given) {
  key = given;
  try {
    sessionStorage[STORED] = given;
  } catch {
    // it lasts until the page is left
  }
  window.dispatchEvent(new Event("key"));
}
