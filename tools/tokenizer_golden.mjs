// SPDX-License-Identifier: Apache-2.0
// Makes src/text/testdata/tokenizer_ids.json: hashes of the ids that published tokenizers give the texts of
// tokenizer_texts.json, beside it.
//
//   npm install --prefix build/npm tokenizers@0.23.2 tiktoken@1.0.22
//   node tools/tokenizer_golden.mjs build/npm "$(tools/tokenizers.sh)" src/text/testdata
//   node tools/tokenizer_golden.mjs build/npm "$(tools/tokenizers.sh)" src/text/testdata qwen3 TEXT    shows TEXT's ids
//
// The vocabularies are those that tools/tokenizers.sh fetches, the engine is Hugging Face's own library. For byte-level
// vocabularies tiktoken must agree on every id: Llama-3 and Qwen were trained with it. (The JavaScript tokenizer that
// comes with the vocabularies differs: U+FEFF is a space there.)
//
// Hugging Face's normal form C is that of Unicode 9, so that marks of later versions do not move in front of others, as
// they do for everybody else. And where a text has the character "▁" twice in front of or behind a space, it takes the
// two for one of Gemma's tokens before it looks at the space, which SentencePiece and GGUF's form of that token do not.
// No text here has either.
import {createRequire} from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const [prefix, vocabularies, data, only, shown] = process.argv.slice(2);
const require = createRequire(path.resolve(prefix, 'package.json'));
const {Tokenizer} = require('tokenizers');
const {Tiktoken} = require('tiktoken');
const given = JSON.parse(fs.readFileSync(path.join(data, 'tokenizer_texts.json'), 'utf8'));

// Random texts over characters that tokenizers treat differently: where one kind meets another is where they go wrong.
// A linear congruential generator, so that the test makes the same.
function randomTexts({texts: count, pieces}) {
  let state = 2025n;
  const random = n => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number((state >> 33n) % BigInt(n));
  };
  return Array.from({length: count}, () => {
    let text = '';
    for (let n = 1 + random(24); n > 0; --n) text += pieces[random(pieces.length)];
    return text;
  });
}

// FNV-1a over 32-bit words.
function hash(ids) {
  let hash = 0x811c9dc5;
  for (const id of ids) hash = Math.imul(hash ^ id, 0x01000193) >>> 0;
  return hash;
}

function open(name) {
  const json = JSON.parse(fs.readFileSync(path.join(vocabularies, name, 'tokenizer.json'), 'utf8'));
  // What a user types is never read as control tokens. They keep their places, from which the ids of those behind follow.
  for (const token of json.added_tokens) {
    if (token.special || /^<\|.*\|>$/.test(token.content)) token.content = `\u{fffff}${token.id}`;
  }
  json.post_processor = null;
  const huggingFace = Tokenizer.fromString(JSON.stringify(json));
  const encode = async text => (await huggingFace.encode(text, null, {addSpecialTokens: false})).getIds();
  const split = json.pre_tokenizer?.pretokenizers?.find(({type}) => type === 'Split');
  return split ? {encode, alike: tiktokenOf(json, split.pattern.Regex)} : {encode};
}

// Ids by tiktoken, or nothing for a text that has an added token.
function tiktokenOf(json, pattern) {
  const byteOf = new Map();  // of GPT-2's byte alphabet
  for (let byte = 0, next = 0x100; byte < 256; ++byte) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    byteOf.set(String.fromCodePoint(printable ? byte : next++), byte);
  }
  const ranks = [];
  for (const [token, id] of Object.entries(json.model.vocab)) {
    ranks[id] = Buffer.from([...token].map(c => byteOf.get(c))).toString('base64');
  }
  const tiktoken = new Tiktoken('! 0 ' + ranks.join(' '), {}, pattern);
  return text => {
    if (json.added_tokens.some(({content}) => text.includes(content))) return null;
    return [...tiktoken.encode_ordinary(json.normalizer ? text.normalize('NFC') : text)];
  };
}

async function golden(name, texts) {
  const {encode, alike} = open(name);
  const hashes = [];
  for (const text of texts) {
    const ids = await encode(text);
    const others = alike?.(text);
    if (others && ids.join() !== others.join()) {
      throw new Error(`${name}: the engines differ on ${JSON.stringify(text)}: ${ids} and ${others}`);
    }
    hashes.push(hash(ids));
  }
  // Long runs of one thing, on which tiktoken takes minutes.
  for (const {piece, times} of given.repeated) hashes.push(hash(await encode(piece.repeat(times))));
  const lines = [];
  while (hashes.length) lines.push(hashes.splice(0, 10).join(','));
  return `"${name}": [\n${lines.join(',\n')}]`;
}

if (shown !== undefined) {
  console.log((await open(only).encode(shown)).join());
} else {
  const texts = [...given.texts.flatMap(({texts}) => texts), ...randomTexts(given.random)];
  const parts = [];
  for (const name of ['llama3', 'qwen3', 'llama2', 'gemma3']) parts.push(await golden(name, texts));
  fs.writeFileSync(path.join(data, 'tokenizer_ids.json'), `{${parts.join(',\n')}}\n`);
  console.error(`${texts.length} texts and ${given.repeated.length} long runs`);
}
