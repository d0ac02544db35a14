// SPDX-License-Identifier: Apache-2.0
// Tests the server with the clients that its users have: the SDKs of OpenAI, Anthropic and Vercel, and nginx.
//
//   node tools/clients_test.mjs build/clients_test bitfetch models/tiny.gguf
//
// The folder has the npm packages, the one beside it nginx: tools/clients_test.sh puts them there.
import assert from 'node:assert/strict';
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {after, before, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {metric, startServer} from './test_server.mjs';

const [folder, program, model] = process.argv.slice(2);
const load = createRequire(path.resolve(folder, 'package.json'));
const OpenAI = load('openai');
const Anthropic = load('@anthropic-ai/sdk');
const Ajv = load('ajv/dist/2020');
const {embedMany, generateText, streamText} = load('ai');
const {createOpenAICompatible} = load('@ai-sdk/openai-compatible');

const kHello = {role: 'user', content: 'Hello'};
const kShort = {model: 'tiny', messages: [kHello], max_tokens: 24, seed: 7};
// Is not written to its end while a test runs.
const kLong = {...kShort, max_tokens: 30000, ignore_eos: true};

const openai = (server, options) => new OpenAI({baseURL: server.url + '/v1', apiKey: 'any', maxRetries: 0, ...options});
const anthropic = (server, options) => new Anthropic({baseURL: server.url, apiKey: 'any', maxRetries: 0, ...options});

// On one thread, since threads that wait for each other take long where several servers share a busy machine.
const start = (model, ...options) => startServer(program, model, '-t', '1', ...options);

// Makes a model with random weights.
function synthModel(name, ...options) {
  const file = path.join(folder, name + '.gguf');
  execFileSync(program, ['synth', '--vocab', '300', '--layers', '2', '--out', file, ...options], {stdio: 'pipe'});
  return file;
}

let endlessModel, server, endless, client, claude;
before(async () => {
  endlessModel = synthModel('endless', '--ctx', '32768');
  [server, endless] = await Promise.all([start(model), start(endlessModel)]);
  client = openai(server);
  claude = anthropic(server);
});
after(() => {
  server?.stop();
  endless?.stop();
});

const clientTest = (name, run) => test(name, {timeout: 60000}, run);

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

// Waits until `holds` does.
async function until(holds) {
  while (!await holds()) await sleep(20);
}

const isIdle = async server => await metric(server, 'num_requests_running') + await metric(server, 'num_requests_waiting') === 0;

// The addresses from which `asked` is asked by a client that asks `through` six times.
async function peersOf(asked, through) {
  const before = asked.log.length;
  const peers = () => asked.log.slice(before).match(/127\.0\.0\.1:\d+/g) ?? [];
  for (const stream of [false, true, false, true, false, true]) {
    const answer = await openai(through).chat.completions.create({...kShort, stream});
    if (stream) await collect(answer);
  }
  await until(() => peers().length >= 6);
  return new Set(peers());
}

// Runs `use` with servers that end after it.
async function withServers(started, use) {
  const servers = await Promise.all(started);
  try {
    await use(...servers);
  } finally {
    for (const each of servers) each.stop();
    assert.deepEqual(await Promise.all(servers.map(each => each.ended)), servers.map(() => 0));
  }
}

clientTest('openai: models', async () => {
  assert.deepEqual((await collect(client.models.list())).map(each => each.id), ['tiny']);
  assert.equal((await client.models.retrieve('tiny')).object, 'model');
  await assert.rejects(client.models.retrieve('other'), OpenAI.NotFoundError);
});

clientTest('openai: a completion is what `generate` writes', async () => {
  const prompt = 'In the beginning';
  const options = ['-m', model, '-p', prompt, '-n', '24', '--seed', '7'];
  const generated = execFileSync(program, ['generate', ...options], {encoding: 'utf8', stdio: 'pipe'});
  const asked = {model: 'tiny', prompt, max_tokens: 24, seed: 7, echo: true, logprobs: 2};
  const {choices: [choice], usage} = await client.completions.create(asked);
  assert.equal(choice.text, prompt + generated.replace(/\n$/, ''));
  const {tokens, token_logprobs, top_logprobs, text_offset} = choice.logprobs;
  assert.equal(tokens.length, usage.total_tokens);
  for (const list of [token_logprobs, top_logprobs, text_offset]) assert.equal(list.length, tokens.length);
  assert.equal(token_logprobs[0], null);
  assert.ok(token_logprobs.slice(1).every(value => value <= 0));
  const streamed = await collect(await client.completions.create({...asked, stream: true}));
  assert.equal(streamed.map(event => event.choices[0].text).join(''), choice.text);
});

clientTest('openai: a chat says the same whole and streamed', async () => {
  const asked = {...kShort, logprobs: true, top_logprobs: 2};
  const whole = await client.chat.completions.create(asked);
  const stream = client.chat.completions.stream({...asked, stream_options: {include_usage: true}});
  const chunks = await collect(stream);
  const streamed = await stream.finalChatCompletion();
  assert.ok(whole.choices[0].message.content.length > 0);
  assert.equal(streamed.choices[0].message.content, whole.choices[0].message.content);
  assert.equal(streamed.choices[0].finish_reason, 'length');
  assert.deepEqual(streamed.choices[0].logprobs.content, whole.choices[0].logprobs.content);
  assert.equal(whole.choices[0].logprobs.content.length, 24);
  assert.equal(whole.usage.completion_tokens, 24);
  assert.equal(streamed.usage.total_tokens, whole.usage.total_tokens);
  assert.deepEqual(chunks[0].choices[0].delta, {role: 'assistant', content: ''});
  assert.equal(new Set(chunks.map(chunk => chunk.id + chunk.created)).size, 1);
  assert.deepEqual(chunks.map(chunk => chunk.usage !== null), chunks.map((_, i) => i === chunks.length - 1));
});

clientTest('openai: several choices, and where they stop', async () => {
  const whole = await client.chat.completions.create({...kShort, n: 2});
  const streamed = await client.chat.completions.stream({...kShort, n: 2}).finalChatCompletion();
  const texts = answer => answer.choices.map(choice => choice.message.content);
  assert.deepEqual(texts(streamed), texts(whole));
  assert.notEqual(...texts(whole));
  const stop = texts(whole)[0].slice(10, 14);
  const {choices: [stopped]} = await client.chat.completions.create({...kShort, stop: [stop]});
  assert.equal(stopped.message.content, texts(whole)[0].split(stop)[0]);
  assert.equal(stopped.finish_reason, 'stop');
});

clientTest('openai: who leaves frees the place', async () => {
  const {completions} = openai(endless).chat;
  const stream = await completions.create({...kLong, stream: true, n: 3});
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content) break;  // which ends the request
  }
  await until(() => isIdle(endless));
  const whole = new AbortController();
  const left = assert.rejects(completions.create(kLong, {signal: whole.signal}), OpenAI.APIUserAbortError);
  await until(async () => !await isIdle(endless));
  whole.abort();
  await left;
  await until(() => isIdle(endless));
});

clientTest('openai: asks again where the server is full', () => withServers([start(endlessModel, '--parallel', '1', '--queue', '0')], async full => {
  const statuses = [];
  const watched = async (...asked) => {
    const response = await fetch(...asked);
    statuses.push(response.status);
    return response;
  };
  const stream = await openai(full).chat.completions.create({...kLong, stream: true});
  await assert.rejects(openai(full).chat.completions.create(kShort), error => error instanceof OpenAI.RateLimitError && error.headers.get('retry-after') === '1');
  const answer = openai(full, {maxRetries: 5, fetch: watched}).chat.completions.create(kShort);
  await until(() => statuses.length > 0);
  stream.controller.abort();
  assert.ok((await answer).usage.completion_tokens > 0);
  assert.deepEqual([statuses[0], statuses.at(-1)], [429, 200]);
}));

clientTest('openai: errors are of their types', async () => {
  const ask = fields => client.chat.completions.create({...kShort, ...fields});
  const failsWith = (type, fields) => error => {
    assert.ok(error instanceof type, error);
    for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value);
    return true;
  };
  const tooLong = failsWith(OpenAI.BadRequestError, {code: 'context_length_exceeded', type: 'invalid_request_error'});
  const long = {messages: [{role: 'user', content: 'Hello '.repeat(1000)}]};
  await assert.rejects(ask(long), tooLong);
  await assert.rejects(ask({...long, stream: true}), tooLong);
  await assert.rejects(ask({temperature: 'hot'}), failsWith(OpenAI.BadRequestError, {param: 'temperature'}));
  await assert.rejects(ask({tools: [{type: 'function', function: {name: 'f', parameters: {}}}]}), failsWith(OpenAI.BadRequestError, {param: 'tools'}));
  await assert.rejects(client.embeddings.create({model: 'tiny', input: 'Hello'}), OpenAI.BadRequestError);
  await assert.rejects(client.post('/nowhere'), OpenAI.NotFoundError);
});

clientTest('keys', () => withServers([start(model, '--api-key', 'right')], async locked => {
  await assert.rejects(openai(locked).models.list(), OpenAI.AuthenticationError);
  await assert.rejects(anthropic(locked).models.list(), Anthropic.AuthenticationError);
  assert.equal((await openai(locked, {apiKey: 'right'}).chat.completions.create(kShort)).object, 'chat.completion');
  assert.equal((await anthropic(locked, {apiKey: 'right'}).messages.create(kShort)).type, 'message');
}));

clientTest('openai: a response says the same whole and streamed', async () => {
  const asked = {model: 'tiny', instructions: 'Speak.', input: 'Hello', max_output_tokens: 24, seed: 7};
  const whole = await client.responses.create(asked);
  const stream = client.responses.stream(asked);
  const events = await collect(stream);
  const streamed = await stream.finalResponse();
  assert.ok(whole.output_text.length > 0);
  assert.equal(streamed.output[0].content[0].text, whole.output_text);
  assert.equal(whole.status, 'incomplete');
  assert.equal(whole.usage.output_tokens, 24);
  assert.deepEqual(events.map(event => event.sequence_number), events.map((_, i) => i));
});

const kPet = {
  type: 'object',
  properties: {name: {type: 'string', maxLength: 12}, age: {type: 'integer', minimum: 0, maximum: 150}, kind: {enum: ['cat', 'dog']}},
  required: ['name', 'age', 'kind'],
  additionalProperties: false,
};
const kAsPet = {response_format: {type: 'json_schema', json_schema: {name: 'pet', strict: true, schema: kPet}}};

clientTest('openai: structured output keeps its schema', async () => {
  const validate = new Ajv().compile(kPet);
  for (const seed of [1, 2, 3, 4]) {
    const {choices: [choice]} = await client.chat.completions.create({...kShort, seed, max_tokens: 200, ...kAsPet});
    assert.equal(choice.finish_reason, 'stop');
    assert.ok(validate(JSON.parse(choice.message.content)), choice.message.content);
  }
});

clientTest('openai: structured output comes after thinking, the same whole and streamed', () => withServers([start(synthModel('thinker', '--arch', 'qwen3'))], async thinker => {
  const tokenized = await fetch(thinker.url + '/tokenize', {method: 'POST', body: JSON.stringify({content: '</think>'})});
  const {tokens: [end]} = await tokenized.json();
  const {completions} = openai(thinker).chat;
  const validate = new Ajv().compile(kPet);
  let thoughts = '';
  for (const seed of [1, 2, 3, 4]) {
    const asked = {...kShort, seed, max_tokens: 400, temperature: 1, reasoning_effort: 'high', logit_bias: {[end]: 3}, ...kAsPet};
    const {choices: [{message, finish_reason}]} = await completions.create(asked);
    assert.equal(finish_reason, 'stop');
    assert.ok(validate(JSON.parse(message.content)), message.content);
    const streamed = await collect(await completions.create({...asked, stream: true}));
    const all = key => streamed.map(({choices: [{delta}]}) => delta[key] ?? '').join('');
    assert.equal(all('content'), message.content);
    assert.equal(all('reasoning_content'), message.reasoning_content ?? '');
    thoughts += all('reasoning_content');
  }
  assert.ok(thoughts.length > 0);
}));

clientTest('openai: embeddings come the same in base64 and in floats', () => withServers([start(synthModel('embedder', '--shape', 'embedding-0.6b', '--hidden', '256'))], async embedder => {
  const input = ['In the beginning', 'Hello'];
  const asked = {model: 'embedder', input};
  const {data: floats} = await openai(embedder).embeddings.create({...asked, encoding_format: 'float'});
  const {data: unasked, usage} = await openai(embedder).embeddings.create(asked);
  assert.equal(floats.length, 2);
  for (const [i, {embedding}] of floats.entries()) {
    assert.equal(embedding.length, 256);
    assert.ok(Math.abs(embedding.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5);
    assert.deepEqual(unasked[i].embedding, Array.from(Float32Array.from(embedding)));
  }
  assert.ok(usage.prompt_tokens > 0);
  const vercel = createOpenAICompatible({name: 'bitfetch', baseURL: embedder.url + '/v1'});
  const {embeddings} = await embedMany({model: vercel.embeddingModel('embedder'), values: input});
  assert.deepEqual(embeddings, floats.map(each => each.embedding));
  await assert.rejects(openai(embedder).chat.completions.create(kShort), OpenAI.BadRequestError);
}));

clientTest('anthropic: a message says the same whole and streamed', async () => {
  const asked = {...kShort, system: 'Speak.'};
  const whole = await claude.messages.create(asked);
  const stream = claude.messages.stream(asked);
  const events = await collect(stream);
  const streamed = await stream.finalMessage();
  assert.ok(whole.content[0].text.length > 0);
  assert.deepEqual(streamed.content, whole.content);
  assert.equal(streamed.stop_reason, 'max_tokens');
  assert.equal(streamed.usage.output_tokens, 24);
  assert.equal(events[0].type, 'message_start');
  const counted = await claude.messages.countTokens({model: 'tiny', system: 'Speak.', messages: [kHello]});
  const {usage} = whole;
  assert.equal(counted.input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
});

clientTest('anthropic: errors are of their types', async () => {
  const ask = fields => claude.messages.create({...kShort, ...fields});
  const isBad = error => error instanceof Anthropic.BadRequestError && error.error.error.type === 'invalid_request_error';
  await assert.rejects(ask({temperature: 2}), isBad);
  await assert.rejects(ask({messages: []}), isBad);
  await assert.rejects(ask({messages: [{role: 'user', content: 'Hello '.repeat(1000)}]}), isBad);
  await assert.rejects(claude.post('/v1/messages/nowhere'), Anthropic.NotFoundError);
});

clientTest('anthropic: who leaves frees the place', async () => {
  const stream = anthropic(endless).messages.stream(kLong);
  stream.once('text', () => stream.abort());
  await assert.rejects(stream.done(), Anthropic.APIUserAbortError);
  await until(() => isIdle(endless));
});

clientTest('vercel: text whole and streamed', async () => {
  const vercel = createOpenAICompatible({name: 'bitfetch', baseURL: server.url + '/v1', includeUsage: true});
  const asked = {model: vercel('tiny'), prompt: 'Hello', maxOutputTokens: 24, seed: 7};
  const {choices: [choice]} = await client.chat.completions.create(kShort);
  const whole = await generateText(asked);
  assert.equal(whole.text, choice.message.content);
  assert.equal(whole.finishReason, 'length');
  const streamed = streamText(asked);
  assert.equal((await collect(streamed.textStream)).join(''), choice.message.content);
  assert.equal((await streamed.usage).outputTokens, 24);
});

// Node.js may open a second connection when it has not yet seen that an answer is complete.
clientTest('openai: connections are kept', () => withServers([start(model)], async fresh => {
  assert.ok((await peersOf(fresh, fresh)).size <= 2);
}));

test('promtool finds nothing wrong in the metrics', {skip: spawnSync('promtool', ['--version']).error && 'promtool is not there'}, async () => {
  const input = await (await fetch(server.url + '/metrics')).text();
  const {status, stderr} = spawnSync('promtool', ['check', 'metrics'], {input, encoding: 'utf8'});
  assert.equal(status, 0, stderr);
});

// nginx before servers. It asks the next one where one does not serve, and says in X-Statuses what each answered.
async function startNginx(...servers) {
  const port = await new Promise(resolve => {
    const listener = net.createServer().listen(0, '127.0.0.1', () => {
      const {port} = listener.address();
      listener.close(() => resolve(port));
    });
  });
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'bitfetch-nginx-'));
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${place}/${name};`);
  fs.writeFileSync(path.join(place, 'nginx.conf'), `
    daemon off; master_process off; pid ${place}/pid; error_log stderr;
    events {}
    http {
      access_log off; ${scratch.join(' ')}
      upstream bitfetch { ${servers.map(each => `server ${new URL(each.url).host} max_fails=0;`).join(' ')} keepalive 8; }
      server {
        listen 127.0.0.1:${port};
        # What is buffered here comes very late. Without more, nginx speaks HTTP/1.0, of which it buffers most.
        proxy_buffer_size 512k; proxy_buffers 8 512k; proxy_busy_buffers_size 1m;
        location /plain/ { proxy_pass http://bitfetch/; }
        location / {
          proxy_pass http://bitfetch;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_next_upstream error http_429 http_503 non_idempotent;
          add_header X-Statuses $upstream_status;
        }
      }
    }`);
  const child = spawn(path.join(folder, '../unpacked/usr/sbin/nginx'), ['-c', `${place}/nginx.conf`, '-p', place, '-e', 'stderr'], {stdio: 'inherit'});
  const ended = new Promise(resolve => child.once('exit', code => {
    fs.rmSync(place, {recursive: true});
    resolve(code);
  }));
  const url = `http://127.0.0.1:${port}`;
  await until(() => child.exitCode !== null || fetch(url + '/health').then(() => true, () => false));
  assert.equal(child.exitCode, null);
  return {url, stop: () => child.kill('SIGTERM'), ended};
}

clientTest('nginx: a stream is passed on as it is written', () => withServers([startNginx(endless)], async proxy => {
  for (const url of [proxy.url, proxy.url + '/plain']) {
    const before = await metric(endless, 'generation_tokens_total');
    const stream = await openai({url}).chat.completions.create({...kLong, stream: true});
    for await (const chunk of stream) {
      if (chunk.choices[0].delta.content) break;
    }
    assert.ok(await metric(endless, 'generation_tokens_total') - before < 1000);
    await until(() => isIdle(endless));
  }
}));

clientTest('nginx: connections to the server are kept', () => withServers([startNginx(server)], async proxy => {
  assert.ok((await peersOf(server, proxy)).size <= 2);
}));

clientTest('nginx: another server answers where one is shutting down', async () => {
  const servers = [start(endlessModel), start(model)];
  await withServers(servers, (leaving, staying) => withServers([startNginx(leaving, staying)], async proxy => {
    const begun = await openai(leaving).chat.completions.create({...kLong, stream: true});
    leaving.stop();
    await until(async () => (await fetch(leaving.url + '/health')).status === 503);
    const statuses = [];
    for (let i = 0; i < 4; ++i) {
      const {data, response} = await openai(proxy).chat.completions.create(kShort).withResponse();
      assert.equal(data.usage.completion_tokens, 24);
      statuses.push(response.headers.get('x-statuses'));
    }
    assert.ok(statuses.includes('503, 200'), statuses);
    begun.controller.abort();
  }));
});
