// What Hugging Face's own client for JavaScript makes of the gateway, as one line of JSON.
import fs from "node:fs";
import { InferenceClient } from "@huggingface/inference";

const [url, image, mask] = process.argv.slice(2);
const drawing = new InferenceClient().endpoint(`${url}/hf/text-to-image`);
const repainting = new InferenceClient().endpoint(`${url}/hf/image-to-image`);
const parameters = { num_inference_steps: 8, seed: 1 };
const picture = new Blob([fs.readFileSync(image)], { type: "image/png" });

const textOf = async (blob) => Buffer.from(await blob.arrayBuffer()).toString("base64");

async function errorOf(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.constructor.name, message: error.message, status: error.httpResponse?.status };
  }
}

const draw = (more = {}) =>
  drawing.textToImage({ inputs: "a heart", parameters: { ...parameters, ...more } }, { outputType: "blob" });
const repainted = await repainting.imageToImage({
  inputs: picture,
  parameters: { ...parameters, prompt: "a red apple", mask_image: fs.readFileSync(mask).toString("base64") },
});
console.log(
  JSON.stringify({
    made: await textOf(await draw()),
    larger: await textOf(await draw({ width: 256, height: 192 })),
    repainted: await textOf(repainted),
    tooMany: await errorOf(draw({ num_inference_steps: 100000 })),
    noPicture: await errorOf(repainting.imageToImage({ inputs: new Blob(["text"]) })),
  }),
);
