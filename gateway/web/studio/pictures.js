// Pictures from what the gateway sends, and previews, which are an eighth of a picture's size, scaled up softly.

const SIDE = 512;
const FADE_MS = 240;

/** The file that `data` is in base64. */
export function blobOf(data, mediaType = "image/png") {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: mediaType });
}

/** Fades a canvas over to this preview, which gives it its proportions. */
export async function showPreview(canvas, data) {
  const bitmap = await createImageBitmap(blobOf(data));
  const soft = scaleUp(bitmap);
  if (canvas.width !== soft.width || canvas.height !== soft.height) {
    Object.assign(canvas, { width: soft.width, height: soft.height });
  }
  setShape(canvas, bitmap.width * 8, bitmap.height * 8);
  fade(canvas, soft);
}

/** Doubled again and again: each time bilinear, in the end as soft as a spline. */
function scaleUp(bitmap) {
  let picture = bitmap;
  while (Math.max(picture.width, picture.height) < SIDE) {
    const twice = new OffscreenCanvas(picture.width * 2, picture.height * 2);
    const context = twice.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, twice.width, twice.height);
    picture = twice;
  }
  return picture;
}

function fade(canvas, picture) {
  const context = canvas.getContext("2d");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden;
  const begin = performance.now();
  const turn = (canvas.turn ?? 0) + 1; // a newer preview ends the fading of this one
  canvas.turn = turn;
  const draw = (now) => {
    if (canvas.turn !== turn) return;
    const part = still ? 1 : Math.min(1, Math.max(0, (now - begin) / FADE_MS));
    context.globalAlpha = part * part;
    context.drawImage(picture, 0, 0);
    if (part < 1) requestAnimationFrame(draw);
  };
  draw(begin);
}

/** Tells the style sheet how wide an element for a picture of this size may become. */
export function setShape(element, width, height) {
  element.style.setProperty("--ratio", width / height);
  element.style.setProperty("--most", `${Math.max(width, height) * 8}px`);
  element.style.aspectRatio = `${width} / ${height}`;
}
