#!/usr/bin/env python3
"""Golden values of EchoMimic's networks (reference U-net, denoising U-net, face locator, Whisper's encoder) and of its pipelines at
reduced size with random weights, from a re-statement of them in torch. Development time only.

  make_echomimic_goldens.py echomimic_spec.py
  make_echomimic_goldens.py echomimic_spec.py FOLDER

The first writes tests/models/golden/echomimic/. The second writes both U-nets at the published sizes with random weights (8 GB) and what
they answer for a small picture, for bench/bench_echomimic.c. The argument is the re-statement, which was checked against the published classes and is not part
of this repository. Weights are not stored: product_random.weight draws them from their names here and
tests/common/random_weights.h in the tests; NAME.json lists names and shapes.
needs: numpy, torch, safetensors, opencv
"""
import functools
import importlib.util
import json
import math
import pathlib
import sys
import time

import cv2
import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as torch_save

from product_random import Random, weight

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "tests/models/golden/echomimic"
SEED = 1

# tests/models/test_echomimic.c and tests/common/talking_folder.h have the same sizes
CHANNELS, HEADS, GROUPS, AUDIO = (8, 16, 24, 24), 2, 8, 24
LOCATOR = (4, 6, 8, 12)
FRAMES, TOKENS, HEIGHT, WIDTH, TIME, POSITIONS = 3, 5, 8, 16, 832, 32
WHISPER = dict(d=24, layers=2, mels=80, ctx=10)
WHISPER_HEADS, MEL_FRAMES = 2, 20

# tests/models/test_talking_portrait.c has the same clip
SIDE, CLIP, SHORT, FPS, SAMPLES = 64, 25, 10, 24., 17600
VAE, VAE_GROUPS, VAE_SCALE = (8, 12, 16, 16), 4, .18215
MASK = (8, 6, 56, 58)  # of the box 12, 10, 52, 54 of the face
MODES = {"audio": (False, 4, 2.5), "audio-acc": (False, 6, 1.), "pose": (True, 4, 2.5), "pose-acc": (True, 6, 1.)}


def specification(path):
    spec = importlib.util.spec_from_file_location("echomimic_spec", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw(key, *shape):
    return torch.from_numpy(Random(SEED, key).normals(*shape))


def weights(name, shapes):
    """Random weights by name; their shapes go to NAME.json."""
    (OUT / f"{name}.json").write_text(json.dumps({k: list(s) for k, s in shapes.items()}, separators=(",", ":"))
                                      .replace("],", "],\n"))
    return {k: torch.from_numpy(weight(SEED, k, s)) for k, s in shapes.items()}


# --- landmarks ---------------------------------------------------------------------------------------------------
STROKES = [((180, 200, 10), (263, 249, 390, 373, 374, 380, 381, 382, 362)), ((180, 200, 10), (263, 466, 388, 387, 386, 385, 384, 398, 362)),
           ((10, 200, 180), (33, 7, 163, 144, 145, 153, 154, 155, 133)), ((10, 200, 180), (33, 246, 161, 160, 159, 158, 157, 173, 133)),
           ((180, 220, 10), (276, 283, 282, 295, 285)), ((180, 220, 10), (300, 293, 334, 296, 336)),
           ((10, 220, 180), (46, 53, 52, 65, 55)), ((10, 220, 180), (70, 63, 105, 66, 107))]
SPOTS = [((10, 200, 250), 468), ((250, 200, 10), 473), ((200, 200, 200), 4)]
CANVAS = 512


def nearest(v):
    return math.floor(v + .5)


def dot(picture, x, y, colour):
    if 0 <= x < CANVAS and 0 <= y < CANVAS:
        picture[y, x] = colour


def edge(picture, a, b, colour):
    along = 0 if abs(b[0] - a[0]) >= abs(b[1] - a[1]) else 1
    if a[along] > b[along]:
        a, b = b, a
    length = b[along] - a[along]
    slope = (b[1 - along] - a[1 - along]) / length if length > 0 else 0.
    for s in range(nearest(a[along]), nearest(b[along]) + 1):
        other = nearest(a[1 - along] + slope * (s - a[along]))
        dot(picture, *((other, s) if along else (s, other)), colour)


def line(picture, a, b, colour):
    """src/face/landmark_drawing.c's line of two pixels, said again"""
    dx, dy = float(b[0] - a[0]), float(b[1] - a[1])
    length = math.sqrt(dx * dx + dy * dy)
    if length > 0:
        s = (dy / length, -dx / length)
        q = [(a[0] + s[0], a[1] + s[1]), (a[0] - s[0], a[1] - s[1]), (b[0] - s[0], b[1] - s[1]), (b[0] + s[0], b[1] + s[1])]
        for i in range(4):
            edge(picture, q[i], q[(i + 1) % 4], colour)
        for y in range(nearest(min(p[1] for p in q)), nearest(max(p[1] for p in q)) + 1):
            xs = []
            for i in range(4):
                p, r = sorted((q[i], q[(i + 1) % 4]), key=lambda point: point[1])
                if p[1] <= y <= r[1] and p[1] != r[1]:
                    xs.append(p[0] + (r[0] - p[0]) * (y - p[1]) / (r[1] - p[1]))
            for x in range(nearest(min(xs)), nearest(max(xs)) + 1) if xs else ():
                dot(picture, x, y, colour)
    for x, y in (a, b):
        for i, k in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
            dot(picture, x + i, y + k, colour)


def opencv_line(picture, a, b, colour):
    cv2.line(picture, a, b, colour, 2)


def draw_landmarks(points, side, line=line):
    """points [478, 2] float32 in a frame of side px -> [512, 512, 3] uint8"""
    picture = np.zeros((CANVAS, CANVAS, 3), np.uint8)
    share = points / np.float32(side)
    inside = ((share >= 0) & (share <= 1)).all(1)
    pixel = [tuple(int(v) for v in p) for p in np.minimum(np.floor(share * np.float32(CANVAS)), CANVAS - 1)]
    for colour, chain in STROKES:
        for a, b in zip(chain, chain[1:]):
            if inside[a] and inside[b]:
                line(picture, pixel[a], pixel[b], colour)
    for colour, i in SPOTS:
        if inside[i]:
            x, y = pixel[i]
            picture[max(0, y - 3):max(0, y + 3), max(0, x - 3):max(0, x + 3)] = colour
    return picture


def shrink(picture, side):
    """Bilinear between pixel centres, as the face locator is shown a drawing: [3, side, side], 0..1"""
    at = (np.arange(side) + .5) * (CANVAS / side) - .5
    low = np.floor(at).astype(int)
    t = (at - low)[:, None]
    p = picture.astype(np.float64) / 255
    p = p[low] * (1 - t[..., None]) + p[low + 1] * t[..., None]
    p = p[:, low] * (1 - t) + p[:, low + 1] * t
    return torch.from_numpy(p.transpose(2, 0, 1).astype(np.float32))


def landmarks():
    """[CLIP, 478, 2]: a cloud that wanders, some of it out of the frame"""
    points = Random(SEED, "landmarks").normals(478, 2) * np.float32(14) + np.float32(SIDE / 2)
    return np.stack([points + np.float32(.25 * i) for i in range(CLIP)]).astype(np.float32)


# --- pipelines ---------------------------------------------------------------------------------------------------
def mel_filters(mels):
    """Slaney's, as Whisper has them: [mels, 201]"""
    top = 15 + 27 * math.log(8) / math.log(6.4)
    edges = [m * 200 / 3 if m < 15 else 1000 * math.exp(math.log(6.4) / 27 * (m - 15)) for m in np.linspace(0, top, mels + 2)]
    hz = np.arange(201) * 40.
    rows = []
    for left, middle, right in zip(edges, edges[1:], edges[2:]):
        rows.append(np.maximum(0, np.minimum((hz - left) / (middle - left), (right - hz) / (right - middle))) * 2 / (right - left))
    return torch.from_numpy(np.array(rows, np.float32))


def open_windows(frames, size, overlap, offset):
    """Windows that end where the clip does; the seams of a step are `offset` after those of the first"""
    stride, starts = size - overlap, []
    at = offset % stride - stride if offset % stride else 0
    while True:
        starts.append(min(max(at, 0), frames - size))
        if at + size >= frames:
            return [list(range(s, s + size)) for s in starts]
        at += stride


def sample_open(spec, net, bank, face, audio, noise, steps, guidance, shift):
    """spec.sample with windows that do not go on from the clip's end to its beginning"""
    kept, x = spec.alphas_cumprod(), noise.clone()
    for i, t in enumerate(spec.timesteps(steps)):
        total, seen = torch.zeros_like(x), torch.zeros(len(x), 1, 1, 1)
        for c in open_windows(len(x), 12, 3, shift * i):
            f = face if face.shape[0] == 1 else face[c]
            v = net.run(x[c], t, bank=bank, audio=audio[c], face=f)
            if guidance > 1:
                u = net.run(x[c], t, bank=None, audio=torch.zeros_like(audio[c]), face=None)
                v = u + guidance * (v - u)
            total[c] += v
            seen[c] += 1
        x = spec.ddim_step(kept, steps, t, x, total / seen)
    return x


def pipelines(spec, reference, unet, locators, whisper):
    result = {}
    vae = weights("vae", spec.shapes_vae(VAE))
    encode, decode = spec.vae(vae, VAE_GROUPS)
    levels = Random(SEED, "picture")
    picture = np.array([int(levels.uniform() * 256) for _ in range(SIDE * SIDE * 3)], np.uint8).reshape(SIDE, SIDE, 3)
    latent = encode(torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32)) / 255 * 2 - 1) * VAE_SCALE
    bank = {}
    spec.UNet(reference, CHANNELS, HEADS, GROUPS).run(latent, 0, write=bank)

    spec.whisper_states = functools.partial(spec.whisper_states, heads=WHISPER_HEADS, layers=WHISPER["layers"])
    sound = np.rint(np.clip(Random(SEED, "sound").normals(SAMPLES) * np.float32(3000), -32768, 32767)) / np.float32(32768)
    filters = mel_filters(WHISPER["mels"])
    audio = spec.audio_tokens(whisper, sound.astype(np.float32), filters, FPS)
    result["frames"] = torch.tensor([len(spec.audio_tokens(whisper, sound, filters, fps)) for fps in (FPS, 25., 29.97, 60.)])
    result["mel"] = spec.log_mel(sound, filters)[:, :8]
    result["tokens"] = audio[[0, 1, 13, len(audio) - 1]]

    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., MASK[1]:MASK[3], MASK[0]:MASK[2]] = 1
    points = landmarks()
    drawings = [draw_landmarks(p, SIDE) for p in points]
    one, two = ((draw_landmarks(points[0], SIDE, by) > 0).any(2) for by in (line, opencv_line))
    print(f"drawing: {(one & ~two).sum() / one.sum():.3f} of ours not OpenCV's, {(two & ~one).sum() / two.sum():.3f} of OpenCV's not ours")
    result["drawing"] = torch.from_numpy(drawings[0][::4, ::4].copy())
    pictures = torch.stack([shrink(d, SIDE) for d in drawings])
    f, c, y, x = np.ogrid[:CLIP, :3, :SIDE, :SIDE]
    stripes = spec.face_locator(locators[3], torch.from_numpy(((7 * f + 13 * c + 5 * y + 3 * x) % 32 / 31).astype(np.float32)))
    faces = {False: spec.face_locator(locators[1], mask), True: torch.cat([spec.face_locator(locators[3], p[None]) for p in pictures])}

    net = spec.UNet(unet, CHANNELS, HEADS, GROUPS)
    noise = torch.stack([draw(f"frame-{i}", 4, SIDE // 8, SIDE // 8) for i in range(CLIP)])
    for name, (posed, steps, guidance) in MODES.items():
        start, shift = (noise, 3) if posed else (noise.clamp(-1.5, 1.5), 2)
        run = lambda n, sample: sample(net, bank, faces[posed][:n], audio[:n], start[:n], steps, guidance, shift)
        result[name] = run(CLIP, spec.sample)
        if name == "audio":
            result["audio.short"] = run(SHORT, spec.sample)
            result["audio.picture"] = (decode(result[name][:1] / VAE_SCALE)[0] / 2 + .5).clamp(0, 1)
        if posed:
            run = lambda sample: sample(net, bank, stripes, audio[:CLIP], start, steps, guidance, shift)
            result[f"{name}.stripes"] = run(spec.sample)
            result[f"{name}.stripes.open"] = run(functools.partial(sample_open, spec))
    save_file({k: np.ascontiguousarray(v.numpy()) for k, v in result.items()}, OUT / "pipelines.safetensors")
    print({k: (list(v.shape), f"{v.double().square().mean().sqrt():.3f}") for k, v in result.items()})


def main(path):
    spec = specification(path)
    OUT.mkdir(parents=True, exist_ok=True)
    result = {}

    reference = weights("reference-unet", spec.shapes_unet(CHANNELS, 0, motion=False, out=False))
    bank = {}
    spec.UNet(reference, CHANNELS, HEADS, GROUPS).run(draw("portrait", 1, 4, HEIGHT, WIDTH), 0, write=bank)
    result["bank"] = torch.cat([state.reshape(-1) for state in bank.values()])

    shapes = spec.shapes_unet(CHANNELS, AUDIO, pe=POSITIONS)
    unet = weights("denoising-unet", {k: s for k, s in shapes.items() if "motion_modules" not in k})
    unet |= weights("motion-module", {k: s for k, s in shapes.items() if "motion_modules" in k})
    net = spec.UNet(unet, CHANNELS, HEADS, GROUPS)
    latents, audio = draw("latents", FRAMES, 4, HEIGHT, WIDTH), draw("audio", FRAMES, TOKENS, AUDIO)
    faces = draw("faces", FRAMES, CHANNELS[0], HEIGHT, WIDTH)
    result["conditional"] = net.run(latents, TIME, bank=bank, audio=audio, face=faces)
    result["unconditional"] = net.run(latents, TIME, audio=torch.zeros_like(audio))
    result["one-face"] = net.run(latents, TIME, bank=bank, audio=audio, face=faces[:1])
    result["one-frame"] = net.run(latents[:1], TIME, bank=bank, audio=audio[:1], face=faces[:1])

    locators = {}
    for channels in (1, 3):
        locator = locators[channels] = weights(f"face-locator-{channels}", spec.shapes_locator(channels, LOCATOR, CHANNELS[0]))
        result[f"face-{channels}"] = spec.face_locator(locator, draw("picture", 1, channels, 8 * HEIGHT, 8 * WIDTH))

    whisper = weights("whisper-encoder", spec.shapes_whisper(**WHISPER))
    result["whisper"] = spec.whisper_states(whisper, draw("mel", WHISPER["mels"], MEL_FRAMES), WHISPER_HEADS, WHISPER["layers"])

    save_file({k: np.ascontiguousarray(v.numpy()) for k, v in result.items()}, OUT / "networks.safetensors")
    print({k: (list(v.shape), f"{v.square().mean().sqrt():.3f}") for k, v in result.items()})
    pipelines(spec, reference, unet, locators, whisper)


def full(path, folder, side=16, frames=2):
    spec, folder = specification(path), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    channels = (320, 640, 1280, 1280)
    generator = torch.Generator().manual_seed(SEED)
    normals = lambda *shape: torch.randn(shape, generator=generator)
    result = {"portrait": normals(1, 4, side, side), "latents": normals(frames, 4, side, side), "audio": normals(frames, 50, 384),
              "face": normals(1, channels[0], side, side)}
    reference, bank = spec.random_weights(spec.shapes_unet(cross=0, motion=False, out=False), SEED), {}
    torch_save({k: v.contiguous() for k, v in reference.items()}, folder / "reference_unet.safetensors")
    spec.UNet(reference, channels).run(result["portrait"], 0, write=bank)
    del reference
    result["bank"] = torch.cat([state.reshape(-1) for state in bank.values()])
    unet = spec.random_weights(spec.shapes_unet(), SEED + 1)
    for name, of_motion in (("denoising_unet", False), ("motion_module", True)):
        torch_save({k: v.contiguous() for k, v in unet.items() if ("motion_modules" in k) == of_motion}, folder / f"{name}.safetensors")
    net = spec.UNet(unet, channels)
    began = time.process_time()
    result["conditional"] = net.run(result["latents"], TIME, bank=bank, audio=result["audio"], face=result["face"])
    print(f"torch: {time.process_time() - began:.1f} s of CPU, conditional")
    result["unconditional"] = net.run(result["latents"], TIME, audio=torch.zeros_like(result["audio"]))
    torch_save({k: v.contiguous() for k, v in result.items()}, folder / "golden.safetensors")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    if len(sys.argv) == 3:
        full(sys.argv[1], sys.argv[2])
    else:
        main(sys.argv[1])
