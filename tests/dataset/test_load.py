"""The dataset as its users get it: masks a short clip, loads the result with one line of `datasets`, decodes a frame, checks the
checksums and that no word of the source is in any file. Skips (exit 77) where the packages, the models or the clip are missing."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
clip = root / ".deps/clips/cap13_edit2.mp4"
models = pathlib.Path(os.environ.get("MMDM_MODELS", root / ".deps/models"))


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
try:
    import datasets
except ImportError:
    skip("the package datasets is missing (./setup python)")
if not clip.exists() or not models.exists():
    skip("no sample clip or no models (./setup)")

with tempfile.TemporaryDirectory() as folder:
    source = pathlib.Path(folder) / "in" / "private-name.mp4"
    source.parent.mkdir()
    if not shutil.which("ffmpeg"):
        skip("no ffmpeg (./setup check)")
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(clip), "-frames:v", "50", "-an", "-crf", "18", str(source)], check=True)
    had = pathlib.Path(folder) / "had"
    had.mkdir()
    (had / "private-name_ann.json").write_text(json.dumps({"openlabel": {
        "objects": {"0": {"name": "private-name", "type": "cup"}, "1": {"name": "private-name", "type": "face"}},
        "actions": {"0": {"name": "private-name", "type": "driver_actions/drinking",
                          "frame_intervals": [{"frame_start": 3, "frame_end": 30}]}},
        "frames": {"4": {"objects": {"0": {"object_data": {"bbox": [{"name": "b", "val": [5, 5, 6, 6]}]}},
                                     "1": {"object_data": {"bbox": [{"name": "b", "val": [3, 3, 4, 4]}]}}}}}}}))
    out = pathlib.Path(folder) / "out"
    done = subprocess.run(
        [os.environ["MMDM_BIN"], "run", str(source.parent), "-o", str(out), "--labels", str(had), "--export", "csv", "--keep", "gaze,head_pose,eyes,mouth",
         "--transcribe", "none", "--quiet"], cwd=root)
    assert done.returncode in (0, 3), f"mmdm run: exit {done.returncode}"
    if not (out / "dataset").exists():
        skip("the clip was held back: see the tests of the stages")

    dataset = out / "dataset"
    sums = dict(reversed(line.split("  ", 1)) for line in (dataset / "SHA256SUMS").read_text().splitlines())
    files = {str(p.relative_to(dataset)) for p in dataset.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert files == set(sums), f"SHA256SUMS lists {set(sums) ^ files} wrongly"
    secrets = [b"private-name", folder.encode(), hashlib.sha256(source.read_bytes()).hexdigest().encode()]
    for name in files:
        data = (dataset / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == sums[name], f"{name} has another checksum"
        for secret in secrets:
            assert secret not in data, f"{name} holds {secret}"

    labels = [json.loads(line) for line in (dataset / "labels/train/clip-0001.jsonl").read_text().splitlines()]
    faces = [line for line in labels if line["points"]]
    assert [line["frame"] for line in labels] == sorted(line["frame"] for line in labels) and len(faces) >= 25, len(faces)
    for line in faces:
        x, y, w, h = line["box"]
        assert all(x - 1 <= px <= x + w + 1 and y - 1 <= py <= y + h + 1 for px, py in line["points"]), line
        assert line["state"] == "replaced" and abs(line["head_pose"][0]) < 90 and line["time"] == round(line["frame"] / 25, 6), line
    assert any(line["expression"] for line in faces)
    carried = json.loads((dataset / "carried/train/clip-0001.json").read_text())["items"]
    assert [(i["label"], i["kind"]) for i in carried] == [("cup", "track"), ("driver_actions/drinking", "action")], carried
    assert carried[0]["boxes"] == [[4, 2, 2, 6, 6]] and carried[1]["frame_intervals"] == [[3, 30]], carried
    changes = json.loads((out / "private/labels.json").read_text())["clips"]["clip-0001"]
    assert [c["frames_after"] for c in changes] == [1, 0, 1] and "no measured face" in changes[1]["done"], changes
    assert (out / "export/carried/train/clip-0001.json").exists() and (out / "export/faces.csv").exists()
    mark = json.loads((dataset / "provenance/clip-0001.json").read_text())
    assert mark["assertions"][1]["data"]["hash"] == sums["train/clip-0001.mp4"]
    assert "compositeWithTrainedAlgorithmicMedia" in mark["assertions"][0]["data"]["actions"][0]["digitalSourceType"]
    bill = json.loads((dataset / "audit/models.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX" and all(c["hashes"][0]["content"] and c["licenses"] for c in bill["components"])

    loaded = datasets.load_dataset(str(dataset), cache_dir=str(pathlib.Path(folder) / "cache"))
    row = loaded["train"][0]
    assert row["clip_id"] == "clip-0001" and row["frames"] == 50, row
    assert row["persons"][0]["standin"] == "person-01", row
    try:
        import torchcodec  # noqa: F401
    except Exception as problem:  # the wheel may not fit this machine's FFmpeg
        print("loaded, but frames are not decoded:", problem)
    else:
        frame = row["video"][10]
        frame = getattr(frame, "data", frame)
        assert tuple(frame.shape) == (3, row["height"], row["width"]), frame.shape
    card = (dataset / "README.md").read_text()
    import yaml
    head = yaml.safe_load(card.split("---")[1])
    for key in ("license", "pretty_name", "annotations_creators", "source_datasets", "task_categories", "tags", "size_categories",
                "extra_gated_prompt", "extra_gated_fields"):
        assert head[key], key
    assert head["configs"][0]["data_files"][0]["split"] == "train", head
print("the dataset loads")
