// A mask as the strokes that made it: undoing is leaving the last one out. Coordinates and sizes are in pixels of the
// picture.

export class Strokes {
  #done = [];
  #undone = [];

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  forget() {
    this.#done = [];
    this.#undone = [];
  }

  /**
   * Adds {kind: "paint" | "erase", size, points: [[x, y], …]}, {kind: "clear"}, {kind: "invert"}, or
   * {kind: "given", picture}, a mask that is drawn as it is.
   */
  add(stroke) {
    this.#done.push(stroke);
    this.#undone = [];
  }

  undo() {
    if (this.canUndo) this.#undone.push(this.#done.pop());
  }

  redo() {
    if (this.canRedo) this.#done.push(this.#undone.pop());
  }

  /** Draws all of them on an empty canvas; where it is opaque is to be repainted. */
  draw(canvas, colour) {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const stroke of this.#done) drawStroke(context, stroke, colour);
  }
}

const OPERATIONS = { paint: "source-over", erase: "destination-out", clear: "destination-out", invert: "xor", given: "source-over" };

/** Draws a stroke, or its end from the point of this index on. */
export function drawStroke(context, { kind, size, points, picture }, colour, from = 0) {
  context.save();
  context.globalCompositeOperation = OPERATIONS[kind];
  context.fillStyle = context.strokeStyle = colour;
  context.lineWidth = size;
  context.lineCap = "round";
  if (picture) context.drawImage(picture, 0, 0);
  else if (!points) context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  else for (let index = from; index < points.length; index++) drawPart(context, points[index - 1] ?? points[0], points[index]);
  context.restore();
}

/** Each part by itself, so that a stroke that is drawn anew has the very pixels that it had as it was painted. */
function drawPart(context, start, end) {
  context.beginPath();
  context.moveTo(start[0] + 0.01, start[1]); // a line without length would not be drawn
  context.lineTo(...end);
  context.stroke();
}

/** The stroke that gives this mask, a file as maskFile makes them. */
export async function givenMask(file, colour) {
  const bitmap = await createImageBitmap(file);
  const picture = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = picture.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, picture.width, picture.height);
  for (let index = 0; index < pixels.data.length; index += 4) pixels.data[index + 3] = pixels.data[index];
  context.putImageData(pixels, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, picture.width, picture.height);
  return { kind: "given", picture };
}

/** The mask as a PNG file, white where the canvas is opaque, else black; null where nothing is. */
export async function maskFile(canvas) {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height);
  let painted = false;
  for (let index = 0; index < pixels.data.length; index += 4) {
    const white = pixels.data[index + 3] > 127;
    painted ||= white;
    pixels.data.fill(white ? 255 : 0, index, index + 3);
    pixels.data[index + 3] = 255;
  }
  if (!painted) return null;
  const file = new OffscreenCanvas(width, height);
  file.getContext("2d").putImageData(pixels, 0, 0);
  return file.convertToBlob({ type: "image/png" });
}
