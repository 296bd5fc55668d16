#!/usr/bin/env python3
"""Golden values of EchoMimic's networks (reference U-net, denoising U-net, face locator, Whisper's encoder) at reduced size with random
weights, from a re-statement of them in torch. Development time only.

  make_echomimic_goldens.py echomimic_spec.py

Writes tests/models/golden/echomimic/. The argument is the re-statement, which was checked against the published classes and is not part
of this repository. Weights are not stored: product_random.weight draws them from their names here and
tests/common/random_weights.h in the tests; NAME.json lists names and shapes.
needs: numpy, torch, safetensors
"""
import importlib.util
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

from product_random import Random, weight

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "tests/models/golden/echomimic"
SEED = 1

# tests/models/test_echomimic.c has the same sizes
CHANNELS, HEADS, GROUPS, AUDIO = (8, 16, 24, 24), 2, 8, 12
LOCATOR = (4, 6, 8, 12)
FRAMES, TOKENS, HEIGHT, WIDTH, TIME, POSITIONS = 3, 5, 8, 16, 832, 32
WHISPER = dict(d=24, layers=2, mels=6, ctx=10)
WHISPER_HEADS, MEL_FRAMES = 2, 20


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

    for channels in (1, 3):
        locator = weights(f"face-locator-{channels}", spec.shapes_locator(channels, LOCATOR, CHANNELS[0]))
        result[f"face-{channels}"] = spec.face_locator(locator, draw("picture", 1, channels, 8 * HEIGHT, 8 * WIDTH))

    whisper = weights("whisper-encoder", spec.shapes_whisper(**WHISPER))
    result["whisper"] = spec.whisper_states(whisper, draw("mel", WHISPER["mels"], MEL_FRAMES), WHISPER_HEADS, WHISPER["layers"])

    save_file({k: np.ascontiguousarray(v.numpy()) for k, v in result.items()}, OUT / "networks.safetensors")
    print({k: (list(v.shape), f"{v.square().mean().sqrt():.3f}") for k, v in result.items()})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    main(sys.argv[1])
