// The Vercel AI SDK, as a program of its users would call it. Prints one line of JSON for each thing it tried.
//
//   node ai_sdk.mjs BASE CLIENT MODEL...        MODEL is a name that the gateway serves

import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, Output, embed, embedMany, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

globalThis.AI_SDK_LOG_WARNINGS = false;

const [base, name, ...models] = process.argv.slice(2);
const apiKey = 'none';
const openai = createOpenAI({ baseURL: `${base}/v1`, apiKey });
const compatible = createOpenAICompatible({
  name: 'isthmus',
  baseURL: `${base}/v1`,
  apiKey,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const anthropic = createAnthropic({ baseURL: `${base}/v1`, apiKey });
const google = createGoogle({ baseURL: `${base}/v1beta`, apiKey });

const clients = {
  'openai-chat': { model: openai.chat },
  'openai-responses': { model: openai.responses, thinking: { openai: { reasoningSummary: 'auto', reasoningEffort: 'low' } } },
  // It refers to what it was answered instead of saying it again, unless it is told that nothing is stored.
  'openai-responses-unstored': {
    model: openai.responses,
    options: { openai: { store: false } },
    thinking: { openai: { store: false, reasoningSummary: 'auto', reasoningEffort: 'low' } },
  },
  'openai-compatible': { model: compatible.chatModel },
  anthropic: { model: anthropic, thinking: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } } },
  google: { model: google, thinking: { google: { thinkingConfig: { includeThoughts: true } } } },
};
const embedders = {
  'openai-chat': openai.embeddingModel,
  'openai-compatible': compatible.embeddingModel,
  google: google.embeddingModel,
};

const client = clients[name];
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';

const tools = () => {
  const asked = [];
  const acts = (does, inputSchema) =>
    tool({
      description: does,
      inputSchema,
      execute: async (input) => {
        asked.push(input);
        return `result ${asked.length} of ${does}`;
      },
    });
  return {
    asked,
    set: {
      get_weather: acts('weather', z.object({ city: z.string(), days: z.number().int().min(1).max(9).optional() })),
      get_time: acts('time', z.object({})),
    },
  };
};

const counted = (usage) => {
  assert.ok(usage.inputTokens > 0, `input tokens: ${usage.inputTokens}`);
  assert.ok(usage.outputTokens > 0, `output tokens: ${usage.outputTokens}`);
};

const gathered = async (result) => {
  const parts = [];
  for await (const part of result.stream) {
    if (part.type === 'error') throw part.error;
    parts.push(part);
  }
  return parts;
};

const cases = {
  async text(model) {
    const result = await generateText({
      model,
      instructions: 'Be brief.',
      messages: [
        { role: 'user', content: 'the strip of land' },
        { role: 'assistant', content: 'Which?' },
        { role: 'user', content: 'between two seas' },
      ],
      maxOutputTokens: 64,
      providerOptions: client.options,
      temperature: 0.5,
      stopSequences: ['END'],
    });
    assert.match(result.text, /between two seas/);
    assert.equal(result.finishReason, 'stop');
    counted(result.usage);
  },

  async stream(model) {
    const result = streamText({ model, prompt: 'between two seas', maxOutputTokens: 64, providerOptions: client.options });
    const parts = await gathered(result);
    const deltas = parts.filter((part) => part.type === 'text-delta');
    assert.ok(deltas.length > 1, `${deltas.length} deltas`);
    assert.match(deltas.map((part) => part.text).join(''), /between two seas/);
    assert.equal(await result.finishReason, 'stop');
    counted(await result.usage);
  },

  async 'image'(model) {
    const result = await generateText({
      model,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What colour is it?' },
            { type: 'file', mediaType: 'image/png', data: Buffer.from(PIXEL, 'base64') },
          ],
        },
      ],
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    assert.ok(result.text.includes(String(Buffer.from(PIXEL, 'base64').length)), result.text);
  },

  async 'tools in several steps'(model) {
    const { asked, set } = tools();
    const result = await generateText({
      model,
      prompt: 'Please call get_weather and get_time.',
      tools: set,
      stopWhen: stepCountIs(5),
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    assert.equal(asked.length, 2);
    assert.equal(asked[0].city, 'isthmus');
    assert.equal(result.steps.length, 2);
    assert.equal(result.steps[0].finishReason, 'tool-calls');
    assert.match(result.text, /The tools said: .*weather.*time/);
    assert.equal(result.finishReason, 'stop');
  },

  async 'tools in several steps, streamed'(model) {
    const { asked, set } = tools();
    const result = streamText({
      model,
      prompt: 'Please call get_weather and get_time.',
      tools: set,
      stopWhen: stepCountIs(5),
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    const parts = await gathered(result);
    assert.equal(asked.length, 2);
    assert.equal(parts.filter((part) => part.type === 'tool-result').length, 2);
    assert.match(await result.text, /The tools said: .*weather.*time/);
    const steps = await result.steps;
    assert.deepEqual(steps.map((step) => step.finishReason), ['tool-calls', 'stop']);
  },

  async 'another turn after tools'(model) {
    const { set } = tools();
    const asked = [{ role: 'user', content: 'Please call get_weather.' }];
    const first = await generateText({
      model,
      messages: asked,
      tools: set,
      stopWhen: stepCountIs(5),
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    const result = await generateText({
      model,
      messages: [...asked, ...first.responseMessages, { role: 'user', content: 'between two seas' }],
      tools: set,
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    assert.match(result.text, /between two seas/);
  },

  async 'a forced tool'(model) {
    const { set } = tools();
    const result = await generateText({
      model,
      prompt: 'Whatever you like.',
      tools: set,
      toolChoice: { type: 'tool', toolName: 'get_time' },
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    assert.deepEqual(result.toolCalls.map((one) => one.toolName), ['get_time']);
  },

  async 'no tool'(model) {
    const { set } = tools();
    const result = await generateText({
      model,
      prompt: 'Please call get_weather.',
      tools: set,
      toolChoice: 'none',
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    assert.deepEqual(result.toolCalls, []);
    assert.match(result.text, /call get_weather/);
  },

  async 'an object'(model) {
    const schema = z.object({ city: z.string(), days: z.number(), tags: z.array(z.string()) });
    const result = await generateText({
      model,
      prompt: 'It rains in Paris.',
      output: Output.object({ schema }),
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    assert.deepEqual(result.output, { city: 'isthmus', days: 1, tags: ['isthmus'] });
  },

  async 'an object, streamed'(model) {
    const schema = z.object({ city: z.string(), days: z.number() });
    const result = streamText({
      model,
      prompt: 'It rains in Paris.',
      output: Output.object({ schema }),
      maxOutputTokens: 64,
      providerOptions: client.options,
    });
    let last;
    for await (const partial of result.partialOutputStream) last = partial;
    assert.deepEqual(last, { city: 'isthmus', days: 1 });
    assert.deepEqual(await result.output, last);
  },

  async 'thinking, then a tool'(model) {
    if (client.thinking === undefined) return 'this client has no way to ask for it';
    const { asked, set } = tools();
    const result = streamText({
      model,
      prompt: 'Please call get_weather.',
      tools: set,
      stopWhen: stepCountIs(5),
      maxOutputTokens: 2048,
      providerOptions: client.thinking,
    });
    await gathered(result);
    assert.equal(asked.length, 1);
    assert.match(await result.text, /The tools said: .*weather/);
  },

  async 'an error of the vendor'(model) {
    const error = await generateText({ model, prompt: '[[fault:500]]', maxRetries: 0, maxOutputTokens: 64 }).catch((one) => one);
    assert.ok(APICallError.isInstance(error), String(error));
    assert.ok(error.statusCode >= 500, String(error.statusCode));
    assert.ok(error.message.length > 0 && !error.message.includes('Invalid JSON'), error.message);
  },

  async 'a refusal by name'(model, modelOf) {
    const error = await generateText({ model: modelOf('no-such-model'), prompt: 'hi', maxRetries: 0 }).catch((one) => one);
    assert.ok(APICallError.isInstance(error), String(error));
    assert.equal(error.statusCode, 404);
    assert.match(error.message, /no-such-model/);
  },
};

const embeddings = {
  async 'an embedding'(model) {
    const { embedding, usage } = await embed({ model, value: 'between two seas' });
    assert.equal(embedding.length, 8);
    assert.ok(embedding.every(Number.isFinite));
    assert.ok(usage !== undefined);
  },
  async 'many embeddings'(model) {
    const { embeddings } = await embedMany({ model, values: ['one', 'two', 'three'] });
    assert.deepEqual(embeddings.map((one) => one.length), [8, 8, 8]);
    assert.notDeepEqual(embeddings[0], embeddings[2]);
  },
};

const tell = (verdict) => process.stdout.write(JSON.stringify(verdict) + '\n');

const attempt = async (model, what, work) => {
  try {
    const skipped = await work();
    tell({ model, case: what, ok: true, skipped: typeof skipped === 'string' ? skipped : undefined });
  } catch (error) {
    const said = [error.message, error.responseBody, error.cause?.message].filter(Boolean).join(' | ');
    tell({ model, case: what, ok: false, error: `${error.name}: ${said}` });
  }
};

for (const model of models) {
  if (model.startsWith('embed-')) {
    const embedder = embedders[name];
    if (embedder === undefined) continue;
    for (const [what, work] of Object.entries(embeddings)) await attempt(model, what, () => work(embedder(model)));
  } else {
    for (const [what, work] of Object.entries(cases)) {
      await attempt(model, what, () => work(client.model(model), client.model));
    }
  }
}
