// Two tool loops with the Vercel AI SDK, one answered whole and one in streams, and an answer that has to fit a schema.
// Prints one line of JSON: what the user would have seen.
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const openai = createOpenAI({ baseURL: `${process.env.GATEWAY}/v1`, apiKey: process.env.KEY });
const model = process.env.SURFACE === "responses" ? openai.responses(process.env.MODEL) : openai.chat(process.env.MODEL);

const weather = tool({
  description: "The weather of a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const providerOptions = process.env.STORE ? { openai: { store: process.env.STORE === "yes" } } : {};
const loop = { model, tools: { get_weather: weather }, stopWhen: stepCountIs(4), maxRetries: 0, providerOptions };
const calls = (steps) => steps.flatMap((step) => step.toolCalls.map((call) => [call.toolName, call.input]));
const counted = (usage) => [usage.inputTokens, usage.outputTokens];

const whole = await generateText({ ...loop, prompt: "What is the weather in Oslo and in Rome?" });

const pieces = [];
const stream = streamText({ ...loop, prompt: "What is the weather in Oslo?" });
for await (const piece of stream.textStream) pieces.push(piece);

const schema = z.object({ name: z.string(), age: z.number() });
const person = await generateText({ model, prompt: "Who?", output: Output.object({ schema }), maxRetries: 0 });

console.log(
  JSON.stringify({
    whole: { text: whole.text, calls: calls(whole.steps), tokens: counted(whole.totalUsage) },
    streamed: { pieces, calls: calls(await stream.steps), tokens: counted(await stream.totalUsage) },
    person: person.output,
  }),
);
