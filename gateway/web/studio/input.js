// The picture that something is made of: dropped, pasted, chosen, or one of the gallery.

import { find } from "./dom.js";
import { Problem } from "./problem.js";

const MOST_PIXELS = 16 * 1024 * 1024;

export class Input {
  picture = null; // a PNG file as a blob
  width = 0;
  height = 0;
  #changed;

  /** `changed` is called when there is another picture, `failed` with a Problem. */
  constructor(changed, failed) {
    this.#changed = changed;
    const take = (file) => this.take(file).catch(failed);
    const file = find("file");
    for (const id of ["choose", "replace"]) find(id).addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      if (file.files.length) take(file.files[0]);
      file.value = "";
    });
    document.addEventListener("paste", ({ clipboardData }) => {
      const pasted = pictureIn(clipboardData.files);
      if (pasted) take(pasted);
    });
    takeDrops(take);
  }

  /** Uses this file, whatever the browser can read. Throws a Problem. */
  async take(file) {
    const bitmap = await createImageBitmap(file).catch(() => {
      throw new Problem(`${file.name || "This file"} is not a picture that this browser can read. Choose a PNG, JPEG or WebP file.`);
    });
    const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
    this.picture = file.type === "image/png" && scale === 1 ? file : await asPng(bitmap, scale);
    this.width = Math.round(bitmap.width * scale);
    this.height = Math.round(bitmap.height * scale);
    bitmap.close();
    this.#changed();
  }
}

/** Other formats are sent as PNG: turned as their metadata say, and without loss from here on. */
async function asPng(bitmap, scale) {
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}

const pictureIn = (files) => [...files].find((file) => file.type.startsWith("image/"));

function takeDrops(take) {
  const mat = find("mat");
  let depth = 0;
  const mark = (inside) => {
    depth = inside;
    mat.classList.toggle("dropping", depth > 0);
  };
  const withFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => withFiles(event) && mark(depth + 1));
  document.addEventListener("dragleave", (event) => withFiles(event) && mark(Math.max(0, depth - 1)));
  document.addEventListener("dragover", (event) => withFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    mark(0);
    take(pictureIn(event.dataTransfer.files) ?? event.dataTransfer.files[0]);
  });
}
