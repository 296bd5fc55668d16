"""A running `mmdm serve` for tests, and a plain client of it: sockets and http.client, so that wrong requests can be made as well."""
import hashlib
import http.client
import json
import os
import signal
import subprocess
import tempfile
import time

BIN = os.environ.get("MMDM_BIN", "build/mmdm")


class Server:
    """mmdm serve on a free port; `home` is its folder. Stop it with `stop`, or kill it with `kill`."""

    def __init__(self, home, *arguments, env=None):
        self.home = home
        self.process = subprocess.Popen([BIN, "serve", "-o", home, "--port", "0", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env={**os.environ, **(env or {})})
        self.line = self.process.stdout.readline().strip()
        assert "/open?token=" in self.line, self.line
        self.host = self.line.split("/")[2]
        self.port = int(self.host.rsplit(":", 1)[1])
        self.token = self.line.rsplit("=", 1)[1]
        self.cookie = None

    def open(self):
        """Uses the token; keeps the cookie."""
        status, headers, _ = self.ask("GET", "/open?token=" + self.token, cookie=None)
        assert status == 303, status
        self.cookie = headers["Set-Cookie"].split(";")[0]
        self.set_cookie = headers["Set-Cookie"]
        self.token = self.process.stdout.readline().rsplit("=", 1)[1].strip()
        return self

    def ask(self, method, path, body=None, headers=None, cookie="own", host=None):
        """One request with the given headers beside Host and the cookie. Gives (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        all_headers = {"Host": host or self.host}
        cookie = self.cookie if cookie == "own" else cookie
        if cookie:
            all_headers["Cookie"] = cookie
        all_headers.update(headers or {})
        try:
            connection.request(method, path, body=body, headers=all_headers)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused by its head: the answer is there before the body is sent
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, reply.headers, data

    def own(self, **more):
        """The headers that the page itself sends with what changes something."""
        return {"Origin": "http://" + self.host, "X-Mmdm": "1", "Content-Type": "application/json", **more}

    def call(self, method, path, value=None):
        """As the page does it. Gives (status, value)."""
        body = json.dumps(value).encode() if value is not None else None
        headers = self.own()
        if body is None:
            del headers["Content-Type"]
        status, _, data = self.ask(method, path, body, headers)
        return status, json.loads(data)

    def piece(self, upload, offset, data, sha256=None):
        headers = self.own(**{"Content-Type": "application/octet-stream",
                              "X-Sha256": sha256 or hashlib.sha256(data).hexdigest()})
        status, _, reply = self.ask("PUT", f"/api/uploads/{upload}?offset={offset}", data, headers)
        return status, json.loads(reply)

    def upload(self, path, name=None, size=1 << 22):
        """A whole file; gives its id and the last reply."""
        total = os.path.getsize(path)
        status, value = self.call("POST", "/api/uploads",
                                  {"name": name or os.path.basename(path), "size": total, "modified": int(os.path.getmtime(path))})
        assert status in (200, 201), (status, value)
        upload, offset = value["id"], value["received"]
        with open(path, "rb") as file:
            file.seek(offset)
            while data := file.read(size):
                status, value = self.piece(upload, offset, data)
                if status != 200 or value["state"] == "refused":
                    break
                offset += len(data)
        return upload, value

    def memory(self):
        """MiB resident."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self):
        self.process.kill()
        self.process.wait()


def home():
    return tempfile.mkdtemp(prefix="mmdm-page-")


def wait_for(what, seconds=60):
    until = time.time() + seconds
    while time.time() < until:
        value = what()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError("waited in vain")
