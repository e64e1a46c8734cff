// What stable-diffusion-api, a JavaScript client of AUTOMATIC1111's web UI, makes of the gateway, as one line
// of JSON.
import sharp from "sharp";
import client from "stable-diffusion-api";

const [url, image, mask] = process.argv.slice(2);
const api = new client.default({ baseUrl: url, defaultStepCount: 8 });
const heart = { prompt: "a heart", seed: 1, width: 128, height: 128 };

const textOf = async (picture) => (await picture.png().toBuffer()).toString("base64");

async function errorOf(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.name, status: error.response?.status, detail: error.response?.data?.detail };
  }
}

const made = await api.txt2img({ ...heart, batch_size: 2 });
const painted = await api.img2img({
  init_images: [sharp(image)],
  mask_image: sharp(mask),
  mask_blur: 0,
  prompt: "a red apple",
});
console.log(
  JSON.stringify({
    made: await Promise.all(made.images.map(textOf)),
    seeds: JSON.parse(made.info).all_seeds,
    painted: await textOf(painted.image),
    samplers: (await api.getSamplers()).map((one) => one.name),
    models: (await api.getSdModels()).map((one) => one.title),
    progress: await api.getProgress(),
    noSampler: await errorOf(api.txt2img({ ...heart, sampler_name: "nonsense" })),
  }),
);
