// SPDX-License-Identifier: Apache-2.0
// Servers for tests.
import {spawn} from 'node:child_process';

// Starts `bitfetch serve` on a free port of this machine. `log` grows by what the server says on stderr, `ended` is its
// exit code.
export async function startServer(program, model, ...options) {
  const child = spawn(program, ['serve', '-m', model, '--port', '0', ...options], {stdio: ['ignore', 'pipe', 'pipe']});
  const server = {log: '', stop: () => child.killed || child.kill('SIGTERM')};
  server.ended = new Promise(resolve => child.once('exit', resolve));
  child.stderr.on('data', text => server.log += text);
  server.url = await new Promise((resolve, reject) => {
    child.stdout.once('data', text => resolve(String(text).match(/http:\S+/)[0]));
    child.once('exit', code => reject(new Error(`the server ended with ${code}: ${server.log}`)));
  });
  return server;
}

// The value of a metric, by its name after `bitfetch_`.
export async function metric(server, name) {
  const text = await (await fetch(server.url + '/metrics')).text();
  return Number(text.match(new RegExp(`^bitfetch_${name} (.*)$`, 'm'))[1]);
}
