#!/usr/bin/env python3
"""Golden values of PLLaVA (CLIP's picture side, projector and pooling, frame numbers, pictures), from transformers, PyTorch and
PIL at reduced size with random weights. Development time only.

  make_pllava_goldens.py [frames] [vision]

Writes tests/models/golden/pllava/. Weights are not stored: product_random.weight draws them from their names here and
tests/common/random_weights.h in the tests; NAME.json lists the names and shapes.
needs: numpy, torch, safetensors, pillow, transformers==5.24.0
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

from product_random import Random, weight

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests/models/golden/pllava"
SEED = 1


def save(name, tensors):
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors = {k: np.ascontiguousarray(v.detach().numpy() if torch.is_tensor(v) else v) for k, v in tensors.items()}
    save_file(tensors, FOLDER / f"{name}.safetensors")
    print(name, {k: v.shape for k, v in tensors.items()})


# ---- which frames, and the pictures of them ----

def sampled(first, last, count):
    step = float(last - first) / count
    return [first + int(step / 2) + int(np.round(step * i)) for i in range(count)]


def picture(width, height):
    """tests/models/test_video_frames.c makes the same one"""
    random = Random(SEED, f"picture {width}x{height}")
    noise = np.array([random.u64() >> 56 for _ in range(width * height * 3)], np.uint8).reshape(height, width, 3)
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], 2)
    return Image.fromarray(((noise.astype(int) + 3 * ramp) // 4).astype(np.uint8))


def middle(image, width, height):
    """transformers' centre crop: what is too small is filled with black"""
    w, h = image.size
    out = Image.new("RGB", (width, height))
    out.paste(image, (math.ceil((width - w) / 2) if width > w else -((w - width) // 2),
                      math.ceil((height - h) / 2) if height > h else -((h - height) // 2)))
    return out


def shrunk(image, side):
    w, h = image.size
    short, long = min(w, h), max(w, h)
    ratio = long / short
    edge = max(side, min(short, int(min(640, long) / ratio)))
    resized = image.resize((edge * w // short, edge * h // short), Image.BICUBIC)
    other = int(edge * ratio)
    return middle(resized, other, edge) if w > h else middle(resized, edge, other)


def square(image, side, letterbox):
    w, h = image.size
    edge = max(w, h) if letterbox else min(w, h)
    resized = image.resize((side * w // edge, side * h // edge), Image.BICUBIC)
    if not letterbox:
        return middle(resized, side, side)
    out = Image.new("RGB", (side, side), tuple(round(255 * m) for m in (0.48145466, 0.4578275, 0.40821073)))
    out.paste(resized, (math.ceil((side - resized.width) / 2), math.ceil((side - resized.height) / 2)))
    return out


def frames():
    cases = [dict(first=0, last=n - 1, count=16, frames=sampled(0, n - 1, 16)) for n in (1, 2, 7, 16, 24, 90, 300, 1801)]
    cases += [dict(first=a, last=b, count=c, frames=sampled(a, b, c)) for a, b, c in ((30, 59, 16), (5, 5, 4), (10, 500, 8))]
    sizes = [(1920, 1080), (3840, 2160), (1280, 720), (640, 480), (480, 360), (320, 240), (720, 1280), (1080, 1080), (1366, 768), (853, 480), (31, 17)]
    shrinks = [dict(size=s, shrunk=shrunk(Image.new("RGB", s), 336).size) for s in sizes]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "frames.json").write_text(json.dumps(dict(frames=cases, shrunk=shrinks), indent=0))
    tensors = {}
    for (w, h), (tw, th) in {(61, 40): (23, 17), (40, 61): (50, 90), (33, 33): (33, 12), (20, 31): (47, 31)}.items():
        tensors[f"resize {w}x{h} {tw}x{th}"] = np.array(picture(w, h).resize((tw, th), Image.BICUBIC))
    for w, h in ((90, 51), (51, 90), (40, 40)):
        for letterbox in (False, True):
            tensors[f"square {w}x{h} {int(letterbox)}"] = np.array(square(shrunk(picture(w, h), 28), 28, letterbox))
    save("pictures", tensors)


# ---- networks ----

VISION = dict(num_hidden_layers=3, hidden_size=32, num_attention_heads=4, intermediate_size=48, image_size=28, patch_size=7)
WIDTH = 40


def pooled(x, shape):
    """x [T, patches, C] -> [tokens, C]"""
    t, patches, c = x.shape
    grid = math.isqrt(patches)
    x = x.view(t, grid, grid, c).permute(3, 0, 1, 2)
    return torch.nn.functional.adaptive_avg_pool3d(x, shape).permute(1, 2, 3, 0).reshape(-1, c)


def vision():
    from transformers import CLIPVisionConfig, CLIPVisionModel
    net = CLIPVisionModel(CLIPVisionConfig(**VISION)).eval()
    prefix = "vision_tower." if next(iter(net.state_dict())).startswith("vision_model.") else "vision_tower.vision_model."
    shapes = {prefix + k: list(v.shape) for k, v in net.state_dict().items() if v.is_floating_point()}
    net.load_state_dict({k[len(prefix):]: torch.from_numpy(weight(SEED, k, s)) for k, s in shapes.items()}, strict=False)
    projector = {"linear_1.weight": [WIDTH, 32], "linear_1.bias": [WIDTH], "linear_2.weight": [WIDTH, WIDTH], "linear_2.bias": [WIDTH]}
    shapes |= {"multi_modal_projector." + k: s for k, s in projector.items()}
    p = {k: torch.from_numpy(weight(SEED, "multi_modal_projector." + k, s)) for k, s in projector.items()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "vision.json").write_text(json.dumps(shapes, separators=(",", ":")).replace("],", "],\n"))
    tensors = {}
    for name, count, shape in (("even", 4, (4, 2, 2)), ("uneven", 5, (3, 3, 2))):
        pixels = torch.from_numpy(Random(SEED, f"pixels {name}").normals(count, 3, 28, 28))
        with torch.no_grad():
            features = net(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
            x = torch.nn.functional.gelu(features @ p["linear_1.weight"].T + p["linear_1.bias"])
            x = x @ p["linear_2.weight"].T + p["linear_2.bias"]
        tensors |= {f"{name}.features": features, f"{name}.tokens": pooled(x, shape)}
    save("vision", tensors)


def main():
    parts = dict(frames=frames, vision=vision)
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
