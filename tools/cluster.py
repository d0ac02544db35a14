# SPDX-License-Identifier: Apache-2.0
"""Two servers with one Redis behind a proxy: a conversation outlives the server that it was held with, and a restart
of all, one after the other, loses no request. Each answer is compared with that of a server without a store.

    python3 tools/cluster.py nginx|haproxy PROXY BITFETCH MODEL
"""
import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

DOCS = pathlib.Path(__file__).parent.parent / "docs" / "cluster"
QUESTIONS = ["Who was Moses, and what did he say to his people?", "And what did they answer him?",
             "What came to pass in those days?", "Tell it again, from the beginning to the end.", "And after that?"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"error: {what} did not come in {seconds} seconds")
        time.sleep(0.02)


def answers(port, path="/health"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


class Server:
    """bitfetch serve on a port of its own, which it keeps when it is started again."""

    def __init__(self, program, model, name, *options):
        self.port = free_port()
        self.name = name
        self.command = [program, "serve", "-m", model, "--port", str(self.port), "--alias", name, "--ctx", "4096",
                        *options]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.name, lambda: answers(self.port))

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait()

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as response:
            return float(re.search(f"^bitfetch_{name} (.*)$", response.read().decode(), re.M)[1])


class Cut(Exception):
    """An answer that ends in the middle."""


def ask(port, messages, session, max_tokens=60, on_text=None):
    """An answer's text, the server that gave it, and how many tokens of the prompt were not computed."""
    body = json.dumps({"messages": messages, "max_tokens": max_tokens, "temperature": 0.8, "seed": 7, "stream": True,
                       "ignore_eos": True, "stream_options": {"include_usage": True}})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    text, server, cached, is_whole = "", None, 0, False
    try:
        connection.request("POST", "/v1/chat/completions", body,
                           {"Content-Type": "application/json", "X-Session-Id": session})
        response = connection.getresponse()
        if response.status != 200:
            raise Cut(f"status {response.status}")
        for line in response:
            if not line.startswith(b"data: "):
                continue
            if line.strip() == b"data: [DONE]":
                is_whole = True
                break
            event = json.loads(line[6:])
            server = event["model"]
            if event.get("usage"):
                cached = event["usage"]["prompt_tokens_details"]["cached_tokens"]
            for choice in event["choices"]:
                text += choice["delta"].get("content") or ""
            if on_text and text:
                on_text(server)
                on_text = None
    except (OSError, http.client.HTTPException) as error:
        raise Cut(str(error)) from error
    finally:
        connection.close()
    if not is_whole:
        raise Cut("the stream ended")
    return text, server, cached


def start_proxy(kind, program, place, servers):
    port = free_port()
    config = (DOCS / ("nginx.conf" if kind == "nginx" else "haproxy.cfg")).read_text()
    for given, server in zip(("127.0.0.1:8081", "127.0.0.1:8082"), servers):
        assert config.count(given) == 1, given
        config = config.replace(given, f"127.0.0.1:{server.port}")
    given = "listen 8080;" if kind == "nginx" else "bind :8080"
    assert config.count(given) == 1, given
    config = config.replace(given, given.replace("8080", f"127.0.0.1:{port}").replace(":127", "127"))
    file = place / "proxy.conf"
    if kind == "nginx":
        scratch = " ".join(f"{name}_temp_path {place}/{name};" for name in
                           ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = (f"daemon off; master_process off; pid {place}/pid; error_log {place}/error.log; events {{}}\n"
                  f"http {{ access_log off; {scratch}\n{config}\n}}")
        command = [program, "-c", str(file), "-p", str(place), "-e", f"{place}/error.log"]
    else:
        command = [program, "-f", str(file)]
    file.write_text(config)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=open(place / "said.log", "w"))
    wait_until(kind, lambda: process.poll() is not None or answers(port))
    if process.poll() is not None:
        sys.exit(f"error: {kind} ended: {(place / 'said.log').read_text()}")
    return process, port


def check(condition, what):
    if not condition:
        sys.exit(f"error: {what}")


def converse(port, lone, servers):
    """Each turn's answer is that of a lone server, also where the one that gives it is killed in the middle."""
    messages = []
    for turn, question in enumerate(QUESTIONS):
        messages.append({"role": "user", "content": question})
        is_cut = turn == 2
        max_tokens = 1500 if is_cut else 60  # one that is killed shall not be through before
        want, _, _ = ask(lone.port, messages, "lone", max_tokens)
        killed = []

        def kill(name):
            server = next(each for each in servers if each.name == name)
            server.end(signal.SIGKILL)
            killed.append(server)

        try:
            text, server, cached = ask(port, messages, "one conversation", max_tokens, kill if is_cut else None)
            check(not killed, "the answer was whole before its server was killed")
        except Cut:
            check(killed, "an answer was cut")
            print(f"  {killed[0].name} is killed in the middle of this answer, and the question is asked again")
            text, server, cached = ask(port, messages, "one conversation", max_tokens)
            other = next(each for each in servers if each is not killed[0])
            hits = other.metric("external_prefix_cache_hits_total")
            check(server == other.name, "a server answered that was killed")
            check(hits > 0 and cached > 0, "nothing came from Redis")
            print(f"  {hits:.0f} tokens of KV that it had computed came from Redis")
        check(text == want, f"turn {turn + 1} has other bytes: {text!r} in place of {want!r}")
        print(f"turn {turn + 1}: {server} answers, {cached} tokens of the prompt were there, the bytes are right")
        messages.append({"role": "assistant", "content": text})
        if killed:
            killed[0].start()
            wait_for_both(port)
            print(f"  {killed[0].name} is started again")


def wait_for_both(port):
    """Until the proxy sends requests to both servers, which it may think of as dead for a while."""
    def has_both():
        return len({ask(port, [{"role": "user", "content": "Hello"}], f"session {number}", max_tokens=1)[1]
                    for number in range(16)}) == 2
    wait_until("both servers behind the proxy", has_both)


def sessions_stay(port, servers):
    where = {}
    for turn in range(3):
        for number in range(16):
            _, server, _ = ask(port, [{"role": "user", "content": "Hello"}], f"session {number}", max_tokens=2)
            check(where.setdefault(number, server) == server, "a session has moved")
    counts = [sum(server == each.name for server in where.values()) for each in servers]
    check(min(counts) > 0, f"one server has all of the sessions: {counts}")
    print(f"16 sessions: {counts[0]} and {counts[1]} on the two servers, each stays where it is")


def restart_all(port, lone, servers):
    """While requests come without end, each server is restarted."""
    prompts = [[{"role": "user", "content": f"{question} {number}"}] for number in range(4) for question in QUESTIONS]
    want = [ask(lone.port, messages, "lone", max_tokens=20)[0] for messages in prompts]
    stop, lost, done = threading.Event(), [], []

    def send(number):
        while not stop.is_set():
            which = (len(done) * 7 + number) % len(prompts)
            try:
                text, _, _ = ask(port, prompts[which], f"{number}:{which}", max_tokens=20)
                (done if text == want[which] else lost).append(text)
            except Cut as cut:
                lost.append(str(cut))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for server in servers:
        wait_until("answers", lambda before=len(done): lost or len(done) > before + 20)
        check(server.end(signal.SIGTERM) == 0, f"{server.name} did not end well")
        wait_until("answers", lambda before=len(done): lost or len(done) > before + 20)
        server.start()
        wait_for_both(port)
    wait_until("answers", lambda before=len(done): lost or len(done) > before + 20)
    stop.set()
    for thread in threads:
        thread.join()
    check(not lost, f"{len(lost)} of {len(done) + len(lost)} requests were lost: {lost[:3]}")
    print(f"both servers are restarted, one after the other: {len(done)} requests meanwhile, none lost, all bytes right")


def main():
    kind, proxy_program, program, model = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    processes = []
    with tempfile.TemporaryDirectory(prefix="bitfetch-cluster-") as folder:
        place = pathlib.Path(folder)
        try:
            redis_port = free_port()
            # redis-tools has the server under this name, and it asks its own name what it is.
            processes.append(subprocess.Popen(
                ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
                executable="/usr/bin/redis-check-rdb", stdout=subprocess.DEVNULL))
            store = ("--kv-store", f"redis://127.0.0.1:{redis_port}/0")
            servers = []
            for name in ("server one", "server two"):
                servers.append(Server(program, model, name, *store))
            lone = Server(program, model, "lone")
            processes.append(lone)
            process, port = start_proxy(kind, proxy_program, place, servers)
            processes.append(process)
            print(f"Redis on port {redis_port}, servers on {servers[0].port} and {servers[1].port}, {kind} on {port}")
            sessions_stay(port, servers)
            converse(port, lone, servers)
            restart_all(port, lone, servers)
        finally:
            for process in [*processes, *locals().get("servers", [])]:
                process = getattr(process, "process", process)
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
