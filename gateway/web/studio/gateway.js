// The gateway's API. All addresses are relative, so that the page also works below a path of a proxy.

import { askForKey, credentials } from "./access.js";
import { readEvents } from "./events.js";
import { brokenOff, refused, unreachable } from "./problem.js";

const ACCEPT = "text/event-stream, application/json;q=0.5";
const NO_KEY = 401;

/** Every stage that is switched on, as GET /v1/stages lists them. Throws a Problem. */
export async function getStages() {
  const response = await ask("v1/stages", { headers: { Accept: "application/json" } });
  const body = await json(response);
  if (response.status === NO_KEY) askForKey();
  if (!response.ok) throw refused(response.status, body);
  return body;
}

/**
 * The answer for `fields` in a mode (txt2img, img2img or inpaint); `files` are blobs by field.
 * `watcher.progress` and `watcher.preview` get what the events of these names say.
 * Throws a Problem, or an AbortError where `signal` says so.
 */
export async function generate(mode, fields, files, watcher, signal) {
  const request = { method: "POST", signal, headers: { Accept: ACCEPT }, body: form(fields, files) };
  if (mode === "txt2img") {
    request.body = JSON.stringify(fields);
    request.headers["Content-Type"] = "application/json";
  }
  let response = await ask(`v1/${mode}`, request);
  while (response.status === NO_KEY && (await askForKey(true))) response = await ask(`v1/${mode}`, request);
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
    return follow(response.body, watcher);
  }
  const body = await json(response);
  if (!response.ok || !body?.images) throw refused(response.status, body);
  return body;
}

function form(fields, files) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, String(value));
  for (const [name, file] of Object.entries(files)) data.append(name, file, `${name}.png`);
  return data;
}

async function follow(stream, watcher) {
  try {
    for await (const { event, data } of readEvents(stream)) {
      const said = JSON.parse(data);
      if (event === "result") return said;
      if (event === "error") throw refused(said.status, said);
      watcher[event]?.(said);
    }
  } catch (error) {
    throw error instanceof TypeError ? brokenOff() : error;
  }
  throw brokenOff();
}

async function ask(address, request) {
  try {
    return await fetch(address, { ...request, headers: { ...request.headers, ...credentials() } });
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
}

async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}
