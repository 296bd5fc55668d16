"""Chromium without a window, driven over its DevTools protocol: open a page, press keys, click by what people see, look, measure."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request

import websocket


class Browser:
    def __init__(self, width=1280, height=900):
        self.folder = tempfile.mkdtemp(prefix="mmdm-browser-")
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
             "--user-data-dir=" + self.folder, f"--window-size={width},{height}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self._port()
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        self.socket = websocket.create_connection(next(p for p in pages if p["type"] == "page")["webSocketDebuggerUrl"],
                                                  suppress_origin=True, timeout=60)
        self.number = 0
        self.problems = []
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(domain + ".enable")
        self.size(width, height)

    def _port(self):
        path = os.path.join(self.folder, "DevToolsActivePort")
        for _ in range(300):
            if os.path.exists(path) and os.path.getsize(path):
                return open(path).readline().strip()
            time.sleep(0.1)
        raise AssertionError("chromium does not start")

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def _note(self, message):
        if message.get("method") == "Runtime.exceptionThrown":
            self.problems.append(str(message["params"]["exceptionDetails"].get("exception", {}).get("description")))
        elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            entry = message["params"]["entry"]
            self.problems.append(f"{entry['text']} {entry.get('url', '')}")
        elif message.get("method") == "Page.javascriptDialogOpening":
            self.number += 1
            self.socket.send(json.dumps({"id": self.number, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}))

    def size(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def go(self, address):
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, script, seconds=30):
        end = time.time() + seconds
        while time.time() < end:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.1)
        raise AssertionError(f"in vain: {script}\n{self.run('document.body.innerText')[:2000]}")

    def see(self, text, seconds=30):
        return self.until(f"document.body.innerText.includes({json.dumps(text)})", seconds)

    def click(self, text, tag="button, a, summary"):
        """What has that text, and can be seen."""
        found = (f"[...document.querySelectorAll({json.dumps(tag)})].filter(e => e.checkVisibility() && !e.disabled && "
                 f"e.textContent.trim().startsWith({json.dumps(text)}))[0]")
        self.until(f"Boolean({found})")
        self.run(f"{found}.click()")

    def key(self, key, code=None, text=None, modifiers=0):
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowDown": 40, "ArrowLeft": 37, "ArrowUp": 38}
        number = codes.get(key, ord(key.upper()) if len(key) == 1 else 0)
        shown = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else None)
        parameters = {"key": key, "code": code or key, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown" if shown else "rawKeyDown", **({"text": shown} if shown else {}), **parameters)
        self.call("Input.dispatchKeyEvent", type="keyUp", **parameters)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def tab_to(self, script, most=120):
        """Presses Tab until the focused element `e` fits."""
        for _ in range(most):
            self.key("Tab")
            if self.run(f"(e => {script})(document.activeElement)"):
                return
        raise AssertionError("no way by keyboard to " + script)

    def files(self, selector, paths):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=paths)

    def axe(self, path):
        """Violations that axe-core finds, as lines."""
        self.run(open(path).read() + "; 0")
        found = self.run("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + "
                         "v.nodes.slice(0, 3).map(n => n.target + ' ' + (n.failureSummary || '').replace(/\\s+/g, ' ').slice(0, 200)).join(' | ')))")
        return found

    def picture(self, path, whole=True, quality=60):
        kind = "png" if path.endswith("png") else "jpeg"
        more = {"quality": quality} if kind == "jpeg" else {}
        data = self.call("Page.captureScreenshot", format=kind, captureBeyondViewport=whole, **more)
        with open(path, "wb") as file:
            file.write(base64.b64decode(data["data"]))

    def stop(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
