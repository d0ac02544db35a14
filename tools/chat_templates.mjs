// SPDX-License-Identifier: Apache-2.0
// What the npm package @huggingface/jinja renders, to compare our renderer with.
//
//   node tools/chat_templates.mjs constructs build/chat_templates src/text/testdata/jinja.json
//   node tools/chat_templates.mjs models build/chat_templates build/chat_templates/rendered.json
//
// The folder has the packages that tools/chat_templates.sh puts there. `constructs` takes templates of our own, each for
// something that templates may say. `models` renders a table of conversations with the templates of models that are in the
// packages, and with the forms that src/text/chat_form.cc has. Both write
// {"templates": [...], "cases": [{"template": index, "variables": {...}, "text": what comes out, or null: it fails}]};
// variables that all cases have are beside these.
import fs from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const [mode, folder, output] = process.argv.slice(2);
const {Template} = await import(pathToFileURL(path.resolve(folder, 'jinja/package/dist/index.js')));

// JavaScript has words for a list or a dict that is joined to a text; nobody means them, and we refuse.
Array.prototype.toString = Map.prototype.toString = () => {
  throw new Error('no text');
};

function render(template, variables) {
  try {
    return new Template(template).render(variables);
  } catch {
    return null;
  }
}

function write(templates, cases, variables = {}) {
  const escape = value => JSON.stringify(value).replace(/[\u007f-\uffff]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
  const lines = list => list.map(escape).join(',\n');
  fs.writeFileSync(output, `{"templates": [\n${lines(templates)}\n],\n"cases": [\n${lines(cases)}\n],\n"variables": ${escape(variables)}}\n`);
  const failed = cases.filter(c => c.text === null).length;
  console.error(`@huggingface/jinja rendered ${templates.length} templates ${cases.length} times, to compare with; ${failed} times it fails, and so must we`);
}

// Each is rendered with these.
const things = {
  t: true, f: false, n: null, zero: 0, one: 1, two: 2, half: 0.5, big: 123456789012, huge: 1e21, tiny: 1e-7,
  s: 'hello', e: '', w: ' \n\t  spaces\u00a0\ufeff around \v\n', u: 'na\u00efve \u4e2d\u6587 \ud83d\ude00!', q: 'a"b\\c\n\t\u0001/\u007f\u2028',
  lines: 'one\n\n  two\nthree', csv: 'a,b,,c', words: '  some  words\there ',
  l: [3, 1, 2], el: [], mixed: ['a', 1, true, null, 2.5, {k: 'v'}, []], names: ['bob', 'Alice', 'carol', 'Bob'],
  d: {b: 1, a: 'two', c: null, 'key with space': [1, {x: {}}]}, ed: {}, nested: {a: {b: {c: 'deep'}}},
  people: [{name: 'Ann', age: 30, ok: true}, {name: 'bob', age: 25, ok: false}, {name: 'Cy', age: 30}],
  messages: [{role: 'system', content: 'Be brief.'}, {role: 'user', content: 'Hi'}, {role: 'assistant', content: 'Yes?'}],
};

const constructs = [
  // Text and white space around tags.
  '', 'text', 'text\n', 'text\n\n', 'a {b} {  } }} %} #} c', 'a{{ s }}b', 'a {{- s -}} b', 'a\n  {{ s }}\n  b',
  'a {%- if t %} b {% endif -%} c', 'a\n  {% if t %}\n  b\n  {% endif %}\n  c\n', 'a\n\t{%- if t -%}\n  b\n{%- endif %}\n\n c',
  'x {# comment #} y', 'x\n  {# comment #}\n  y', 'x {#- c -#} y', '{# a #}{# b #}z', '{#-#}z', 'a{% if t %}\n\n{% endif %}b',
  '{% if t %}  {% if t %}x{% endif %}\n{% endif %}y', 'a\u00a0{{- s -}}\ufeff\u2003b', '{{ s }}\n{{ s }}\n', '{%if t%}x{%endif%}',
  'a{% generation %}b{% endgeneration %}c', 'a\n{%- generation -%}\nb\n{%- endgeneration -%}\nc', '  {% if t %}x{% endif %}', ' {# c #}x',
  'x\r\n  {% if t %}\r\ny{% endif %}',
  // Literals.
  '{{ 1 }} {{ 1.5 }} {{ 1.0 }} {{ 0.1 + 0.2 }} {{ 10 }} {{ 100000000000000000000000 }}', "{{ 'a' }}{{ \"b\" }}{{ 'a' 'b' }}",
  "{{ 'it\\'s \\\"x\\\" \\\\ \\n\\t\\r\\b\\f\\v|' }}", "{{ '\\u00e9\\x41\\ud83d\\ude00' }}", "{{ 'x\ny' }}", "{{ '\\q' }}", "{{ '\\u12' }}",
  '{{ true }} {{ false }} {{ none }} {{ True }} {{ False }} {{ None }} {{ missing }}', '{{ [1, "a", [2.0, none]] }}', '{{ {"a": 1, "b": [true]} }}',
  '{{ (1, 2)[1] }}', '{{ [] }}{{ {} }}', '{{ [1, 2,] }}', '{{ {"a": {"b": {"c": 1}}} }}', "{{ {'a': 1}['a'] }}", '{{ {"a": 1, "a": 2} }}', '{{ {1: 2} }}',
  // Arithmetic and comparisons.
  '{{ 1 + 2 * 3 - 4 }}', '{{ (1 + 2) * 3 }}', '{{ 7 / 2 }} {{ 6 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ 7.5 % 2 }}',
  '{{ 1 / 0 }} {{ 1 // 0 }}', '{{ -one }} {{ - one }} {{ +one }} {{ --one }} {{ -half }} {{ -t }}', '{{ 2 -1 }} {{ 2 - 1 }} {{ 2-1 }} {{ l[0]-1 }} {{ (2)-1 }}',
  '{{ one + half }} {{ one + one }} {{ half + half }} {{ half * two }}', '{{ big * big }} {{ huge }} {{ tiny }} {{ huge + 1 }} {{ tiny / 10 }} {{ 1 / 3 }} {{ 2 / 3 * 100 }} {{ 123456789.125 }} {{ 1 / 1024 }}',
  '{{ 1 < 2 }} {{ 2 <= 2 }} {{ 3 > 4 }} {{ 4 >= 4 }} {{ 1 == 1.0 }} {{ 1 != 2 }} {{ 1 < 1.5 }}', '{{ "a" < "b" }}', '{{ s < 1 }}', '{{ 1 + true }}',
  '{{ s + " " + "you" }} {{ s + 1 }} {{ 1 + s }} {{ s + 1.0 }} {{ s + true }} {{ s + half }}', '{{ s ~ 1 ~ 2.0 ~ true }} {{ 1 ~ 2 }}', '{{ s + none }}',
  '{{ s + missing }}', '{{ s ~ missing }}', '{{ l + [4] }}', '{{ l + s }}', '{{ s + d }}', '{{ [l] | join }}', '{{ [] + [] }}', '{{ s - 1 }}', '{{ -s }}', '{{ 5 - - 3 }}',
  '{{ s == "hello" }} {{ s != "x" }} {{ s == s }} {{ none == missing }} {{ n == none }} {{ none == false }} {{ zero == false }} {{ "1" == 1 }} {{ "" == 0 }} {{ "x" == 0 }} {{ t == 1 }} {{ " 2 " == 2 }}',
  '{{ l == l }} {{ l == [3, 1, 2] }} {{ ed == {} }} {{ missing == missing }} {{ missing != none }}', '{{ 1 == 1 == true }}',
  '{{ "ell" in s }} {{ "x" not in s }} {{ 1 in l }} {{ "1" in l }} {{ 9 not in l }} {{ "a" in d }} {{ "z" in d }} {{ "a" in missing }} {{ "a" not in missing }}',
  '{{ 1 in s }}', '{{ "a" in none }}', '{{ 1 in d }}', '{{ none in l }}', '{{ missing in l }}',
  '{{ t and s }} {{ f and s }} {{ f or s }} {{ t or s }} {{ e or "usual" }} {{ el or "none" }} {{ not t }} {{ not e }} {{ not not s }} {{ not f and t }}',
  '{{ t or missing.x.y }} {{ f and nothing() }}', '{{ not 1 == 2 }} {{ not "a" in s }} {{ 1 if t else 2 }} {{ 1 if f else 2 }} {{ 1 if f }} {{ 1 if f else 2 if f else 3 }}',
  '{{ (1 if t else 2) + 1 }} {{ 1 + 2 if t else 3 }} {{ "a" if not t else "b" ~ "c" }}', '{{ 1 + 2 ~ 3 }} {{ "x" ~ 1 + 2 }}',
  // Members, indices and slices.
  '{{ d.a }} {{ d["a"] }} {{ d.missing }} {{ d["key with space"] }} {{ nested.a.b.c }} {{ nested["a"].b["c"] }}', '{{ missing.x }}', '{{ n.x }}', '{{ s.x }}', '{{ one.x }}',
  '{{ missing.x.y }}', '{{ l[0] }} {{ l[-1] }} {{ l[9] }} {{ l[-9] }} {{ s[0] }} {{ s[-1] }} {{ s[99] }} {{ l.0 }} {{ l.1 }}', '{{ l["a"] }}', '{{ d[0] }}', '{{ l[none] }}', '{{ l[t] }}',
  '{{ l[1:] }} {{ l[:1] }} {{ l[1:2] }} {{ l[::-1] }} {{ l[::2] }} {{ l[-2:] }} {{ l[:-1] }} {{ l[5:] }} {{ l[2:0:-1] }} {{ l[:] }} {{ l[::] }}',
  '{{ s[1:] }} {{ s[:2] }} {{ s[::-1] }} {{ u[6:9] }} {{ u[-2:] }} {{ s[3:1] }}', '{{ d[1:] }}', '{{ l["a":] }}', '{{ l[missing:1] }}', '{{ l.length }} {{ s.length }} {{ u.length }} {{ d.length }}',
  '{{ messages[0].role }} {{ messages[0]["content"] }} {{ messages[1:][0].role }}', '{{ d.items is defined }} {{ d.keys is callable }} {{ s.upper is defined }} {{ d.other is defined }}',
  '{% if d.items %}yes{% endif %} {{ d.items.x is defined }}',
  // Methods.
  '[{{ w.strip() }}] [{{ w.lstrip() }}] [{{ w.rstrip() }}] [{{ "xax".strip("x") }}] [{{ "\n a".lstrip("\n") }}]', '{{ s.upper() }} {{ "ABC".lower() }} {{ "it is a-b c_d 1x".title() }} {{ "hello World".capitalize() }}',
  '{{ s.startswith("he") }} {{ s.endswith("lo") }} {{ s.startswith("x") }} {{ s.startswith(["x", "h"]) }} {{ s.endswith(("a", "b")) }} {{ s.startswith("") }}', '{{ s.startswith() }}', '{{ s.startswith(1) }}',
  '{{ csv.split(",") }} {{ csv.split(",", 1) }} {{ words.split() }} {{ words.split(none, 1) }} {{ e.split(",") }} {{ e.split() }} {{ s.split("l") }} {{ csv.split(",", 0) }} {{ csv.split(",", -1) }}', '{{ s.split("") }}', '{{ csv.split(",")[-1] }}',
  '{{ s.replace("l", "L") }} {{ s.replace("l", "") }} {{ s.replace("l", "L", 1) }} {{ s.replace("x", "y") }} {{ "a.b".replace(".", "$&") }} {{ "ab".replace("", "-") }} {{ s.replace("l", "L", count=1) }}', '{{ s.replace("l") }}',
  '{{ d.get("a") }} {{ d.get("z") }} {{ d.get("z", "usual") }} {{ d.get("c") }} {{ d.get("c", 1) }}', '{{ d.items() }} {{ d.keys() }} {{ d.values() }}', '{{ d.get(1) }}', '{{ s.nothing() }}', '{{ l.append(1) }}', '{{ missing() }}', '{{ s() }}',
  '{{ s.upper().lower().strip()[1:].replace("l", "1") }}', '{{ u.upper() if f else u }}',
  // Filters.
  '[{{ w | trim }}] {{ s | upper }} {{ "ABC" | lower }} {{ "some title" | title }} {{ s | capitalize }} {{ s | length }} {{ l | length }} {{ d | length }} {{ u | length }}', '{{ s | trim | upper | length }}',
  '{{ missing | default("x") }} {{ e | default("x") }} {{ e | default("x", true) }} {{ n | default("x") }} {{ n | default("x", boolean=true) }} {{ missing | default("") }}|{{ f | default(1, true) }}',
  '{{ l | first }} {{ l | last }} {{ l | reverse }} {{ l | sort }} {{ names | sort }} {{ l | sort(reverse=true) }} {{ names | sort(case_sensitive=true) }} {{ people | sort(attribute="age") | map(attribute="name") | join(",") }}',
  '{{ names | unique }} {{ [1, 1.0, "1", true] | unique }} {{ l | list }}', '{{ l | join }} {{ l | join(", ") }} {{ names | join("-") }} {{ s | join("-") }} {{ u | join("|") }} {{ [1.0, true, "x", none, missing] | join("/") }} {{ el | join(",") }}',
  '{{ people | map(attribute="name") }} {{ people | map(attribute="ok", default="?") }} {{ [nested] | map(attribute="a.b.c") }}', '{{ people | selectattr("ok") | map(attribute="name") }} {{ people | rejectattr("ok") | map(attribute="name") }} {{ people | selectattr("name", "equalto", "bob") | list | length }} {{ people | selectattr("ok", "defined") | list | length }} {{ people | rejectattr("ok", "defined") | list | length }}',
  '{{ messages | selectattr("role", "equalto", "user") | list | first }}', '{{ d | items }} {{ d | dictsort }} {{ ed | items }} {{ {"b": 2, "A": 3, "c": 1} | dictsort }} {{ {"b": 2, "A": 3, "c": 1} | dictsort(true) }} {{ {"b": 2, "A": 3, "c": 1} | dictsort(by="value") }} {{ {"b": 2, "A": 3} | dictsort(reverse=true) }}',
  '{{ "3" | int }} {{ "3.9" | int }} {{ " 12abc" | int }} {{ "x" | int }} {{ "x" | int(7) }} {{ 3.7 | int }} {{ -1.5 | int }} {{ t | int }} {{ "-5" | int }} {{ "1.5" | float }} {{ "x" | float }} {{ 1 | float }} {{ "2e3x" | float }} {{ -3 | abs }} {{ -2.5 | abs }}',
  '{{ 1 | string + "x" }} {{ 1.0 | string }} {{ l | string }} {{ t | string }} {{ s | string }} {{ [missing] | string }}', '{{ lines | indent }}|{{ lines | indent(2) }}|{{ lines | indent(2, true) }}|{{ lines | indent(1, first=true, blank=true) }}|{{ lines | indent(width=3) }}',
  '{{ s | replace("l", "L") }} {{ s | replace("l", "L", count=1) }}', '{{ s | safe }} {{ t | bool }}', '{{ missing | trim }}', '{{ none | upper }}', '{{ 1 | trim }}', '{{ s | nosuch }}', '{{ l | trim }}', '{{ n | length }}', '{{ s | first }}', '{{ s | list }}',
  // JSON.
  '{{ d | tojson }}', '{{ mixed | tojson }}', '{{ q | tojson }} {{ u | tojson }} {{ missing | tojson }} {{ none | tojson }} {{ 1.0 | tojson }} {{ 1.5 | tojson }} {{ huge | tojson }}', '{{ d | tojson(indent=2) }}', '{{ mixed | tojson(indent=4) }}', '{{ {} | tojson(indent=2) }}{{ [] | tojson(indent=2) }}',
  '{{ d | tojson(separators=(",", ":")) }}', '{{ d | tojson(indent=1, separators=(" ,", " :")) }}', '{{ u | tojson(ensure_ascii=false) }}', '{{ d }} {{ mixed }} {{ [missing] }}', '{{ people | tojson }}', '{{ (1 // 0) | tojson }}', '{{ s.upper | tojson }}', '{{ d | tojson(separators=1) }}', '{{ d | tojson(indent="a") }}',
  // Tests.
  '{{ s is defined }} {{ missing is defined }} {{ missing is undefined }} {{ n is none }} {{ n is not none }} {{ s is string }} {{ 1 is string }} {{ 1 is number }} {{ 1.5 is number }} {{ 1 is integer }} {{ 1.5 is integer }} {{ t is boolean }} {{ t is true }} {{ f is false }} {{ 1 is true }} {{ n is defined }}',
  '{{ d is mapping }} {{ l is mapping }} {{ l is iterable }} {{ s is iterable }} {{ d is iterable }} {{ l is sequence }} {{ s is sequence }} {{ d is sequence }} {{ 1 is iterable }} {{ missing is string }}', '{{ 3 is odd }} {{ 4 is odd }} {{ 4 is even }} {{ s is lower }} {{ s is upper }} {{ range is callable }}', '{{ s is odd }}', '{{ s is nosuch }}',
  '{{ not s is defined }} {{ s is defined and not e is defined }} {{ 1 + 2 is integer }} {{ d.a is defined }} {{ d.x is defined }} {{ d["a"] is string }} {{ s | length is number }} {{ -1 is integer }}',
  // set, if, for.
  '{% set x = 1 %}{{ x }}{% set x = x + 1 %}{{ x }}', '{% set a, b = 1, 2 %}{{ a }}{{ b }}', '{% set (a, b) = l[:2] %}{{ a }}{{ b }}', '{% set a, b = l %}', '{% set a, b = s %}', '{% set x %}a{{ s }}b{% endset %}[{{ x }}]{{ x is string }}', '{% set x = 1, 2 %}{{ x[1] }}',
  '{% set ns = namespace() %}{% set ns.x = 1 %}{{ ns.x }}{{ ns.y }}', '{% set ns = namespace(a=1, b="x") %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns }}', '{% set ns = namespace(d) %}{{ ns.a }}', '{% set d.a = 1 %}', '{% set missing.a = 1 %}', '{% set ns = namespace(x=1) %}{{ ns is mapping }}{{ ns.items is defined }}{% if ns %}t{% endif %}',
  '{% if t %}a{% endif %}{% if f %}b{% else %}c{% endif %}{% if f %}d{% elif e %}e{% elif s %}f{% else %}g{% endif %}', '{% if zero %}a{% elif el %}b{% elif ed %}c{% elif n %}d{% elif missing %}e{% else %}f{% endif %}', '{% if t %}{% set x = 5 %}{% endif %}{{ x }}',
  '{% for i in l %}{{ i }},{% endfor %}', '{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}',
  '{% for i in el %}x{% else %}empty{% endfor %}{% for i in l %}x{% else %}empty{% endfor %}', '{% for k in d %}{{ k }};{% endfor %}', '{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}', '{% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}', '{% for (k, v) in [[1, 2], [3, 4]] %}{{ k }}{{ v }}{% endfor %}', '{% for k, v in l %}{% endfor %}',
  '{% for p in people if p.ok %}{{ p.name }}{{ loop.index }}{{ loop.last }}{% endfor %}', '{% for p in people if p.ok is not defined %}{{ p.name }}{% else %}none{% endfor %}', '{% for x in (l if t else el) %}{{ x }}{% endfor %}', '{% for x in l if x > 1 %}{{ x }}{% endfor %}', '{% for x in s %}{{ x }}{% endfor %}', '{% for x in missing %}{% endfor %}', '{% for x in none %}{% endfor %}', '{% for x in 3 %}{% endfor %}',
  '{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}', '{% for x in l %}a{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}', '{% for x in l %}{% continue %}{% else %}else{% endfor %}', '{% break %}', '{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}{{ x }}{% endfor %}',
  '{% for x in l %}{% set y = x %}{% endfor %}[{{ y }}]', '{% for x in l %}{% if y is defined %}{{ y }}{% endif %}{% set y = x %}{% endfor %}', '{% set y = 0 %}{% for x in l %}{% set y = y + x %}{{ y }}{% endfor %}{{ y }}', '{% for x in l %}{% for y in names %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}', '{{ loop is defined }}{{ x is defined }}',
  '{% for m in messages %}{{ m.role }}: {{ m["content"] }}{% if not loop.last %}, {% endif %}{% endfor %}', '{% for m in messages[::-1] %}{{ loop.index0 }}{{ m.role }}{% endfor %}', '{% for i in range(3) %}{{ i }}{% endfor %}{{ range(1, 4) }}{{ range(5, 0, -2) }}{{ range(0) }}{{ range(3, 1) }}', '{{ range(1, 2, 0) }}', '{% for i in range(messages | length) %}{{ messages[i].role }}{% endfor %}', '{{ range(3) | join(",") }}',
  // Macros.
  '{% macro m() %}x{% endmacro %}{{ m() }}{{ m() }}', '{% macro m(a, b="B", c=a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=3) }}{{ m(a=5) }}{{ m() }}', '{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}', '{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}', '{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}',
  '{% macro f(i) %}{{ i }}{% if i > 0 %}{{ f(i - 1) }}{% endif %}{% endmacro %}{{ f(4) }}', '{% set x = 1 %}{% macro m() %}{{ x }}{% set x = 2 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}', '{% macro m() %}{{ y }}{% endmacro %}{% for y in l %}{{ m() }}{% endfor %}', '{% macro m(x) -%}\n  {{ x }}\n{%- endmacro %}[{{ m("a") | upper }}]{{ m("b") ~ "c" }}{{ m is callable }}', '{% macro m(a) %}{{ a }}{% endmacro %}{% set ns = namespace(f=m) %}{{ ns.f("x") }}', '{% macro m(l) %}{% for x in l %}{% if x is iterable and x is not string %}({{ m(x) }}){% else %}{{ x }}{% endif %}{% endfor %}{% endmacro %}{{ m([1, [2, [3, 4], 5], "six"]) }}',
  // What fails.
  '{{ raise_exception("no") }}', '{% if f %}{{ raise_exception("no") }}{% endif %}ok', '{{', '{% if %}', '{% if t %}', '{% endif %}', '{% for x in %}{% endfor %}', '{{ 1 + }}', '{{ (1 }}', '{{ [1 }}', '{{ "a }}', '{% nosuch %}', '{{ a b }}', '{{ 1 @ 2 }}', '{# x', '{% set = 1 %}', '{% set x 1 %}', '{{ l[] }}', '{{ l[1:2:3:4] }}', '{{ x. }}', '{{ x | }}', '{{ x is }}', '{{ }}', '{% if t %}{% else %}{% else %}{% endif %}', '{% macro %}{% endmacro %}', '{% for %}{% endfor %}', '{{ 1 }', '{% if t }', '{% raw %}{{ x }}{% endraw %}',
];

function conversations() {
  const list = [];
  const add = (...messages) => list.push(messages.map(([role, content, more]) => ({role, content, ...more})));
  const texts = ['Hi', '', ' ', '\n', ' leading', 'trailing \n', '\t both\u00a0', '\u4f60\u597d, \ud83d\ude00 na\u00efve caf\u00e9', 'two\n\nparagraphs', '<|im_start|>system\nx<|im_end|>', '<start_of_turn>model', '{{ 1 + 1 }} {% if %}', '"quoted" \\ back', '<think>x</think>', '</think>', '<tool_response>x</tool_response>', '[INST] x [/INST]', 'a'.repeat(3000)];
  for (const text of texts) {
    add(['user', text]);
    add(['system', text], ['user', 'Hi']);
    add(['user', 'Hi'], ['assistant', text], ['user', 'And?']);
    add(['user', 'Hi'], ['assistant', 'So.'], ['user', text]);
    add(['user', text], ['assistant', text]);
  }
  add(['system', 'Be brief.'], ['user', 'a'], ['assistant', 'b'], ['user', 'c'], ['assistant', 'd'], ['user', 'e']);
  add(['user', 'a'], ['user', 'b']);
  add(['assistant', 'a'], ['user', 'b']);
  add(['system', 'a'], ['system', 'b'], ['user', 'c']);
  add(['user', 'a'], ['system', 'b'], ['user', 'c'], ['assistant', 'd']);
  add(['system', 'only']);
  add();
  add(['user', '1'], ['assistant', '<think>\nwhy\n</think>\n\nbecause'], ['user', '2'], ['assistant', '<think>\n\n</think>\n\nso'], ['user', '3']);
  add(['user', '1'], ['assistant', 'unfinished <think>\nwhy'], ['user', '2']);
  add(['user', '1'], ['assistant', 'because', {reasoning_content: 'why'}], ['user', '2'], ['assistant', 'last', {reasoning_content: '\nwhy\n'}]);
  add(['user', '1'], ['assistant', 'because', {reasoning_content: null}]);
  const call = {tool_calls: [{type: 'function', function: {name: 'weather', arguments: {city: 'Z\u00fcrich', days: 3, 'exact"': true, none: null, list: [1, 2.5]}}}]};
  const flat = {tool_calls: [{name: 'f', arguments: '{"x": 1}'}, {name: 'g', arguments: {}}]};
  add(['user', 'Weather?'], ['assistant', '', call]);
  add(['user', 'Weather?'], ['assistant', '', call], ['tool', '{"t": 20}'], ['assistant', 'It is 20.'], ['user', 'Thanks']);
  add(['system', 'Help.'], ['user', 'Weather?'], ['assistant', 'Let me see.', flat], ['tool', 'one'], ['tool', 'two'], ['user', 'Well?']);
  add(['user', 'Weather?'], ['assistant', '<think>\nI look\n</think>\n\n', call], ['tool', '<|im_end|>']);
  add(['user', [{type: 'text', text: ' part '}, {type: 'image'}, {type: 'text', text: 'two'}]]);
  add(['user', null]);
  return list;
}

const tools = [{type: 'function', function: {name: 'weather', description: 'The weather in a city, e.g. "Z\u00fcrich" <b>&amp;</b>', parameters: {type: 'object', properties: {city: {type: 'string', enum: ['a', 'b']}, days: {type: 'integer', minimum: 0, maximum: 1.5}}, required: ['city']}}}, {type: 'function', function: {name: 'empty', parameters: {}}}];

if (mode === 'constructs') {
  write(constructs, constructs.map((template, index) => ({template: index, text: render(template, things)})), things);
} else {
  const models = [];
  for (const name of fs.readdirSync(folder).filter(name => name.startsWith('tokenizer-')).sort()) {
    const config = JSON.parse(fs.readFileSync(path.join(folder, name, 'package/models/tokenizer_config.json'), 'utf8'));
    for (const token of ['bos_token', 'eos_token']) config[token] = config[token]?.content ?? config[token];
    models.push(config);
  }
  const forms = fs.readFileSync('src/text/chat_form.cc', 'utf8');
  for (const [, chat_template] of forms.matchAll(/R"\((\{[^]*?\})\)"/g)) models.push({chat_template, bos_token: '<s>', eos_token: '</s>', add_bos_token: true});
  const whole = models.length;
  const others = fs.readFileSync(path.join(folder, 'ollama-utils/package/src/chat-template-automap.ts'), 'utf8');
  const distinct = new Set([...others.matchAll(/\bgguf: ("(?:[^"\\]|\\.)*")/g)].map(([, literal]) => JSON.parse(literal)));
  for (const chat_template of distinct) models.push({chat_template, bos_token: '<s>', eos_token: '</s>'});

  // The day may end between what is recorded and what is compared.
  for (const model of models) model.chat_template = model.chat_template.replace(/strftime_now\([^)]*\)/g, "'04 Jul 2025'");

  const cases = [];
  let count = 0;
  models.forEach(({chat_template, bos_token, eos_token, add_bos_token}, template) => {
    for (const messages of conversations()) {
      for (const more of [{}, {add_generation_prompt: true}, {add_generation_prompt: true, enable_thinking: false}, {add_generation_prompt: true, enable_thinking: true, tools}, {tools}]) {
        if (template >= whole && ++count % 7 !== 0) continue;  // there are many, and much in them is alike
        const variables = {messages, bos_token, eos_token, add_bos_token, ...more};
        cases.push({template, variables, text: render(chat_template, variables)});
      }
    }
  });
  write(models.map(model => model.chat_template), cases);
}
