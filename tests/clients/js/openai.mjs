// What OpenAI's own client for JavaScript makes of the gateway, as one line of JSON.
import fs from "node:fs";
import OpenAI, { toFile } from "openai";

const [url, image, mask] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const heart = { prompt: "a heart", size: "128x128", seed: 1, steps: 8 };
const file = (path) => toFile(fs.createReadStream(path), path, { type: "image/png" });

async function errorOf(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, param: error.param, message: error.message };
  }
}

const models = [];
for await (const model of client.models.list()) models.push(model.id);
const made = await client.images.generate({ ...heart, n: 2 });
const streamed = [];
for await (const event of await client.images.generate({ ...heart, stream: true, partial_images: 1 })) {
  streamed.push({ type: event.type, image: event.b64_json });
}
const edited = await client.images.edit({
  image: await file(image),
  mask: await file(mask),
  prompt: "a red apple",
  steps: 8,
});
console.log(
  JSON.stringify({
    models,
    made: made.data.map((one) => one.b64_json),
    streamed,
    edited: edited.data[0].b64_json,
    tooMany: await errorOf(client.images.generate({ ...heart, n: 1000 })),
    wrongMask: await errorOf(
      client.images.edit({ image: await file(image), mask: await file(image), prompt: "x" }),
    ),
  }),
);
