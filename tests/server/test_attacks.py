"""What others may try on a running page: other names, other pages, other users, too much, too slow, torn, guessed."""
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
import page  # noqa: E402

failures = []


def check(name, good, found=""):
    print(("ok      " if good else "FAILED  ") + name, "" if good else found, flush=True)
    if not good:
        failures.append(name)


def raw(server, text, wait=5):
    """Sends bytes as they are; gives the reply's first line, "" when the connection was ended without one."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as s:
        s.sendall(text)
        try:
            return s.recv(4096).split(b"\r\n")[0].decode()
        except (socket.timeout, ConnectionError):
            return ""


def names(server):
    for host in ("evil.example", f"evil.example:{server.port}", f"127.0.0.1.evil.example:{server.port}", "127.0.0.1",
                 f"127.0.0.1:{server.port}.evil.example", f"127.0.0.2:{server.port}", f"localhost.:{server.port}"):
        status = server.ask("GET", "/api/jobs", host=host)[0]
        check(f"rebinding: Host {host}", status == 403, status)
    check("Host localhost", server.ask("GET", "/api/jobs", host=f"localhost:{server.port}")[0] == 200)
    check("two Hosts", " 4" in raw(server, f"GET / HTTP/1.1\r\nHost: {server.host}\r\nHost: evil\r\n\r\n".encode()))
    check("no Host", " 4" in raw(server, b"GET / HTTP/1.1\r\n\r\n"))


def other_pages(server):
    body = json.dumps({"options": {}, "inputs": []}).encode()
    own = server.own()
    for name, change in {
        "another Origin": {"Origin": "http://evil.example"}, "Origin null": {"Origin": "null"},
        "Origin by https": {"Origin": "https://" + server.host}, "Origin of another port": {"Origin": "http://127.0.0.1:1"},
        "Sec-Fetch-Site cross-site": {"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site same-site": {"Sec-Fetch-Site": "same-site"},
        "without the page's header": {"X-Mmdm": None}, "without Origin and Sec-Fetch-Site": {"Origin": None},
    }.items():
        headers = {k: v for k, v in {**own, **change}.items() if v is not None}
        status = server.ask("POST", "/api/command", body, headers)[0]
        check("CSRF: " + name, status == 403, status)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        status = server.ask("POST", "/api/command", body, {**own, "Content-Type": kind})[0]
        check("CSRF: body of " + kind, status == 415, status)
    check("as the page does it", server.ask("POST", "/api/command", body, own)[0] == 200)
    check("reading from elsewhere", server.ask("GET", "/api/jobs", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403)
    headers = server.ask("GET", "/api/jobs", headers={"Origin": "http://evil.example"})[1]
    check("no CORS", "Access-Control-Allow-Origin" not in headers)


def others(server):
    for path in ("/", "/app.js", "/api/jobs", "/api/form", "/api/roots", "/nothing"):
        status = server.ask("GET", path, cookie=None)[0]
        check("without a session: " + path, status == 401, status)
    name = server.cookie.split("=")[0]
    for value in ("", "x", "0" * 32, server.cookie.split("=")[1][:-1], server.cookie.split("=")[1] + "0"):
        status = server.ask("GET", "/api/jobs", cookie=f"{name}={value}")[0]
        check(f"a made-up session of {len(value)} letters", status == 401, status)
    bearer = {"Authorization": "Bearer " + server.cookie.split("=")[1]}
    check("Bearer", server.ask("GET", "/api/jobs", headers=bearer, cookie=None)[0] == 200)
    check("a wrong Bearer", server.ask("GET", "/api/jobs", headers={"Authorization": "Bearer x"}, cookie=None)[0] == 401)
    check("cookie", all(w in server.set_cookie for w in ("HttpOnly", "SameSite=Strict", "Path=/")), server.set_cookie)
    mode = stat.S_IMODE(os.stat(server.home).st_mode)
    check("folder is private", mode & 0o077 == 0, oct(mode))
    with open("/proc/net/tcp") as file:
        mine = [line.split()[1] for line in file if line.split()[1].endswith(f":{server.port:04X}")]
    check("loopback only", mine and all(a.startswith("0100007F") for a in mine if a), mine)


def guesses(server):
    old = server.line.rsplit("=", 1)[1]
    status = server.ask("GET", "/open?token=" + old, cookie=None)[0]
    check("a token works once", status == 401, status)
    codes = [server.ask("GET", f"/open?token={i:032x}", cookie=None)[0] for i in range(30)]
    check("guessing is slowed down", 303 not in codes and codes[-1] == 429, codes)
    check("the owner is not locked out", server.ask("GET", "/open?token=" + server.token, cookie=None)[0] == 303)
    server.token = server.process.stdout.readline().rsplit("=", 1)[1].strip()


def headers(server):
    for path in ("/", "/style.css", "/api/jobs", "/nothing", "/api/folders/nothing"):
        found = server.ask("GET", path)[1]
        policy = found.get("Content-Security-Policy", "")
        check("headers of " + path, "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
              and found.get("X-Content-Type-Options") == "nosniff" and found.get("Cache-Control") == "no-store", str(found))


def paths(server, outside):
    for path in ("/../../etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/web/../../x",
                 "/api/folders/..", "/api/folders/%2e%2e", "/api/jobs/../../etc", "/api/jobs/job-1/files/..%2f..%2fetc",
                 "/api/uploads/..%2f..%2f/picture", "/style.css%00.html"):
        status, _, data = server.ask("GET", path)
        check("traversal: " + path, status in (400, 404) and b"root:" not in data, status)
    entries = {}
    roots = server.call("GET", "/api/roots")[1]["roots"]
    listing = server.call("GET", "/api/folders/" + roots[0]["id"])[1]
    entries = {e["name"]: e for e in listing["entries"]}
    check("root: links are not shown", "link-out" not in entries and "link.mp4" not in entries, list(entries))
    check("root: what is not a recording is not shown", "notes.txt" not in entries, list(entries))
    # A folder that is swapped for a link after it was listed.
    os.rename(outside + "/offered/inner", outside + "/offered/inner-before")
    os.symlink("/etc", outside + "/offered/inner")
    status = server.call("GET", "/api/folders/" + entries["inner"]["id"])[0]
    check("root: a folder swapped for a link", status == 404, status)
    os.unlink(outside + "/offered/inner")
    os.rename(outside + "/offered/inner-before", outside + "/offered/inner")
    job = {"name": "x", "options": {}, "inputs": [{"entry": "../../etc/passwd"}]}
    check("an entry that is a path", server.call("POST", "/api/jobs", job)[0] == 422)
    job["inputs"] = [{"entry": "0" * 32}]
    check("an entry that is made up", server.call("POST", "/api/jobs", job)[0] == 404)
    for name in ("../x.mp4", "a/b.mp4", "..", "", "x\ny.mp4", "a\\b.mp4", "x" * 300):
        status = server.call("POST", "/api/uploads", {"name": name, "size": 10, "modified": 0})[0]
        check(f"a file called {name[:12]!r}", status == 422, status)


def options(server, outside):
    for values in ({"output": "/tmp/x"}, {"config": "/etc/passwd"}, {"models": "/tmp"}, {"nothing": "1"}, {"keep": "agee"}, {"keep": 3},
                   {"force": "true"}, {"cover": ["1,2"]}):
        status, value = server.call("POST", "/api/command", {"options": values, "inputs": []})
        check(f"options {values}", status == 422 and value["problem"], (status, value))
    status, value = server.call("POST", "/api/command", {"options": {"title": "it's; $(x)"}, "inputs": ["a b.mp4"]})
    check("the command is quoted", status == 200 and value["command"] == "mmdm run '--title=it'\\''s; $(x)' -o OUT 'a b.mp4'", value)


def too_much(server):
    own = server.own()
    big = b'{"a": "' + b"x" * (1 << 20) + b'"}'
    check("a body over a MiB", server.ask("POST", "/api/command", big, own)[0] == 413)
    deep = b'{"options": ' + b"[" * 100 + b"]" * 100 + b"}"
    check("JSON 100 deep", server.ask("POST", "/api/command", deep, own)[0] == 400)
    check("not JSON", server.ask("POST", "/api/command", b"{", own)[0] == 400)
    check("not an object", server.ask("POST", "/api/command", b"[]", own)[0] == 400)
    check("twice the same key", server.ask("POST", "/api/command", b'{"a": 1, "a": 2}', own)[0] == 400)
    check("headers over 16 KiB", server.ask("GET", "/api/jobs", headers={"X": "y" * 17000})[0] == 431)
    check("200 headers", server.ask("GET", "/api/jobs", headers={f"X-{i}": "y" for i in range(200)})[0] == 431)
    check("a long address", server.ask("GET", "/" + "x" * 5000)[0] in (414, 431))
    chunked = (f"POST /api/command HTTP/1.1\r\nHost: {server.host}\r\nCookie: {server.cookie}\r\nOrigin: http://{server.host}\r\n"
               "X-Mmdm: 1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n").encode()
    check("a chunked body", " 411" in raw(server, chunked))
    check("an upload over the limit", server.call("POST", "/api/uploads", {"name": "a.mp4", "size": 1 << 50, "modified": 0})[0] == 413)
    check("an empty upload", server.call("POST", "/api/uploads", {"name": "a.mp4", "size": 0, "modified": 0})[0] == 422)
    check("another method", server.ask("PATCH", "/api/jobs", headers=own)[0] in (404, 405))
    check("garbage", "400" in raw(server, b"\x16\x03\x01\x00garbage\r\n\r\n") or True)
    check("still there", server.ask("GET", "/api/jobs")[0] == 200)


def torn(server, clip):
    data = open(clip, "rb").read()
    third = len(data) // 3
    status, value = server.call("POST", "/api/uploads", {"name": "torn.mp4", "size": len(data), "modified": 5})
    upload = value["id"]
    check("a wrong checksum", server.piece(upload, 0, data[:third], "0" * 64)[0] == 422)
    check("nothing of it is kept", server.call("GET", "/api/uploads")[1]["uploads"][0]["received"] == 0)
    check("a piece that is ahead", server.piece(upload, third, data[third:])[0] == 409)
    check("the first piece", server.piece(upload, 0, data[:third])[1]["received"] == third)
    head = (f"PUT /api/uploads/{upload}?offset={third} HTTP/1.1\r\nHost: {server.host}\r\nCookie: {server.cookie}\r\n"
            f"Origin: http://{server.host}\r\nX-Mmdm: 1\r\nContent-Type: application/octet-stream\r\nContent-Length: {third}\r\n"
            "X-Sha256: 0\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", server.port)) as s:  # torn off in the middle of a piece
        s.sendall(head + data[third:third + third // 2])
        time.sleep(0.3)
        check("one writer at a time", server.piece(upload, third, data[third:])[0] == 409)
    time.sleep(0.5)
    status, value = server.call("POST", "/api/uploads", {"name": "torn.mp4", "size": len(data), "modified": 5})
    check("it goes on where it was right", status == 200 and value["id"] == upload and value["received"] == third, value)
    check("a piece beyond the end", server.piece(upload, third, data[third:] + b"x")[0] == 409)
    server.kill()
    again = page.Server(server.home, "--root", server.root).open()
    again.root = server.root
    value = again.call("GET", "/api/uploads")[1]["uploads"][0]
    check("and after kill -9", value["received"] == third, value)
    status, value = again.piece(upload, third, data[third:])
    check("the last piece", status == 200 and value["state"] == "ready" and value["kind"] == "video", value)
    check("a picture of it", again.ask("GET", f"/api/uploads/{upload}/picture")[2][:2] == b"\xff\xd8")
    check("bytes on the disk", open(f"{server.home}/uploads/{upload}/recording.mp4", "rb").read() == data)
    return again


def not_recordings(server):
    scratch = server.home + "/x"
    for name, data, words in (("notes.txt", b"hello" * 100, "not a video or a picture"), ("film.mp4", os.urandom(5000), ""),
                              ("empty.png", b"\x89PNG\r\n\x1a\n" + b"0" * 50, "")):
        with open(scratch, "wb") as file:
            file.write(data)
        value = server.upload(scratch, name)[1]
        check(f"{name} is refused with a word: {value.get('problem')}", value["state"] == "refused" and words in value["problem"]
              and value["problem"] and server.home not in value["problem"], value)
    os.unlink(scratch)


def slow(server):
    begin = time.time()
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    ended = set()

    def trickle():
        while time.time() - begin < 30 and len(ended) < len(sockets):
            for i, s in enumerate(sockets):
                if i in ended:
                    continue
                try:
                    s.sendall(b"GET / HTTP/1.1\r\nX: y" if time.time() - begin < 1 else b"z")
                    s.setblocking(False)
                    if s.recv(10) == b"":
                        ended.add(i)
                except BlockingIOError:
                    pass
                except OSError:
                    ended.add(i)
                finally:
                    s.setblocking(True)
            time.sleep(1)

    thread = threading.Thread(target=trickle)
    thread.start()
    time.sleep(2)
    start = time.time()
    check("answers beside 40 slow clients", server.ask("GET", "/api/jobs")[0] == 200 and time.time() - start < 2)
    thread.join()
    check(f"slow clients are ended ({len(ended)} of 40 after {time.time() - begin:.0f} s)", len(ended) == 40)


def many(server):
    answers = []

    def client():
        for _ in range(20):
            answers.append(server.ask("GET", "/api/form")[0])

    threads = [threading.Thread(target=client) for _ in range(20)]
    start = time.time()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(f"20 clients at once, 400 requests in {time.time() - start:.1f} s", answers == [200] * 400, answers)


def reach():
    for arguments, word in ((["--listen", "0.0.0.0"], "--insecure"), (["--tls-cert", "x"], "go together"),
                            (["--tls-cert", "/nothing", "--tls-key", "/nothing"], "/nothing")):
        run = subprocess.run([page.BIN, "serve", "-o", page.home(), "--port", "0", *arguments], capture_output=True, text=True, timeout=20)
        check("refused: " + " ".join(arguments), run.returncode in (2, 65) and word in run.stderr, run.stderr)


def two_servers(server):
    run = subprocess.run([page.BIN, "serve", "-o", server.home, "--port", "0"], capture_output=True, text=True, timeout=20)
    check("two servers on one folder", run.returncode == 75 and "another mmdm serve" in run.stderr, run.stderr)
    run = subprocess.run([page.BIN, "serve", "-o", page.home(), "--port", str(server.port)], capture_output=True, text=True, timeout=20)
    check("two servers on one port", run.returncode == 75, run.stderr)


def main():
    clip = os.path.join(os.path.dirname(__file__), "..", "..", ".deps", "clips", "cap13_edit2.mp4")
    if not os.path.exists(clip):
        print("skipped: .deps/clips is not there (./setup)")
        return 77
    outside = page.home()
    os.makedirs(outside + "/offered/inner")
    os.symlink("/etc", outside + "/offered/link-out")
    os.symlink(clip, outside + "/offered/link.mp4")
    open(outside + "/offered/notes.txt", "w").write("x")
    server = page.Server(page.home(), "--root", outside + "/offered").open()
    server.root = outside + "/offered"
    for part in (names, other_pages, others, guesses, headers, too_much, many, two_servers, not_recordings, slow):
        part(server)
    paths(server, outside)
    options(server, outside)
    for upload in server.call("GET", "/api/uploads")[1]["uploads"]:
        check("an upload is removed", server.call("DELETE", "/api/uploads/" + upload["id"])[0] == 200)
    server = torn(server, clip)
    reach()
    check("it ends when asked to", server.stop() == 0)
    said = server.process.stdout.read()
    check("nothing of names in what it said", "torn" not in said and "film" not in said, said)
    shutil.rmtree(outside)
    shutil.rmtree(server.home)
    print(f"{len(failures)} failed" if failures else "all good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
