// SPDX-License-Identifier: Apache-2.0
// Tests the server's page to chat on in Chromium.
//
//   node tools/page_test.mjs build/page_test bitfetch-serve models/tiny.gguf
//   node tools/page_test.mjs build/page_test bitfetch-serve models/tiny.gguf --picture docs/images/page.png
//
// The folder has the package playwright-core, which tools/page_test.sh puts there. Between browser and server stands a
// relay, which lets a test answer in the server's place and see what the page asked. `--picture` tests nothing: it
// takes a picture of the page with a made-up conversation.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import {createRequire} from 'node:module';
import path from 'node:path';
import {after, before, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {metric, startServer} from './test_server.mjs';

const [folder, program, model, , picture] = process.argv.slice(2);
const {chromium} = createRequire(import.meta.url)(path.resolve(folder, 'playwright-core'));

// A relay asks its server, with `fields` beside what the page posts, or answers itself while `answer` is set. `asked` has
// what the page posted.
async function startRelay(server) {
  const relay = {server, answer: null, fields: {}, asked: []};
  const listener = http.createServer((request, response) => {
    const pieces = [];
    request.on('data', piece => pieces.push(piece)).on('end', () => {
      const posted = request.method === 'POST' ? JSON.parse(Buffer.concat(pieces)) : null;
      if (posted) relay.asked.push(posted);
      if (posted && relay.answer) return relay.answer(response);
      const {'content-length': length, ...headers} = request.headers;
      const options = {method: request.method, headers};
      const upstream = http.request(relay.server.url + request.url, options, answer => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      upstream.on('error', () => response.destroy());
      response.on('close', () => upstream.destroy());
      upstream.end(posted ? JSON.stringify({...posted, ...relay.fields}) : undefined);
    });
  });
  await new Promise(resolve => listener.listen(0, '127.0.0.1', resolve));
  relay.url = `http://127.0.0.1:${listener.address().port}/`;
  relay.stop = () => {
    listener.closeAllConnections();
    listener.close();
  };
  return relay;
}

const event = value => `data: ${JSON.stringify(value)}\n\n`;
const delta = fields => event({choices: [{index: 0, delta: fields, finish_reason: null}], usage: null});
const kEnd = event({choices: [{index: 0, delta: {}, finish_reason: 'stop'}]}) + event({
  choices: [], usage: {prompt_tokens: 212, completion_tokens: 118, prompt_tokens_details: {cached_tokens: 180}},
  timings: {predicted_per_second: 31.4},
}) + 'data: [DONE]\n\n';

// An answer that says these pieces: contents, whole deltas, or milliseconds in which nothing comes.
const saying = (...pieces) => async response => {
  response.writeHead(200, {'Content-Type': 'text/event-stream'});
  for (const piece of pieces) {
    if (typeof piece === 'number') await sleep(piece);
    else response.write(delta(typeof piece === 'string' ? {content: piece} : piece));
  }
  response.end(kEnd);
};

const failing = (status, body, headers = {}) => response => response.writeHead(status, headers).end(body);

let server, relay, browser;
before(async () => {
  server = await startServer(program, model);
  relay = await startRelay(server);
  browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox']});
});
after(async () => {
  await browser?.close();
  relay?.stop();
  server?.stop();
});

const kDesktop = {width: 1200, height: 800}, kPhone = {width: 360, height: 640};

// A test with a page of its own. What the page asks of others, and what it throws, fails it.
function pageTest(name, run, options = {}) {
  if (picture) return;
  test(name, {timeout: 300000}, async () => {
    const context = await browser.newContext({viewport: kDesktop, ...options});
    const wrong = [];
    context.on('request', request => new URL(request.url()).origin + '/' === relay.url || wrong.push(request.url()));
    context.on('weberror', error => wrong.push(error.error().message));
    context.on('dialog', dialog => wrong.push(dialog.message()));
    context.on('console', said => /Content Security Policy|Trusted/.test(said.text()) && wrong.push(said.text()));
    Object.assign(relay, {server, answer: null, fields: {}, asked: []});
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(60000);
      await page.goto(relay.url);
      await run(page, context);
      assert.deepEqual(wrong.filter(text => !text.startsWith('blob:')), []);
    } finally {
      await context.close();
    }
  });
}

async function say(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

const idle = page => page.waitForSelector('#stop', {state: 'hidden'});

// Asks, and waits for the whole answer, which is the server's unless `pieces` are.
async function chat(page, text, ...pieces) {
  if (pieces.length) relay.answer = saying(...pieces);
  await say(page, text);
  await idle(page);
}

const answerOf = page => page.locator('.answer').last();
const failureOf = page => page.locator('.failed').last().innerText();
const isFine = async page => assert.equal(await page.locator('.failed:visible').count(), 0);

async function choose(page, fields) {
  await page.click('#settings');
  for (const [name, value] of Object.entries(fields)) await page.fill(`[name=${name}]`, value);
  await page.click('#options button.primary');
}

pageTest('an answer is what the server says to others, with its speed below', async page => {
  await choose(page, {seed: '7', max_tokens: '24', temperature: '0.5'});
  await chat(page, 'In the beginning');
  const body = {messages: [{role: 'user', content: 'In the beginning'}], seed: 7, max_tokens: 24, temperature: 0.5};
  assert.deepEqual(relay.asked[0], {...body, stream: true, stream_options: {include_usage: true}});
  const same = await (await fetch(server.url + '/v1/chat/completions', {method: 'POST', body: JSON.stringify(body)})).json();
  const kept = await page.evaluate(() => JSON.parse(Object.entries(localStorage).find(([name]) => name.includes('.chat.'))[1]));
  assert.equal(kept.messages[1].content, same.choices[0].message.content);
  assert.match(await page.innerText('.stats'), /^[\d.]+ tokens\/s · first token after [\d.]+ s · 24 tokens( · .* cached)? · cut at the limit$/);
  assert.equal(await page.title(), 'In the beginning - bitfetch');
});

pageTest('a stream is read however it is cut', async page => {
  const text = 'Grüße, 世界 🙂';
  const lines = value => JSON.stringify(value, null, 1).split('\n').map(line => `data: ${line}\n`).join('') + '\n';
  const stream = ': a comment\n\n' + delta({role: 'assistant', content: ''}) +
      text.split(/(?<=,)/).map(content => lines({choices: [{index: 0, delta: {content}}]})).join('') + kEnd;
  for (const whole of [stream, stream.replaceAll('\n', '\r\n'), stream.replaceAll('\n', '\r')]) {
    relay.answer = async response => {
      response.socket.setNoDelay();
      for (const byte of Buffer.from(whole)) {
        if (!response.write(Buffer.from([byte]))) await sleep(1);
        if (byte >= 0x80 || byte === 13) await sleep(1);
      }
      response.end();
    };
    await say(page, 'Hello');
    await idle(page);
    await isFine(page);
    assert.equal(await answerOf(page).innerText(), text);
  }
});

const kHostile = [
  '<script>window.hit = 1</script>',
  '<img src=x onerror="window.hit = 1">',
  '<svg/onload=window.hit=1>',
  '</div></article><iframe srcdoc="<script>parent.hit = 1</script>"></iframe>',
  '<style>* { display: none }</style><base href="https://example.com/">',
  '<details open ontoggle=window.hit=1>x</details>',
  '[a](javascript:window.hit=1)',
  '[a](JaVaScRiPt:window.hit=1)',
  '[a](java\tscript:window.hit=1)',
  '[a](&#106;avascript:window.hit=1)',
  '[a](<javascript:window.hit=1>)',
  '[a](\u0001javascript:window.hit=1)',
  '[a](data:text/html,<script>window.hit=1</script>)',
  '[a](vbscript:window.hit=1)',
  '[a](//example.com) [b](relative) [c](file:///etc/passwd) [d](blob:https://example.com/x)',
  '![a](https://example.com/x.png) ![b](javascript:window.hit=1)',
  '[a](https://example.com/"onmouseover="window.hit=1)',
  '[<img src=x onerror=window.hit=1>](https://example.com)',
  '[a](https://example.com "x\\" onclick=window.hit=1")',
  '<javascript:window.hit=1> <https://example.com/<script>window.hit=1</script>>',
  '```html\n<script>window.hit = 1</script>\n',
  '```"><img src=x onerror=window.hit=1>\ncode\n```',
  '``` x\n``` \n<script>window.hit = 1</script>\n~~~\n```\n</code></pre><script>window.hit=1</script>',
  '`<img src=x onerror=window.hit=1>` **<b onclick=window.hit=1>b</b>** *<i>i</i>*',
  '| <img src=x onerror=window.hit=1> | b |\n|---|---|\n| <script>window.hit=1</script> | [a](javascript:window.hit=1) |',
  '> <script>window.hit=1</script>\n- <img src=x onerror=window.hit=1>\n1. [a](javascript:window.hit=1)\n# <svg/onload=window.hit=1>',
  '<template><script>window.hit=1</script></template><math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>',
  '<form action="javascript:window.hit=1"><button id="send" formaction="javascript:window.hit=1">x</button></form>',
  '<a id="send" name="messages" href="javascript:window.hit=1">x</a>',
  '__proto__ [constructor](https://example.com) {{constructor.constructor("window.hit=1")()}} ${window.hit=1}',
  '\u202e<script>\u0000window.hit=1</script>\ufeff',
];

pageTest('the browser is told to run and load nothing else', async page => {
  const [one, other] = await Promise.all([fetch(server.url), fetch(server.url)]);
  const [policy, text] = [one.headers.get('Content-Security-Policy'), await one.text()];
  assert.match(policy, /^default-src 'none'; script-src 'nonce-[0-9a-f]{32}'; style-src 'nonce-[0-9a-f]{32}'; connect-src 'self'; img-src data:;/);
  assert.notEqual(policy, other.headers.get('Content-Security-Policy'));
  assert.equal(text.split(policy.match(/[0-9a-f]{32}/)[0]).length, 3);  // a style and a script
  assert.doesNotMatch(text, /NONCE|innerHTML|insertAdjacentHTML|document\.write|eval\(|\son[a-z]+="/);
});

pageTest('a hostile answer runs nothing', async page => {
  for (const text of kHostile) {
    await chat(page, text, {reasoning_content: text}, text);
    await isFine(page);
    const found = await page.evaluate(() => {
      for (const part of document.querySelectorAll('.answer *, .asked *, .thinking *, .failed *, #list *, h1 *')) {
        for (const type of ['click', 'mouseover', 'mouseenter', 'focus', 'toggle']) {
          if (part.tagName !== 'A' && !part.matches('.copy, .open, .icon, .icon *')) part.dispatchEvent(new Event(type));
        }
      }
      const parts = [...document.querySelectorAll('.answer *, .asked *, .thinking *, h1 *')];
      return {
        hit: window.hit,
        tags: [...new Set(parts.map(part => part.tagName.toLowerCase()))],
        attributes: [...new Set(parts.flatMap(part => part.getAttributeNames()))],
        links: parts.filter(part => part.href).map(part => [new URL(part.href).protocol, part.rel]),
      };
    });
    assert.equal(found.hit, undefined, text);
    const allowed = 'p br strong em del code pre a h1 ul ol li blockquote table thead tbody tr th td hr div header span button summary'.split(' ');
    assert.deepEqual(found.tags.filter(tag => !allowed.includes(tag)), [], text);
    assert.deepEqual(found.attributes.filter(name => !['class', 'href', 'rel', 'target', 'start', 'tabindex', 'aria-label'].includes(name)), [], text);
    for (const [scheme, rel] of found.links) {
      assert.ok(['http:', 'https:', 'mailto:'].includes(scheme), text);
      assert.match(rel, /noopener/);
    }
  }
});

// What is shown of each Markdown, as HTML without the attributes that all of its kind have.
const kMarkdown = [
  ['a **b** *c* _d_ __e__ ~~f~~ `g`', '<p>a <strong>b</strong> <em>c</em> <em>d</em> <strong>e</strong> <del>f</del> <code>g</code></p>'],
  ['***a*** **b *c* d**', '<p><strong><em>a</em></strong> <strong>b <em>c</em> d</strong></p>'],
  ['2 * 3 * 4, snake_case_name, a ** b', '<p>2 * 3 * 4, snake_case_name, a ** b</p>'],
  ['\\*a\\* `` b ` c `` **open', '<p>*a* <code>b ` c</code> **open</p>'],
  ['one\ntwo\n\nthree', '<p>one<br>two</p><p>three</p>'],
  ['# A #\n## B\n### C', '<h1>A</h1><h2>B</h2><h3>C</h3>'],
  ['a\n\n---\n\nb', '<p>a</p><hr><p>b</p>'],
  ['> a\n> > b\n\nc', '<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote><p>c</p>'],
  ['- a\n- b\n  - c\n    more\n- d', '<ul><li><p>a</p></li><li><p>b</p><ul><li><p>c<br>more</p></li></ul></li><li><p>d</p></li></ul>'],
  ['3. a\n\n   b\n4. c', '<ol start="3"><li><p>a</p><p>b</p></li><li><p>c</p></li></ol>'],
  ['Now:\n1. a\n   - b\n2. c\n\nd', '<p>Now:</p><ol><li><p>a</p><ul><li><p>b</p></li></ul></li><li><p>c</p></li></ol><p>d</p>'],
  ['- a\n\t- b', '<ul><li><p>a</p><ul><li><p>b</p></li></ul></li></ul>'],
  ['1. a\n\n2. b', '<ol><li><p>a</p></li><li><p>b</p></li></ol>'],
  ['In 2024. we', '<p>In 2024. we</p>'],
  ['| a | b |\n|:--|--:|\n| `c` | d \\| e |\nf',
   '<div><table><thead><tr><th>a</th><th class="right">b</th></tr></thead><tbody><tr><td><code>c</code></td><td class="right">d | e</td></tr></tbody></table></div><p>f</p>'],
  ['[a **b**](https://example.com/x_(y)) <https://example.org> mailto:a@example.com.',
   '<p><a href="https://example.com/x_(y)">a <strong>b</strong></a> &lt;<a href="https://example.org/">https://example.org</a>&gt; <a href="mailto:a@example.com">mailto:a@example.com</a>.</p>'],
  ['```c++\nint a;\n\n  b\n```\nc', '<div>c++|int a;\n\n  b</div><p>c</p>'],
  ['1. a\n   ```\n   b\n     c\n   ```\n2. d', '<ol><li><p>a</p><div>text|b\n  c</div></li><li><p>d</p></li></ol>'],
  ['~~~~\n```\n~~~\n~~~~', '<div>text|```\n~~~</div>'],
  ['```\nunfinished', '<div>text|unfinished</div>'],
];

pageTest('Markdown is shown', async page => {
  for (const [source, wanted] of kMarkdown) {
    const shown = await page.evaluate(source => {
      const root = document.createElement('div');
      const show = markdownView(root);
      for (let end = 1; end <= source.length; ++end) {
        show(source.slice(0, end));
        const fresh = document.createElement('div');
        markdownView(fresh)(source.slice(0, end));
        if (root.innerHTML !== fresh.innerHTML) return `${root.innerHTML} is not ${fresh.innerHTML}`;
      }
      for (const block of root.querySelectorAll('.code')) {
        block.replaceChildren(`${block.querySelector('span').textContent}|${block.querySelector('code').textContent}`);
      }
      for (const part of root.querySelectorAll('*')) {
        part.removeAttribute('rel');
        part.removeAttribute('target');
        if (!part.matches('.right')) part.removeAttribute('class');
        if (part.start === 1) part.removeAttribute('start');
      }
      return root.innerHTML;
    }, source);
    assert.equal(shown, wanted);
  }
});

pageTest('no text keeps the page busy for long', async page => {
  const units = ['*', '*a ', '**a ', '_a ', '__a ', '~~a ', '`a ``b ', '_', '[', '![', '[a](', '`', '` ', '~', '>', '> ', '- ', '  ', '\\', '|', '|-', 'http://', '```\n', '#', '# ', '1. ', '*a**b', '~~a', '- a\n  ', '((', '<'];
  for (const unit of units) {
    const passed = await page.evaluate(text => {
      const begin = performance.now();
      markdownView(document.createElement('div'))(text);
      return performance.now() - begin;
    }, unit.repeat(100000 / unit.length));
    assert.ok(passed < 5000, `${unit}: ${passed} ms`);
  }
});

pageTest('Stop ends the work of the server', async page => {
  const answers = 128, length = 400;
  relay.fields = {n: answers, max_tokens: length, ignore_eos: true};  // more than is done before anyone can stop it
  for (const stop of [() => page.click('#stop'), () => page.keyboard.press('Escape')]) {
    await page.click('#new');  // what the first answer comes to need not fit in the context
    const before = await metric(server, 'generation_tokens_total');
    await say(page, 'In the beginning');
    await page.waitForFunction(() => [...document.querySelectorAll('.answer')].at(-1)?.textContent);
    await stop();
    await idle(page);
    await isFine(page);
    assert.match(await page.locator('.stats').last().innerText(), /stopped/);
    for (let i = 0; await metric(server, 'num_requests_running') > 0; ++i) {
      assert.ok(i < 500, 'the server goes on');
      await sleep(20);
    }
    assert.ok(await metric(server, 'generation_tokens_total') - before < answers * length, 'the server went on');
  }
});

pageTest('a key is asked for where the server wants one', async page => {
  const guarded = await startServer(program, model, '--api-key', 'sesame');
  relay.server = guarded;
  try {
    await page.reload();
    await choose(page, {max_tokens: '8'});
    await say(page, 'In the');
    await idle(page);
    assert.match(await failureOf(page), /wants an API key/);
    await page.click('#settings');
    await page.fill('#key', 'wrong');
    await page.keyboard.press('Enter');
    await page.click('.again');
    await idle(page);
    assert.match(await failureOf(page), /does not know this API key/);
    await page.click('#settings');
    await page.fill('#key', 'sesame');
    await page.keyboard.press('Enter');
    await page.click('.again');
    await idle(page);
    assert.equal(await page.locator('.failed:visible').count(), 0);
    assert.notEqual(await answerOf(page).innerText(), '');
    assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes('sesame')), false);
  } finally {
    guarded.stop();
  }
});

pageTest('what fails is said in words', async page => {
  const cases = [
    [failing(429, '{"error": {"message": "the queue is full"}}', {'Retry-After': '3'}), 'The queue is full. Try again in 3 s.'],
    [failing(502, '<html>Bad gateway</html>'), 'The server answered with status 502.'],
    [response => response.destroy(), 'The server cannot be reached. Is it still running?'],
    [response => response.writeHead(200).end(delta({content: 'half'}) + event({error: {message: 'out of memory'}})), 'Out of memory.'],
    [response => response.writeHead(200).end(delta({content: 'half'})), 'The connection ended before the answer was whole.'],
    [response => response.writeHead(200).end('data: {oops\n\n'), 'The server sent something that is not JSON.'],
  ];
  for (const [answer, words] of cases) {
    relay.answer = answer;
    await say(page, 'Hello');
    await idle(page);
    assert.equal(await failureOf(page), words);
  }
  await page.click('#new');
  relay.answer = null;
  await say(page, 'long '.repeat(5000));
  await idle(page);
  assert.match(await failureOf(page), /context/);
});

pageTest('thinking is folded', async page => {
  await chat(page, 'Why?', {reasoning_content: 'Let me '}, {reasoning_content: '**see**.'}, 'Because.');
  assert.match(await page.innerText('.thinking summary'), /^Thought for [\d.]+ s$/);
  assert.equal(await page.locator('.thinking div').isVisible(), false);
  await page.click('.thinking summary');
  assert.equal(await page.innerText('.thinking div'), 'Let me **see**.');
  assert.equal(await answerOf(page).innerText(), 'Because.');
  await chat(page, 'And?', 'So.');
  assert.deepEqual(relay.asked[1].messages, [{role: 'user', content: 'Why?'}, {role: 'assistant', content: 'Because.'}, {role: 'user', content: 'And?'}]);
});

pageTest('the last message is edited, its answer made again', async page => {
  await chat(page, 'One', 'first');
  await chat(page, 'Two', 'second');
  await page.click('.again:visible');
  await idle(page);
  await page.click('.edit:visible');
  assert.equal(await page.inputValue('#text'), 'Two');
  await chat(page, 'Three', 'third');
  const said = relay.asked.map(({messages}) => messages.map(({content}) => content).join(' '));
  assert.deepEqual(said, ['One', 'One first Two', 'One first Two', 'One first Three']);
  assert.deepEqual(await page.locator('.asked').allInnerTexts(), ['One', 'Three']);
  await page.click('.edit:visible');
  await page.keyboard.press('Escape');
  assert.equal(await page.inputValue('#text'), '');
  await chat(page, 'Four', 'fourth');
  assert.deepEqual(await page.locator('.asked').allInnerTexts(), ['One', 'Three', 'Four']);
});

pageTest('settings are kept, shown and sent', async page => {
  assert.equal(await page.getAttribute('[name=temperature]', 'placeholder'), '0.8');
  await page.click('#settings');
  await page.fill('#system', 'Be brief.');
  await page.fill('[name=top_p]', '7');  // out of range: not sent
  await page.fill('[name=top_k]', '5');
  await page.fill('[name=min_p]', '0');
  await page.keyboard.press('Escape');
  await page.reload();
  await chat(page, 'Hi', 'Yes?');
  assert.deepEqual(relay.asked[0].messages, [{role: 'system', content: 'Be brief.'}, {role: 'user', content: 'Hi'}]);
  assert.deepEqual([relay.asked[0].top_k, relay.asked[0].min_p, relay.asked[0].top_p, relay.asked[0].temperature], [5, 0, undefined, undefined]);
  await page.click('#settings');
  assert.equal(await page.inputValue('[name=top_k]'), '5');
  await page.click('#defaults');
  await page.click('#options button.primary');
  await chat(page, 'Hi', 'Yes?');
  assert.equal(relay.asked[1].top_k, undefined);
});

pageTest('conversations are kept, renamed and deleted', async page => {
  await chat(page, 'About ships', 'Ships.');
  await page.click('#new');
  await chat(page, 'About trains', 'Trains.');
  await page.reload();
  assert.deepEqual(await page.locator('#list .open').allInnerTexts(), ['About trains', 'About ships']);
  await page.click('text=About ships');
  assert.equal(await answerOf(page).innerText(), 'Ships.');
  await page.click('.current .rename');
  await page.fill('#question-text', 'Boats');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#list .open:text("Boats")');
  assert.equal(await page.innerText('#title'), 'Boats');
  await page.click('.current .delete');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#list li').count(), 2);
  await page.click('.current .delete');
  await page.click('#question-yes');
  await page.waitForSelector('#empty', {state: 'visible'});
  assert.deepEqual(await page.locator('#list .open').allInnerTexts(), ['About trains']);
});

pageTest('two tabs lose nothing of each other\'s', async (page, context) => {
  await chat(page, 'Shared', 'one');
  const other = await context.newPage();
  await other.goto(relay.url);
  await other.click('text=Shared');
  await chat(other, 'from the other', 'two');
  await page.waitForFunction(() => document.querySelectorAll('.asked').length === 2);  // it follows
  // Both write before they hear of each other: one of them becomes a copy.
  for (const tab of [page, other]) await tab.evaluate(() => window.onstorage = null);
  let release;
  const released = new Promise(resolve => release = resolve);
  relay.answer = async response => {
    await released;
    saying('late')(response);
  };
  await Promise.all([say(page, 'left'), say(other, 'right')]);
  await sleep(200);
  release();
  await Promise.all([idle(page), idle(other)]);
  const kept = await page.evaluate(() => storedChats().map(({messages}) => messages.map(({content}) => content).join(' ')).sort());
  assert.deepEqual(kept, ['Shared one from the other two left late', 'Shared one from the other two right late']);
});

pageTest('an answer goes on while another conversation is shown, and after a reload what was written is there', async page => {
  let finish;
  relay.answer = async response => {
    response.writeHead(200).write(delta({content: 'begun'}));
    await new Promise(resolve => finish = resolve);
    response.end(delta({content: ' and done'}) + kEnd);
  };
  await say(page, 'Slow');
  await page.waitForFunction(() => document.querySelector('.answer').textContent === 'begun');
  await page.click('#new');
  assert.equal(await page.locator('#send').isVisible(), true);
  await page.click('text=Slow');
  assert.equal(await page.locator('#stop').isVisible(), true);
  finish();
  await idle(page);
  assert.equal(await answerOf(page).innerText(), 'begun and done');
  await say(page, 'Slow again');
  await page.waitForFunction(() => [...document.querySelectorAll('.answer')].at(-1).textContent === 'begun');
  await page.reload();
  await page.click('text=Slow');
  assert.equal(await answerOf(page).innerText(), 'begun');
  finish();
});

pageTest('a browser that keeps nothing more is no trouble', async page => {
  await page.evaluate(() => {
    for (let size = 1 << 20; size; size >>= 1) {
      try {
        for (let i = 0;; ++i) localStorage.setItem(`fill${size}.${i}`, 'x'.repeat(size));
      } catch {
        // Full at this size.
      }
    }
  });
  await chat(page, 'Hello', 'Yes');
  assert.match(await page.innerText('#notice'), /keeps no more/);
  await page.click('#new');
  await page.click('text=Hello');
  assert.equal(await answerOf(page).innerText(), 'Yes');
});

pageTest('what is kept may be anything', async page => {
  await page.evaluate(() => {
    for (const [i, text] of ['{', 'null', '7', '{"messages": 7}', '[]'].entries()) localStorage.setItem(`bitfetch.chat.${i}`, text);
    localStorage.setItem('bitfetch.settings', '"x"');
  });
  await page.reload();
  assert.equal(await page.locator('#list li').count(), 0);
  await chat(page, 'Hello', 'Yes');
  assert.equal(await answerOf(page).innerText(), 'Yes');
});

pageTest('export', async page => {
  await chat(page, 'Say "hi" / <b>', {reasoning_content: 'Hm.'}, '**hi** ü');
  const get = async button => {
    await page.click('#export');
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(button)]);
    return [file.suggestedFilename(), fs.readFileSync(await file.path(), 'utf8')];
  };
  assert.deepEqual(await get('#export-markdown'), ['Say-hi-b.md', '# Say "hi" / <b>\n\n## You\n\nSay "hi" / <b>\n\n## Answer\n\n**hi** ü\n']);
  const messages = [{role: 'user', content: 'Say "hi" / <b>'}, {role: 'assistant', content: '**hi** ü', reasoning_content: 'Hm.'}];
  const [name, one] = await get('#export-json');
  assert.equal(name, 'Say-hi-b.json');
  assert.deepEqual(JSON.parse(one).messages, messages);
  const [, all] = await get('#export-all');
  assert.deepEqual(JSON.parse(all).map(({messages}) => messages), [messages]);
});

pageTest('keys', async page => {
  await page.focus('#text');
  await page.keyboard.type('one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.evaluate(() => document.getElementById('text').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true})));
  assert.equal(relay.asked.length, 0);
  relay.answer = saying('yes');
  await page.keyboard.press('Enter');
  await idle(page);
  assert.equal(relay.asked[0].messages[0].content, 'one\ntwo');
  await page.keyboard.press('Enter');  // nothing written: nothing sent
  assert.equal(relay.asked.length, 1);
  // All can be reached by Tab, and each has a name.
  const names = new Set();
  await page.focus('#new');
  for (let i = 0; i < 14; ++i) {
    names.add(await page.evaluate(() => document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim()));
    await page.keyboard.press('Tab');
  }
  for (const name of ['New conversation', 'Rename', 'Delete', 'Export', 'Settings', 'Edit', 'Copy', 'Regenerate', 'Your message']) assert.ok(names.has(name), name);
});

pageTest('code is copied', async (page, context) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await chat(page, 'Code?', '```sh\necho "<b>"\n```');
  await page.click('.code .copy');
  await page.waitForSelector('.code .copy:text("Copied")');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'echo "<b>"');
  await page.click('.assistant footer .copy');
  await page.waitForSelector('.assistant footer .copy:text("Copied")');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), '```sh\necho "<b>"\n```');
});

pageTest('what is written is followed until the reader scrolls up', async page => {
  let release;
  relay.answer = async response => {
    response.writeHead(200).write(delta({content: 'line\n\n'.repeat(60)}));
    await new Promise(resolve => release = resolve);
    response.write(delta({content: 'line\n\n'.repeat(60)}));
    await new Promise(resolve => release = resolve);
    response.end(kEnd);
  };
  const distance = () => page.evaluate(() => isAtEnd());
  await say(page, 'Go');
  await page.waitForFunction(() => document.querySelectorAll('.answer p').length === 60);
  assert.equal(await distance(), true);
  await page.mouse.move(700, 400);
  await page.mouse.wheel(0, -200);
  await page.waitForSelector('#below', {state: 'visible'});
  const top = await page.evaluate(() => document.getElementById('log').scrollTop);
  release();
  await page.waitForFunction(() => document.querySelectorAll('.answer p').length === 120);
  assert.equal(await page.evaluate(() => document.getElementById('log').scrollTop), top);
  await page.click('#below');
  assert.equal(await distance(), true);
  release();
  await idle(page);
});

const kAnswer = `A **KV cache** holds what attention computed for earlier tokens, so that each new token costs one pass and not all of them.

1. The prompt is read once, and its keys and values are kept.
2. Every further token looks at these, and adds its own.

| type | bytes a value | loss |
|:--|--:|:--|
| \`f16\` | 2 | none that shows |
| \`q8_0\` | 1.06 | very small |

\`\`\`sh
bitfetch serve -m model.gguf --kv-type q8_0
\`\`\`
`;

async function showConversation(page) {
  await chat(page, 'How do I read a GGUF file?', 'With `bitfetch info`.');
  await page.click('#new');
  await chat(page, 'Names for a grey cat', 'Ash.');
  await page.click('#new');
  await chat(page, 'What is a KV cache, and which type should I take?', 210, {reasoning_content: 'They run a small server.'}, 1400, kAnswer);
}

for (const [size, viewport] of Object.entries({desktop: kDesktop, phone: kPhone})) {
  for (const colorScheme of ['light', 'dark']) {
    pageTest(`it fits: ${size}, ${colorScheme}`, async page => {
      if (size === 'phone') {
        await page.click('#menu');
        await page.waitForSelector('body.drawer');
        await page.keyboard.press('Escape');
        await chat(page, 'What is a KV cache?', {reasoning_content: 'Hm.'}, kAnswer + 'x'.repeat(300) + '\n\n```\n' + 'y'.repeat(300) + '\n```');
      } else {
        await showConversation(page);
      }
      await page.screenshot({path: path.join(folder, `${size}-${colorScheme}.png`)});
      const {wide, paper} = await page.evaluate(() => ({
        wide: [document.documentElement, document.getElementById('log')].some(part => part.scrollWidth > part.clientWidth),
        paper: getComputedStyle(document.body).backgroundColor,
      }));
      assert.equal(wide, false);
      assert.equal(paper, colorScheme === 'dark' ? 'rgb(20, 23, 26)' : 'rgb(255, 255, 255)');
      await page.click('#settings');
      await page.screenshot({path: path.join(folder, `${size}-${colorScheme}-settings.png`)});
    }, {viewport, colorScheme});
  }
}

if (picture) {
  test('picture', async () => {
    const page = await browser.newPage({viewport: kDesktop, colorScheme: 'light'});
    await page.goto(relay.url);
    await showConversation(page);
    await page.screenshot({path: picture});
  });
}
