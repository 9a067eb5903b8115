#!/usr/bin/env python3
"""An endpoint on the loopback that speaks OpenAI's chat completions, and has its bad days.

Usage: endpoint.py PORT_FILE [faults]. Writes its port to PORT_FILE. With "faults", some requests are answered first with 429,
500, half of an answer, nothing, or something else than JSON; each question is answered well in the end. Every request that was
answered well is a line in PORT_FILE.log.

What it says depends on the question alone: a list of tasks where more tasks are asked for, no input where one is, A or B by their
lengths where a letter is asked for, and otherwise the question in capitals, with a number and some signs of the seed.
"""

import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = "rivers bridges clouds letters gardens winters machines songs numbers harbours islands candles wolves mirrors".split()
VERBS = "Describe,Compare,Explain,Summarise,List,Rewrite,Translate,Correct,Invent,Count".split(",")


def number(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def task(seed):
    n = number(seed)
    return (f"{VERBS[n % 10]} {WORDS[n // 10 % 14]} beside {WORDS[n // 140 % 14]} for a class of {n % 1000} "
            f"{WORDS[n // 1960 % 14]}")


def say(body):
    text = body["messages"][-1]["content"]
    if found := re.search(r"Write (\d+) more tasks", text):
        own = text + str(body.get("seed", 0))
        return "".join(f"{i + 1}. {task(str(i) + own)}.\n" for i in range(int(found[1])))
    if "Write the input of this last task" in text:
        return "<noinput>" if number(text) % 2 else "Input: some facts"
    if found := re.search(r"\(A\) (.*)\n\n\(B\) (.*)\n", text):
        return "A" if len(found[1]) >= len(found[2]) else "B"
    seed = body.get("seed", 0) if body.get("temperature", 1) > 0 else 0
    return f"{text.upper()} {seed % 1000}{'!' * (seed % 5)}" if seed else text.upper()


class Handler(BaseHTTPRequestHandler):
    seen, lock = {}, threading.Lock()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = json.dumps(body, sort_keys=True)
        with self.lock:
            attempt = self.seen[key] = self.seen.get(key, 0) + 1
        fault = number(key) % 7 if FAULTS and attempt == 1 else 6
        if self.path != "/v1/chat/completions":
            return self.reply(404, b'{"error": {"message": "no such route"}}')
        if self.headers["Authorization"] not in (None, "Bearer right"):
            return self.reply(401, b'{"error": {"message": "this key is not known here"}}')
        if fault == 0:
            return self.reply(429, b"{}", {"Retry-After": "1"})
        if fault == 1:
            return self.reply(500, b"oh")
        if fault == 2:
            return self.reply(200, b"<html>busy</html>")
        if fault == 3:
            return self.close_connection_now()
        answer = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": say(body)},
                                          "finish_reason": "stop"}], "usage": {"completion_tokens": 3}}).encode()
        if fault == 4:
            return self.reply(200, answer[: len(answer) // 2], {"Content-Length": str(len(answer))})
        with self.lock, open(sys.argv[1] + ".log", "a") as log:
            log.write(key + "\n")
        self.reply(200, answer)

    def reply(self, status, content, headers={}):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def close_connection_now(self):
        self.close_connection = True

    def log_message(self, *_):
        pass


FAULTS = "faults" in sys.argv[2:]
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as file:
    file.write(str(server.server_port))
server.serve_forever()
