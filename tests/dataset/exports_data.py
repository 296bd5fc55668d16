"""A dataset as mmdm packs it, made up: three short videos of moving squares, two of them of one person, with labels that are
known. For the tests of exports, which then have a source of truth that no network had a part in."""
import json
import pathlib
import subprocess

FRAMES, FPS, WIDTH, HEIGHT = 12, 25, 96, 64
CLIPS = {"clip-0001": ["person-01"], "clip-0002": ["person-02", "person-03"], "clip-0003": ["person-01"], "clip-0004": ["person-04"]}
CARD = """---
pretty_name: "Squares & \\"faces\\""
license: cc-by-4.0
tags:
- synthetic
configs:
- config_name: default
  data_files:
  - split: train
    path: train/**
extra_gated_prompt: "Do not try to find out who they were."
---

# Squares
"""


def label(clip, frame, track, person):
    """Frame 5 of every track is covered, frame 7 of the second track is not seen at all."""
    line = {"clip_id": clip, "frame": frame, "time": round(frame / FPS, 6), "track": track, "person": person, "state": "replaced"}
    if frame == 5:
        return line | {"state": "covered", "box": None, "points": None, "head_pose": None, "gaze": None, "eyes": None, "mouth": None,
                       "expression": None}
    x, y = 10.0 + frame + 30 * track, 8.5 + track
    points = [[round(x + 0.25 * i, 2), round(y + 0.2 * i, 2)] for i in range(68)]
    return line | {"box": [x, y, 20.0, 24.0], "points": points, "head_pose": [1.5 * frame, -2.25, 0.5], "gaze": [3.5, -1.25],
                   "eyes": [0.05 if frame in (8, 9) else 0.3, 0.31], "mouth": 0.125, "expression": "happy" if frame % 4 == 0 else None}


def labels(clip):
    return [label(clip, frame, track, person) for frame in range(FRAMES) for track, person in enumerate(CLIPS[clip])
            if not (frame == 7 and track == 1)]


def row(clip):
    persons = [{"standin": p, "action": "replaced", "age": "30-39", "gender": "female", "race": None, "glasses": i == 1,
                "kept": ["gaze", "mouth"][:2 - i], "frames_face": FRAMES, "frames_replaced": FRAMES - 1, "frames_covered": 1}
               for i, p in enumerate(CLIPS[clip])]
    return {"file_name": clip + ".mp4", "clip_id": clip, "frames": FRAMES, "fps": float(FPS), "width": WIDTH, "height": HEIGHT,
            "sound": "none", "transcript": "=1+1, \"said\" [NAME]\nand more", "persons": persons, "synthetic": True}


def make(folder):
    folder = pathlib.Path(folder)
    (folder / "train").mkdir(parents=True)
    (folder / "labels" / "train").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    (folder / "LICENSE").write_text("a licence\n")
    rows = ""
    for n, clip in enumerate(CLIPS):
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FPS}", "-vf",
                        f"hue=h={80 * n}", "-frames:v", str(FRAMES), "-pix_fmt", "yuv420p", "-g", "4",
                        str(folder / "train" / (clip + ".mp4"))], check=True)
        rows += json.dumps(row(clip)) + "\n"
        (folder / "labels" / "train" / (clip + ".jsonl")).write_text("".join(json.dumps(line) + "\n" for line in labels(clip)))
    (folder / "train" / "metadata.jsonl").write_text(rows)
    return folder


def frames_of(path):
    """Frames as RGB, decoded by the ffmpeg program."""
    import numpy
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True,
                         capture_output=True).stdout
    return numpy.frombuffer(raw, numpy.uint8).reshape(-1, HEIGHT, WIDTH, 3)
