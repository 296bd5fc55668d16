"""Every export as the ecosystem's own reader opens it, compared with the dataset it was made from: frames, labels, parts. A reader
that is not installed is named and its format is checked by hand only; without ffmpeg or any reader the test skips (exit 77)."""
import csv
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import exports_data as truth  # noqa: E402

FORMATS = ["hf", "parquet", "webdataset", "croissant", "coco", "cvat", "labelstudio", "openlabel", "csv"]
if not shutil.which("ffmpeg"):
    print("skipped: no ffmpeg (./setup check)")
    sys.exit(77)
try:
    import numpy
except ImportError:
    print("skipped: numpy is missing (./setup python)")
    sys.exit(77)


def export(dataset, to, *options, code=0):
    done = subprocess.run([os.environ["MMDM_BIN"], "export", str(dataset), "-o", str(to), *options], capture_output=True, text=True)
    assert done.returncode == code, f"exit {done.returncode}, expected {code}: {done.stderr}"
    return done.stderr


def reader(name):
    try:
        return __import__(name, fromlist=["x"])
    except ImportError as problem:
        print(f"not checked with {name}: {problem}")
        return None


def near(a, b, tolerance=0.006):
    return numpy.allclose(numpy.asarray(a, float), numpy.asarray(b, float), atol=tolerance)


def seen(clip):
    return [line for line in truth.labels(clip) if line["points"]]


def parts_of(folder):
    return {clip: part for part, clips in json.loads((folder / "export.json").read_text())["parts"].items() for clip in clips}


def check_common(folder):
    """Checksums, no temporary files, the gate text, persons in one part only."""
    sums = dict(reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert files == set(sums), files ^ set(sums)
    assert not [f for f in files if "tmp" in f or f.endswith(".part")], files
    for name in files:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sums[name], name
    assert "find out who they were" in (folder / "CARD.md").read_text()
    parts = parts_of(folder)
    assert set(parts) == set(truth.CLIPS) and parts["clip-0001"] == parts["clip-0003"], parts


def check_rows(rows):
    got = {r["clip_id"]: r for r in rows}
    for clip in truth.CLIPS:
        want = truth.row(clip)
        for key in want:
            if key != "file_name":
                assert got[clip][key] == want[key], (clip, key, got[clip][key], want[key])


def check_faces(rows):
    """Rows that are dicts of the labels' own names."""
    want = [line for clip in sorted(truth.CLIPS) for line in truth.labels(clip)]
    rows = sorted(rows, key=lambda r: (r["clip_id"], r["frame"], r["track"]))
    assert len(rows) == len(want), (len(rows), len(want))
    for got, line in zip(rows, want):
        for key in ("clip_id", "frame", "track", "person", "state", "expression"):
            assert got[key] == line[key], (key, got, line)
        for key in ("box", "head_pose", "gaze", "eyes"):
            assert (got[key] is None) == (line[key] is None), (key, got, line)
            assert line[key] is None or near(got[key], line[key]), (key, got, line)
        if "points" in got:
            assert line["points"] is None or near(numpy.reshape(got["points"], (-1, 2)), line["points"])


def hf(folder):
    datasets = reader("datasets")
    parts = parts_of(folder)
    if datasets:
        with tempfile.TemporaryDirectory() as cache:
            loaded = datasets.load_dataset(str(folder), cache_dir=cache)
            for part in loaded:
                rows = loaded[part].remove_columns("video") if "video" in loaded[part].column_names else loaded[part]
                assert {r["clip_id"] for r in rows} == {c for c in parts if parts[c] == part}
            check_rows(r for part in loaded for r in loaded[part].remove_columns("video"))
    for clip, part in parts.items():
        assert numpy.array_equal(truth.frames_of(folder / part / (clip + ".mp4")), frames[clip])


def parquet(folder):
    parts = parts_of(folder)
    arrow, duckdb, datasets = reader("pyarrow.parquet"), reader("duckdb"), reader("datasets")
    if arrow:
        tables = {p.name.split("-")[0]: arrow.read_table(p) for p in sorted((folder / "clips").glob("*.parquet"))}
        rows = [r for t in tables.values() for r in t.to_pylist()]
        check_rows(rows)
        for part, table in tables.items():
            for r in table.to_pylist():
                assert parts[r["clip_id"]] == part and r["video"]["path"] == r["clip_id"] + ".mp4"
                assert r["video"]["bytes"] == (dataset / "train" / (r["clip_id"] + ".mp4")).read_bytes()
        check_faces([r for p in (folder / "faces").glob("*.parquet") for r in arrow.read_table(p).to_pylist()])
    if duckdb:
        rows = duckdb.sql(f"select clip_id, frame, track, person, state, expression, box, points, head_pose, gaze, eyes from "
                          f"'{folder}/faces/*.parquet'")
        check_faces([dict(zip(rows.columns, r)) for r in rows.fetchall()])
        rows = duckdb.sql(f"select * exclude (video) from '{folder}/clips/*.parquet'")
        check_rows(dict(zip(rows.columns, r)) for r in rows.fetchall())
    if datasets:
        with tempfile.TemporaryDirectory() as cache:
            loaded = datasets.load_dataset(str(folder), "clips", cache_dir=cache)
            assert type(next(iter(loaded.values())).features["video"]).__name__ == "Video", loaded
            check_rows(r for part in loaded for r in loaded[part].remove_columns("video"))
            faces = datasets.load_dataset(str(folder), "faces", cache_dir=cache)
            check_faces([r for part in faces for r in faces[part]])


def webdataset(folder):
    wds, parts = reader("webdataset"), parts_of(folder)
    index = json.loads((folder / "index.json").read_text())["shards"]
    assert sum(s["samples"] for s in index) == len(truth.CLIPS)
    for shard in index:
        data = (folder / shard["file"]).read_bytes()
        assert len(data) == shard["bytes"] and hashlib.sha256(data).hexdigest() == shard["sha256"]
    if not wds:
        return
    from torch.utils.data import DataLoader
    rows, faces = [], []
    for part in sorted(set(parts.values())):
        shards = sorted(str(p) for p in folder.glob(part + "-*.tar"))
        samples = wds.WebDataset(shards, shardshuffle=False, empty_check=False).decode()
        for sample in DataLoader(samples, batch_size=None, num_workers=1):
            assert parts[sample["__key__"]] == part
            assert sample["mp4"] == (dataset / "train" / (sample["__key__"] + ".mp4")).read_bytes() or True
            rows.append(sample["json"])
            faces += sample["faces.json"]
        raw = {s["__key__"]: s["mp4"] for s in wds.WebDataset(shards, shardshuffle=False, empty_check=False)}
        assert all(data == (dataset / "train" / (key + ".mp4")).read_bytes() for key, data in raw.items())
    check_rows(rows)
    check_faces(faces)


def croissant(folder):
    hf(folder)
    mlc = reader("mlcroissant")
    if not mlc:
        return
    loaded = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    assert not loaded.metadata.issues.errors, loaded.metadata.issues.errors
    assert not loaded.metadata.ctx.is_v0() and "croissant/1.1" in str(json.loads((folder / "croissant.json").read_text())["conformsTo"])

    def plain(value):
        return value.decode() if isinstance(value, bytes) else value.tolist() if hasattr(value, "tolist") else value

    rows = [{k.split("/")[-1]: plain(v) for k, v in r.items()} for r in loaded.records("clips")]
    assert {r["clip_id"]: (r["frames"], r["fps"], r["width"]) for r in rows} == \
        {c: (truth.FRAMES, truth.FPS, truth.WIDTH) for c in truth.CLIPS}, rows
    faces = [{k.split("/")[-1]: plain(v) for k, v in r.items()} for r in loaded.records("faces")]
    assert len(faces) == sum(len(truth.labels(c)) for c in truth.CLIPS)
    by_key = {(f["clip_id"], f["frame"], f["track"]): f for f in faces}
    for clip in truth.CLIPS:
        for line in seen(clip):
            got = by_key[clip, line["frame"], line["track"]]
            assert near(got["box"], line["box"]) and near(got["gaze"], line["gaze"]), (got, line)
    raw = json.loads((folder / "croissant.json").read_text())
    for key in ("rai:dataCollection", "rai:personalSensitiveInformation", "rai:dataLimitations", "rai:dataBiases", "license", "creator",
                "url", "datePublished"):
        assert raw[key], key


def coco(folder):
    tool, parts = reader("pycocotools.coco"), parts_of(folder)
    for part in set(parts.values()):
        path = folder / "annotations" / f"person_keypoints_{part}.json"
        raw = json.loads(path.read_text())
        videos = {v["id"]: v["name"] for v in raw["videos"]}
        assert set(videos.values()) == {c for c in parts if parts[c] == part}
        if not tool:
            continue
        loaded = tool.COCO(str(path))
        found = {}
        for image in loaded.loadImgs(loaded.getImgIds()):
            clip, frame = videos[image["video_id"]], image["frame_index"]
            picture = frames_jpeg(folder / "images" / part / image["file_name"])
            assert picture.shape == (truth.HEIGHT, truth.WIDTH, 3)
            error = numpy.abs(picture.astype(float) - frames[clip][frame]).mean()
            assert error < 12, (clip, frame, error)  # JPEG of another conversion of colours, but of this frame
            for a in loaded.loadAnns(loaded.getAnnIds(imgIds=[image["id"]])):
                found[clip, frame, a["attributes"]["person"]] = a
        for clip in videos.values():
            for line in seen(clip):
                a = found.pop((clip, line["frame"], line["person"]))
                assert near(a["bbox"], line["box"]) and near(numpy.reshape(a["keypoints"], (-1, 3))[:, :2], line["points"])
                assert near(a["attributes"]["head_pose"], line["head_pose"]) and a["area"] == 480
        assert not found, found
    datumaro = reader("datumaro")
    if datumaro:
        names = sorted(set(parts.values()))
        boxes = [a for item in datumaro.Dataset.import_from(str(folder), "coco_person_keypoints") for a in item.annotations
                 if a.type.name == "points"]
        assert len(boxes) == sum(len(seen(c)) for c in truth.CLIPS), (len(boxes), names)


def frames_jpeg(path):
    from PIL import Image
    return numpy.asarray(Image.open(path).convert("RGB"))


def cvat(folder):
    parts = parts_of(folder)
    for clip, part in parts.items():
        root = xml.parse(folder / part / (clip + ".xml")).getroot()
        assert root.findtext("version") == "1.1" and root.findtext("meta/task/size") == str(truth.FRAMES)
        for track, person in enumerate(truth.CLIPS[clip]):
            want = {line["frame"]: line for line in seen(clip) if line["track"] == track}
            boxes = [b for t in root.findall("track") if t.get("label") == "face" for b in t.findall("box")]
            mine = [t for t in root.findall("track") if t.get("label") == "face"][track].findall("box")
            assert boxes and mine[-1].get("outside") == "1"
            assert {int(b.get("frame")) for b in mine if b.get("outside") == "0"} == set(want)
            for b in mine:
                if b.get("outside") == "0":
                    x, y, w, h = want[int(b.get("frame"))]["box"]
                    assert near([float(b.get(k)) for k in ("xtl", "ytl", "xbr", "ybr")], [x, y, x + w, y + h])
                    values = {a.get("name"): a.text for a in b.findall("attribute")}
                    assert values["person"] == person and near(float(values["yaw"]), want[int(b.get("frame"))]["head_pose"][0])
        for p in root.iter("points"):
            assert len(p.get("points").split(";")) == 68
    datumaro = reader("datumaro")
    if datumaro:
        clip, part = sorted(parts.items())[1]
        with tempfile.TemporaryDirectory() as alone:
            shutil.copy(folder / part / (clip + ".xml"), alone)
            items = datumaro.Dataset.import_from(alone, "cvat")
            found = [a for item in items for a in item.annotations if a.type.name == "bbox"]
            assert len(found) >= len(seen(clip)), (len(found), len(seen(clip)))


def labelstudio(folder):
    parts = parts_of(folder)
    interface = xml.parse(folder / "config.xml").getroot()
    names = {e.get("name") for e in interface.iter() if e.get("name")}
    sdk = reader("label_studio_sdk.label_interface")
    for part in set(parts.values()):
        tasks = json.loads((folder / (part + ".json")).read_text())
        assert {t["data"]["clip_id"] for t in tasks} == {c for c in parts if parts[c] == part}
        for task in tasks:
            clip = task["data"]["clip_id"]
            assert (folder / task["data"]["video"].split("?d=")[1]).exists()
            if sdk:
                sdk.LabelInterface((folder / "config.xml").read_text()).validate_task(task)
            for result in task["predictions"][0]["result"]:
                assert result["from_name"] in names and result["to_name"] in names
                want = {line["frame"]: line for line in seen(clip) if line["person"] == result["meta"]["text"]}
                sequence = result["value"]["sequence"]
                assert {s["frame"] - 1 for s in sequence} == set(want) and not sequence[-1]["enabled"]
                for s in sequence:
                    x, y, w, h = want[s["frame"] - 1]["box"]
                    scale = [truth.WIDTH / 100, truth.HEIGHT / 100] * 2
                    assert near(numpy.multiply([s["x"], s["y"], s["width"], s["height"]], scale), [x, y, w, h], 0.001)


def openlabel(folder):
    parts = parts_of(folder)
    core = reader("vcd.core")
    for clip, part in parts.items():
        path = folder / part / (clip + "_ann_face.json")
        root = json.loads(path.read_text())["openlabel"]
        for line in seen(clip):
            data = root["frames"][str(line["frame"])]["objects"][str(line["track"])]["object_data"]
            x, y, w, h = line["box"]
            assert near(data["bbox"][0]["val"], [x + w / 2, y + h / 2, w, h])
            assert near([p["val"] for p in data["point2d"]], line["points"])
        closed = [a for a in root["actions"].values() if a["type"] == "eyes_state_right/close"]
        assert closed[0]["frame_intervals"] == [{"frame_start": 8, "frame_end": 9}], closed
        if core:
            loaded = core.OpenLABEL()
            loaded.load_from_file(str(path))
            assert loaded.get_num_objects() == len(truth.CLIPS[clip])
            for line in seen(clip):
                box = loaded.get_object_data(str(line["track"]), "face", line["frame"])
                x, y, w, h = line["box"]
                assert near(box["val"], [x + w / 2, y + h / 2, w, h])


def check_csv(folder):
    parts = parts_of(folder)
    rows = list(csv.DictReader(io.StringIO((folder / "clips.csv").read_bytes().decode(), newline="")))
    for r in rows:
        want = truth.row(r["clip_id"])
        assert r["transcript"] == "'" + want["transcript"] and json.loads(r["persons"]) == want["persons"]
        assert r["split"] == parts[r["clip_id"]] and (folder / r["file"]).exists()
    faces = []
    for r in csv.DictReader(io.StringIO((folder / "faces.csv").read_bytes().decode(), newline="")):
        def numbers(*names):
            return [float(r[n]) for n in names] if r[names[0]] else None
        faces.append({"clip_id": r["clip_id"], "frame": int(r["frame"]), "track": int(r["track"]), "person": r["person"],
                      "state": r["state"], "expression": r["expression"] or None, "box": numbers("x", "y", "width", "height"),
                      "head_pose": numbers("yaw", "pitch", "roll"), "gaze": numbers("gaze_yaw", "gaze_pitch"),
                      "eyes": numbers("eye_left", "eye_right")})
        if r["x0"]:
            faces[-1]["points"] = [float(r[f"{a}{i}"]) for i in range(68) for a in "xy"]
    check_faces(faces)


with tempfile.TemporaryDirectory() as work:
    work = pathlib.Path(work)
    dataset = truth.make(work / "out" / "dataset")
    frames = {clip: truth.frames_of(dataset / "train" / (clip + ".mp4")) for clip in truth.CLIPS}
    options = ["--format", ",".join(FORMATS), "--split", "60,20,20", "--creator", "Somebody", "--url", "https://example.org/d",
               "--published", "2026-11-30"]
    said = export(work / "out", work / "a", *options, code=3)  # Label Studio has no key points, and says so
    assert "labelstudio: key points" in said and said.count("not in the export") == 1, said
    export(work / "out", work / "b", *options, code=3)
    files = sorted(p.relative_to(work / "a") for p in (work / "a").rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(work / "b") for p in (work / "b").rglob("*") if p.is_file())
    for name in files:
        assert (work / "a" / name).read_bytes() == (work / "b" / name).read_bytes(), f"{name} is not the same twice"
    for name in FORMATS:
        check_common(work / "a" / name)
        {"csv": check_csv}.get(name, globals().get(name))(work / "a" / name)
        print(name, "is as the dataset")

    # the documentation's examples: each trains, so that its loss is a number with gradients
    (work / "a").rename(work / "exports")
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs/exports.md").read_text()
    examples = re.findall(r"### (\w+)\n```python\n(.*?)```", text, re.S)
    assert sorted(name for name, _ in examples) == sorted(FORMATS), [name for name, _ in examples]
    for name, code in examples:
        done = subprocess.run([sys.executable, "-c", code + "\nassert torch.isfinite(loss) and model.weight.grad.abs().sum() > 0"],
                              cwd=work, capture_output=True, text=True)
        if done.returncode and ("ModuleNotFoundError" in done.stderr or "libtorchcodec" in done.stderr):
            print(f"the example of {name} did not run: {done.stderr.splitlines()[-1]}")
            continue
        assert done.returncode == 0, f"docs/exports.md, {name}: {done.stderr}"
        print("the example of", name, "trains")

    # another seed deals otherwise; one format goes into the folder itself; an export is replaced, nothing else is
    export(work / "out", work / "one", "--format", "csv")
    export(work / "out", work / "one", "--format", "csv", "--split", "50,50", "--seed", "7")
    assert (work / "one" / "clips.csv").exists() and set(parts_of(work / "one").values()) == {"train", "test"}
    (work / "mine").mkdir()
    (work / "mine" / "thesis.txt").write_text("mine")
    export(work / "out", work / "mine", "--format", "csv", code=73)
    assert (work / "mine" / "thesis.txt").exists()

    # bad words, bad datasets
    assert "did you mean 'parquet'" in export(work / "out", work / "x", "--format", "parkett", code=2)
    assert "80,10,10" in export(work / "out", work / "x", "--format", "csv", "--split", "80,30", code=2)
    export(work / "nowhere", work / "x", "--format", "csv", code=65)
    good = (dataset / "labels" / "train" / "clip-0001.jsonl").read_text()
    for bad in ("{", good.replace('"frame": 0,', '"frame": 999,', 1), good.replace("0.125", "1e999", 1), good.replace("[[", "[[[", 1)):
        (dataset / "labels" / "train" / "clip-0001.jsonl").write_text(bad)
        assert "clip-0001.jsonl:1:" in export(work / "out", work / "x", "--format", "csv", code=65)
    (dataset / "labels" / "train" / "clip-0001.jsonl").write_text(good)
    rows = (dataset / "train" / "metadata.jsonl").read_text()
    (dataset / "train" / "metadata.jsonl").write_text(rows.replace('"clip-0002.mp4"', '"../../secret.mp4"'))
    export(work / "out", work / "x", "--format", "csv", code=65)
    assert not list(work.glob("x*")), "something half-written is left"
print("all exports are as the dataset")
