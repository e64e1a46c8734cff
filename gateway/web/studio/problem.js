// What can go wrong, each as a sentence that says what to do.

/** `field` names the control at fault, if the gateway names one. */
export class Problem extends Error {
  constructor(message, field = null) {
    super(message);
    this.field = field;
  }
}

/** From an error's JSON; the gateway's own sentence, where there is one. */
export function refused(status, body) {
  const error = body?.error;
  if (typeof error?.message === "string") return new Problem(error.message, error.field ?? null);
  return new Problem(
    `Something between this page and the gateway answered ${status}, which is not the gateway's way of saying no. ` +
      "If there is a proxy, its log says more.",
  );
}

export const brokenOff = () =>
  new Problem("The connection broke off before the picture was done. See whether the gateway still runs, and try again.");

/** From whatever `fetch` threw before there was an answer. */
export function unreachable() {
  if (!navigator.onLine) return new Problem("This device is offline. Connect it to the gateway's network, and try again.");
  return new Problem(
    `The gateway at ${location.host} does not answer. See whether it runs (make up) and whether this device is on its ` +
      "network, and try again.",
  );
}
