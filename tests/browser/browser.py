"""Drives a headless Chromium through its DevTools protocol, over a pair of pipes: nothing but Python is needed.

What the browser says of the page is kept: requests, messages of the console, exceptions and violations of policies.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

WAIT = 60  # seconds, for anything that is to happen: other tests may run beside

# Runs as root in containers, reaches no names but this machine's, and asks for nothing itself.
FLAGS = ["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
         "--disable-sync", "--disable-features=Translate,OptimizationHints,MediaRouter", "--mute-audio",
         "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]

KEYS = {"Enter": ("\r", 13), "Escape": (None, 27), "ArrowUp": (None, 38), "ArrowRight": (None, 39)}


class BrowserError(Exception):
    pass


class Browser:
    """One page of one browser, closed at the end of a `with`."""

    def __init__(self):
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            raise SystemExit("this test needs Chromium: install the packages of tools/packages-test.txt")
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.log = open(os.path.join(self.profile.name, "log"), "w+b")
        to_browser, self.out = os.pipe()
        self.input, from_browser = os.pipe()
        # The browser reads from its file 3 and writes to its file 4.
        command = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self.process = subprocess.Popen(["bash", "-c", command, "bash", program, *FLAGS, f"--user-data-dir={self.profile.name}/profile"],
                                        pass_fds=(to_browser, from_browser), stdout=self.log, stderr=self.log)
        os.close(to_browser)
        os.close(from_browser)
        self.pending = b""
        self.last_id = 0
        self.session = None
        self.requests = []  # addresses
        self.complaints = []  # what went wrong on the page: errors, exceptions, violations
        self.downloads = self.profile.name
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.out)
        os.close(self.input)
        self.log.close()
        self.profile.cleanup()

    # The protocol: JSON with a zero byte behind it.

    def receive(self, deadline):
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.input], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.input, 1 << 20) if ready else b""
            if not piece:
                raise BrowserError(f"the browser {'ended' if ready else 'does not answer'}: {self.said()}")
            self.pending += piece
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def said(self):
        """The end of what the program wrote, without its search for a desktop."""
        self.log.seek(0)
        lines = self.log.read().decode("utf-8", "replace").splitlines()
        return "\n".join([line for line in lines if "dbus" not in line][-20:])

    def call(self, method, **parameters):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + WAIT
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.last_id:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self.note(answer["method"], answer["params"])

    def note(self, event, told):
        if event == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))
        elif event == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}".strip())

    # The page.

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def reload(self):
        self.run("window.left = true")
        self.call("Page.reload")
        self.until("!window.left && document.readyState === 'complete'")

    def run(self, expression):
        """The value of a JavaScript expression, which may be a promise."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(f"{expression}\n{details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def until(self, condition, what=""):
        """Waits until a JavaScript expression holds, and returns its value."""
        deadline = time.monotonic() + WAIT
        while True:
            try:
                value = self.run(f"(found => found instanceof Node || found)({condition})")  # nodes have no value here
            except BrowserError as error:
                if "context" not in str(error):  # of a page that is being left
                    raise
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                text = self.run("document.body.innerText.slice(0, 2000)")
                raise BrowserError(f"waited for {what or condition}; complaints: {self.complaints}; the page:\n{text}")
            time.sleep(0.03)

    def click(self, selector, text=""):
        """Clicks where the first visible element that matches, and has the text, is drawn: what covers it gets the click."""
        wanted = json.dumps([selector, text])
        point = self.until(f"""(([selector, text]) => {{
            const node = [...document.querySelectorAll(selector)].find(one => one.checkVisibility() && one.textContent.includes(text));
            if (!node) return null;
            node.scrollIntoView({{block: 'nearest'}});
            const box = node.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
          }})({wanted})""", f"{selector} {text}")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], button="left", clickCount=1)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key):
        """A key of KEYS, or a character."""
        text, code = KEYS.get(key, (key, ord(key.upper()) if len(key) == 1 else 0))
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)

    def scheme(self, name):
        """Light or dark, as the system would say."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path):
        image = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(image))
