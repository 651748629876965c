// Jobs of @google/genai on the Gemini API.
import fs from "node:fs";
import path from "node:path";
import { GoogleGenAI } from "@google/genai";

const prompts = [0, 1, 2].map((number) => `say ${number}`);
const model = "gemini-2.5-flash";
const ai = new GoogleGenAI({ apiKey: "any" });

async function ended(job) {
  for (let look = 0; look < 30; look++) {
    if (["JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"].includes(job.state)) return job;
    job = await ai.batches.get({ name: job.name });
  }
  throw new Error(`still ${job.state}`);
}

const inline = prompts.map((text) => ({ contents: [{ role: "user", parts: [{ text }] }], metadata: { key: text } }));
const first = await ended(await ai.batches.create({ model, src: inline, config: { displayName: "inline" } }));
const said = first.dest.inlinedResponses.map((one) => one.response.candidates[0].content.parts[0].text);

const file = path.join(process.env.HOME, "in.jsonl");
const lines = prompts.map((text) => JSON.stringify({ key: text, request: { contents: [{ parts: [{ text }] }] } }));
fs.writeFileSync(file, lines.join("\n"));
const uploaded = await ai.files.upload({ file, config: { mimeType: "application/jsonl" } });
const second = await ended(await ai.batches.create({ model, src: { fileName: uploaded.name } }));
const target = path.join(process.env.HOME, "out.jsonl");
await ai.files.download({ file: second.dest.fileName, downloadPath: target });
let text = "";
for (let wait = 0; wait < 50 && text.split("\n").length < 4; wait++) {
  await new Promise((go) => setTimeout(go, 100));
  text = fs.existsSync(target) ? fs.readFileSync(target, "utf8") : "";
}

const vectors = await ended(
  await ai.batches.createEmbeddings({
    model: "gemini-embedding-001",
    src: { inlinedRequests: { contents: ["one", "two"], config: { outputDimensionality: 4 } } },
  }),
);
if (vectors.dest.inlinedEmbedContentResponses.length !== 2) throw new Error("two vectors were asked for");

let listed = 0;
for await (const _ of await ai.batches.list({ config: { pageSize: 2 } })) listed++;
if (listed !== 3) throw new Error(`three jobs were made, ${listed} are listed`);
const third = await ai.batches.create({ model, src: inline });
await ai.batches.cancel({ name: third.name });
await ai.batches.delete({ name: third.name });

const right = prompts.filter((one, at) => said[at] === `Answer to: ${one}` && text.includes(`Answer to: ${one}`));
console.log(`right: ${right.length} of ${prompts.length}`);
