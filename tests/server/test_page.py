"""The whole job in a browser, as somebody does it who has never seen it: add, choose, watch (the server is killed on the way), review with
another stand-in and a changed motion, approve, download, load. Then by keyboard alone, with axe-core, at three widths, light and dark.
Skipped where Chromium is missing. MMDM_PICTURES=FOLDER keeps pictures of every step."""
import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile

sys.path.insert(0, os.path.dirname(__file__))
import page  # noqa: E402

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
CLIP = os.environ.get("MMDM_PAGE_CLIP", os.path.join(ROOT, ".deps", "clips", "cap13_edit2.mp4"))
AXE = os.path.join(ROOT, ".deps", "web", "axe.min.js")
WIDTHS = (("wide", 1280, 900), ("middle", 760, 900), ("narrow", 360, 780))
failures = []


def check(name, good, found=""):
    print(("ok      " if good else "FAILED  ") + name, "" if good else str(found)[:2000], flush=True)
    if not good:
        failures.append(name)


def short_clip(path):
    """Every stage has something to do, and there are views of the person two seconds apart, by which the judges are rated: one stand-in will do."""
    if os.environ.get("MMDM_PAGE_CLIP"):
        shutil.copy(CLIP, path)
        return
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "2", "-t", "5", "-i", CLIP, "-c:v", "libx264", "-crf", "18", "-an", path], check=True)


def looked_at(browser, name):
    """axe-core, room at three widths, and a picture of each."""
    for theme in (False, True):
        for label, width, height in WIDTHS:
            browser.size(width, height, dark=theme)
            time.sleep(0.3)
            wide = browser.run("document.documentElement.scrollWidth - innerWidth")
            check(f"{name}, {label}{', dark' if theme else ''}: nothing sticks out", wide <= 0, wide)
            if label != "middle" or not theme:
                found = browser.axe(AXE)
                check(f"{name}, {label}{', dark' if theme else ''}: axe-core finds nothing", not found, found)
            folder = os.environ.get("MMDM_PICTURES")
            if folder:
                browser.picture(f"{folder}/{name}-{label}{'-dark' if theme else ''}.png")
    browser.size(1280, 900)


def add(browser, clip):
    browser.click("Add recordings")
    browser.see("Drop videos")
    browser.files("#files", [clip, __file__])
    browser.see("Not taken: not a video or a picture")
    browser.see("400 ×" if "PAGE_CLIP" not in os.environ else "×")
    browser.run("[...document.querySelectorAll('button')].find(b => b.getAttribute('aria-label') === 'Remove test_page.py').click()")
    browser.until("!document.body.innerText.includes('Not taken')")
    looked_at(browser, "recordings")
    browser.click("Next: choose")


def choose(browser):
    browser.see("Start from")
    browser.click("The same on the command line")
    browser.run("document.querySelector('input[value=\"interview\"]').click()")
    browser.until("document.querySelector('pre').textContent.includes('--preset=interview')")
    browser.run("(() => { const s = document.querySelector('#context-race'); s.value = 'keep'; s.dispatchEvent(new Event('change')); })()")
    browser.until("document.querySelector('pre').textContent.includes('--keep=race')")
    looked_at(browser, "choose")
    browser.run("document.querySelector('input[required]').focus()")
    browser.type("Browser test")
    browser.run("document.querySelector('input[required]').dispatchEvent(new Event('input'))")
    browser.click("Start", "button")
    browser.until("location.hash.includes('/watch')")
    return browser.run("location.hash.split('/')[2]")


def ended(browser, job, seconds=900):
    browser.until("/Done:|Stopped\\./.test(document.body.innerText)", seconds)
    check("the job is done", "Done:" in browser.run("document.body.innerText"), browser.run("document.body.innerText"))


def stages_since(server, job):
    """The stages that the job's last run did."""
    with open(f"{server.home}/jobs/{job}/private/events.jsonl") as file:
        events = [json.loads(line) for line in file]
    return [e["stage"] for e in events if e.get("event") == "stage" and e["state"] == "started"]


def watch(browser, server, job):
    browser.see("Find faces and text")
    looked_at(browser, "watch")
    browser.click("Stop")
    browser.see("Stopped.", 120)
    browser.click("Go on")
    page.wait_for(lambda: server.call("GET", f"/api/jobs/{job}")[1]["state"] == "running", 120)
    server.kill()  # the job goes on without it
    time.sleep(1)
    again = page.Server(server.home).open()
    check("the job outlived the server", again.call("GET", f"/api/jobs/{job}")[1]["state"] in ("running", "done"))
    browser.go(f"http://{again.host}/open?token={again.token}")
    again.process.stdout.readline()
    browser.go(f"http://{again.host}/#/job/{job}/watch")
    ended(browser, job)
    return again


def make_changes(browser, job):
    browser.click("Make the changes")
    browser.until("location.hash.includes('/watch')")
    ended(browser, job)
    browser.go(browser.run("location.origin") + f"/#/job/{job}/review")
    browser.see("Weakest frames")


def review(browser, server, job):
    browser.click("Review", "a.button")
    browser.see("Weakest frames")
    browser.until("document.querySelector('.screen video').readyState >= 2")
    folder = f"{server.home}/jobs/{job}/private"
    key = json.load(open(folder + "/plan.json"))["persons"][0]["standin"]["seed_key"]
    browser.click("Show the original")
    browser.until("document.querySelector('.unprotected').readyState >= 2")
    browser.run("(() => { const s = document.querySelector('input[type=range]'); s.value = 20; s.dispatchEvent(new Event('input')); })()")
    apart = browser.until("(() => { const [a, b] = document.querySelectorAll('.screen video'); return !a.seeking && !b.seeking && a.currentTime > 0.5 && "
                          "1 + Math.abs(a.currentTime - b.currentTime); })()") - 1
    check(f"before and after are in step ({apart:.4f} s apart)", apart < 0.02, apart)
    browser.click("What was measured")
    looked_at(browser, "review")
    browser.click("Hide the original")
    browser.click("Draw another stand-in")
    browser.see("changes that are not made yet")
    make_changes(browser, job)
    after = json.load(open(folder + "/plan.json"))["persons"][0]["standin"]["seed_key"]
    check("another stand-in", after != key and "~1" in after, after)
    check("its stages are done again, the analysis is not", "portrait" in stages_since(server, job) and "find" not in stages_since(server, job),
          stages_since(server, job))
    browser.click("Edit the motion")
    browser.see("Blink here")
    browser.run("(() => { const s = document.querySelector('input[type=range]'); s.value = 20; s.dispatchEvent(new Event('input')); })()")
    browser.click("Blink here")
    looked_at(browser, "motion")
    browser.click("Keep these changes")
    browser.see("changes that are not made yet")
    video = os.path.join(folder, "work", "clip-0001", "masked.mp4")
    before = open(video, "rb").read()
    make_changes(browser, job)
    check("a changed motion is painted and checked again, nothing else", stages_since(server, job) == ["compose", "verify"], stages_since(server, job))
    check("the video is another one", open(video, "rb").read() != before)
    browser.click("Cover a region")
    browser.click("Add a region by numbers")
    browser.click("Keep these regions")
    browser.see("changes that are not made yet")
    make_changes(browser, job)
    check("a region needs no other portrait", stages_since(server, job) == ["compose", "verify"], stages_since(server, job))


def take(browser, server, job):
    passed = server.call("GET", f"/api/jobs/{job}")[1]["clips"][0]["pass"]
    status, value = server.call("POST", f"/api/jobs/{job}/clips/clip-0001/decide", {"decision": "approved"})
    check("only what passed can be approved", (status == 200) == bool(passed), value)
    if not passed:  # fail closed: the last change may cost the clip; what was before it does not
        print("note: the clip did not pass with the changed motion; it is taken out again")
        with open(f"{server.home}/jobs/{job}/private/work/clip-0001/motion-edit.json", "w") as file:
            file.write('{"tracks": []}')
        server.call("POST", f"/api/jobs/{job}/start", {})
        page.wait_for(lambda: server.call("GET", f"/api/jobs/{job}")[1]["state"] == "done", 600)
        browser.go(browser.run("location.origin") + "/#/")
        browser.go(browser.run("location.origin") + f"/#/job/{job}/review")
        browser.see("Weakest frames")
    browser.click("Approve")
    browser.see("Every clip is decided")
    browser.click("Take the dataset")
    browser.see("Download as ZIP")
    looked_at(browser, "take")
    data = server.ask("GET", f"/api/jobs/{job}/download")[2]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        check("the download is whole", archive.testzip() is None and any(n.endswith("/metadata.jsonl") for n in names), names)
        into = server.home + "/loaded"
        archive.extractall(into)
    check("nothing private is in it", not any("private" in n or "plan" in n for n in names), names)
    try:
        from datasets import load_dataset
        parts = load_dataset("videofolder", data_dir=into + "/dataset")
        check("datasets loads it", sum(part.num_rows for part in parts.values()) == 1, parts)
    except ImportError:
        print("skipped: datasets is not installed")
    for name in ("report", "card"):
        status, headers, _ = server.ask("GET", f"/api/jobs/{job}/files/{name}")
        check(f"the {name}", status == 200 and (name == "card" or "sandbox" in headers["Content-Security-Policy"]), status)


def by_keyboard(browser, clip):
    """From the list to a chosen preset and back, with nothing but keys; every control that takes the focus shows it."""
    origin = browser.run("location.origin")
    browser.go(origin + "/#/")
    browser.see("New dataset")
    browser.tab_to("e.textContent === 'New dataset'")
    browser.key("Enter")
    browser.see("Drop videos")
    browser.tab_to("e.textContent === 'Choose files'")
    check("the focus can be seen", browser.run("getComputedStyle(document.activeElement).outlineStyle") != "none")
    browser.files("#files", [clip])
    browser.until("!document.querySelector('button.main[disabled]')")
    browser.tab_to("e.textContent.startsWith('Next: choose')")
    browser.key("Enter")
    browser.see("Start from")
    browser.tab_to("e.name === 'preset'")
    before = browser.run("document.activeElement.value")
    browser.key("ArrowDown")
    check("presets by arrow keys", browser.run("document.activeElement.value") != before)
    browser.tab_to("e.id === 'context-age'")
    browser.tab_to("e.required")
    browser.type("By keyboard")
    browser.tab_to("e.textContent === 'More options'")
    browser.key("Enter")
    browser.until("[...document.querySelectorAll('details')].some(d => d.open)")
    browser.tab_to("e.textContent === 'Start'")
    browser.key("Enter")
    browser.until("location.hash.includes('/watch')")
    job = browser.run("location.hash.split('/')[2]")
    browser.tab_to("e.textContent === 'Stop'")
    browser.key("Enter")
    browser.see("Stopped.", 120)
    return job


def main():
    if not shutil.which("chromium") or not os.path.exists(AXE) or not os.path.exists(CLIP):
        print("skipped: chromium, .deps/web/axe.min.js or .deps/clips is not there (./setup check)")
        return 77
    try:
        from browser import Browser
    except ImportError:
        print("skipped: websocket-client is not installed (./setup python)")
        return 77
    server = page.Server(page.home()).open()
    clip = server.home + "/drive.mp4"
    short_clip(clip)
    browser = Browser()
    try:
        browser.go(f"http://{server.host}/open?token={server.token}")
        server.process.stdout.readline()
        looked_at(browser, "home")
        add(browser, clip)
        job = choose(browser)
        server = watch(browser, server, job)
        review(browser, server, job)
        take(browser, server, job)
        other = by_keyboard(browser, clip)
        check("delete", server.call("DELETE", f"/api/jobs/{other}")[0] == 200)
        check("finish", server.call("POST", f"/api/jobs/{job}/finish", {})[0] == 200)
        check("the working files are gone", not os.path.exists(f"{server.home}/jobs/{job}/private/work"))
        check("the dataset is there", os.path.exists(f"{server.home}/jobs/{job}/dataset/SHA256SUMS"))
        check("the uploaded copies are gone", not os.listdir(server.home + "/uploads"))
        check("no error in the browser", not [p for p in browser.problems if "ERR_CONNECTION" not in p and "ERR_INCOMPLETE" not in p and "409" not in p and "404" not in p], browser.problems)
    finally:
        browser.stop()
        server.kill()
    shutil.rmtree(server.home)
    print(f"{len(failures)} failed" if failures else "all good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
