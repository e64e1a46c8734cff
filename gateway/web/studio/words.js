// What the gateway says, in words for a person. Nothing here touches the document.

const STAGES = {
  text_encoder: "Text encoder",
  diffusion: "Diffusion",
  inpainting: "Inpainting",
  decoder: "Decoder",
  all_in_one: "All in one",
};
const STATES = {
  warm: "Ready",
  starting: "Starting",
  downloading: "Downloading its weights",
  verifying: "Checking its weights",
  loading: "Loading its weights",
  compiling: "Compiling its model",
  failed: "Failed",
  stopping: "Stopping",
  unreachable: "Not reachable",
  "on demand": "On demand",
  waking: "Waking up",
  paused: "Paused by its owner",
  unauthorized: "Refuses the token",
  misplaced: "Nothing at its address",
};
const SAMPLERS = {
  ddim: "DDIM",
  euler: "Euler",
  euler_ancestral: "Euler ancestral",
  dpmpp_2m: "DPM++ 2M",
  heun: "Heun",
  lcm: "LCM",
};
const MODES = { txt2img: "Text to image", img2img: "Image to image", inpaint: "Inpainting" };

export const stageName = (stage) => STAGES[stage] ?? stage;
export const samplerName = (sampler) => SAMPLERS[sampler] ?? sampler;
export const modeName = (mode) => MODES[mode] ?? mode;

export function stateName(state, progress = null) {
  const name = STATES[state] ?? state;
  return progress === null ? name : `${name}, ${Math.round(progress * 100)} %`;
}

/** Whether a replica in this state takes requests. */
export const isReady = (state) => ["warm", "on demand", "waking"].includes(state);

export function seconds(value) {
  if (value < 0.1) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 90) return `${Math.round(value)} s`;
  const minutes = Math.floor(value / 60);
  return `${minutes} min ${Math.round(value - minutes * 60)} s`;
}

export const percent = (share) => (share < 0.01 ? "under 1 %" : `${Math.round(share * 100)} %`);

/** How far a picture is, from an event `progress`. */
export function progressWords({ stage, state, step, steps, seconds_left: left, ahead }) {
  const rest = left ? `, about ${seconds(Math.max(1, left))} left` : "";
  if (state === "waking") return `${stageName(stage)} is asleep and wakes up; that takes a minute or so`;
  if (state === "queued") {
    const before = ahead === 1 ? "1 picture is before yours" : `${ahead} pictures are before yours`;
    return ahead ? `In the queue: ${before}${rest}` : "In the queue: yours is next";
  }
  if (steps) return `${stageName(stage)}: step ${step} of ${steps}${rest}`;
  return { text_encoder: "Reading the prompt", decoder: "Decoding the picture" }[stage] ?? `${stageName(stage)} is at work`;
}

/** Where a replica is: the host of its address, short enough for a label. */
export function place(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** The name of a downloaded file. */
export function fileName({ prompt, seed, mediaType }) {
  const words = prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu)?.slice(0, 8).join("-") ?? "picture";
  const ending = mediaType.split("/")[1].replace("jpeg", "jpg");
  return `${words}${seed === null ? "" : `-${seed}`}.${ending}`;
}
