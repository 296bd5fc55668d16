#!/usr/bin/env python3
"""EchoMimic on an NVIDIA card beside a re-statement of it in torch: the published sizes, random weights.

  echomimic_gpu.py make FOLDER SPEC              weights in f16 of the accelerated mode driven by sound, their inputs, a portrait and a sound
  echomimic_gpu.py golden FOLDER SPEC            what torch says, f16 and f32, which compare then reads
  echomimic_gpu.py compare FOLDER SPEC BUILD     reference U-net and a window of 12 frames at 512 px: ours f16 and q8_0, torch f16, torch f32
  echomimic_gpu.py time FOLDER SPEC BUILD [--rounds 3]   window with and without guidance, reference U-net, decoding, a clip of 10 s, memory; in turns
  echomimic_gpu.py memory FOLDER BUILD           the card's memory at its most while a short clip is drawn, f16 and q8_0

SPEC is that re-statement, which was checked against the published classes and is not part of this repository. It multiplies attention out, as its
authors' published classes do without xformers; `time` has a row with torch's own attention kernels as well. BUILD is the folder with mmdm and
bench_echomimic. --small makes a latent of 8 x 8 pixels and a second of sound, which a CPU can do as well (--device cpu). Markdown to stdout.
needs: torch, numpy, safetensors, pillow
"""
import argparse
import importlib.util
import json
import math
import pathlib
import statistics
import subprocess
import threading
import time
import wave

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

CHANNELS = (320, 640, 1280, 1280)
FRAMES, TOKENS, TIME, STEPS, SHIFT, FPS, SCALE = 12, 50, 832, 6, 2, 24, .18215
DEVICE = "cuda"


def specification(path):
    spec = importlib.util.spec_from_file_location("echomimic_spec", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- making ------------------------------------------------------------------------------------------------------
def random_weights(spec, shapes, generator):
    """As the re-statement draws them, on the card"""
    normals = lambda shape: torch.randn(shape, generator=generator, device=DEVICE)
    result = {}
    for name, shape in shapes.items():
        if name.endswith("pos_encoder.pe"):
            continue
        if name.endswith(".bias"):
            value = .1 * normals(shape)
        elif len(shape) == 1:
            value = 1 + .1 * normals(shape)
        else:
            value = normals(shape) / math.sqrt(np.prod(shape[1:]))
        result[name] = value.half().cpu().contiguous()
    return result


def make(folder, spec, small):
    side, seconds = (8, 1) if small else (64, 10)
    generator = torch.Generator(DEVICE).manual_seed(1)
    weights = lambda shapes: random_weights(spec, shapes, generator)
    for part in ("audio_processor", "sd-vae-ft-mse"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    unet = weights(spec.shapes_unet())
    save_file({k: v for k, v in unet.items() if "motion_modules" not in k}, folder / "denoising_unet_acc.safetensors")
    save_file({k: v for k, v in unet.items() if "motion_modules" in k}, folder / "motion_module_acc.safetensors")
    save_file(weights(spec.shapes_unet(cross=0, motion=False, out=False)), folder / "reference_unet.safetensors")
    save_file(weights(spec.shapes_locator()), folder / "face_locator.safetensors")
    save_file(weights(spec.shapes_whisper()), folder / "audio_processor/whisper_tiny.safetensors")
    save_file(weights(spec.shapes_vae()), folder / "sd-vae-ft-mse/diffusion_pytorch_model.safetensors")
    for link, name in (("denoising_unet", "denoising_unet_acc"), ("motion_module", "motion_module_acc"),
                       ("vae", "sd-vae-ft-mse/diffusion_pytorch_model")):  # as bench_echomimic calls them
        (folder / f"{link}.safetensors").unlink(missing_ok=True)
        (folder / f"{link}.safetensors").symlink_to(f"{name}.safetensors")
    normals = lambda *shape: torch.randn(shape, generator=generator, device=DEVICE).half().float().cpu()
    save_file({"portrait": normals(1, 4, side, side), "latents": normals(FRAMES, 4, side, side), "audio": normals(FRAMES, TOKENS, 384),
               "face": normals(1, CHANNELS[0], side, side)}, folder / "golden.safetensors")
    save_file({"noise": normals(seconds * FPS + 2, 4, side, side)}, folder / "noise.safetensors")
    from PIL import Image
    levels = np.random.default_rng(1)
    Image.fromarray(levels.integers(0, 256, (8 * side, 8 * side, 3), np.uint8)).save(folder / "portrait.png")
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(16000)
        sound.writeframes(np.clip(levels.normal(0, 3000, 16000 * seconds), -32768, 32767).astype("<i2").tobytes())


# --- the re-statement on the card --------------------------------------------------------------------------------
def networks(spec, dtype, kernels=False):
    """Its U-net and autoencoder in another precision; times and places are computed in f32 and rounded."""
    class Unet(spec.UNet):
        def temb(self, t):
            half = self.ch[0] // 2
            a = float(t) * torch.exp(-math.log(10000.) * torch.arange(half) / half)
            e = torch.cat([a.cos(), a.sin()])[None].to(dtype)
            return self.lin("time_embedding.linear_2", F.silu(self.lin("time_embedding.linear_1", e)))

        def mha(self, p, x, ctx):
            if not kernels:
                return super().mha(p, x, ctx)
            split = lambda t: t.reshape(t.shape[0], t.shape[1], self.h, -1).transpose(1, 2)
            q, k, v = (split(self.lin(f"{p}.to_{n}", t)) for n, t in (("q", x), ("k", ctx), ("v", ctx)))
            return self.lin(f"{p}.to_out.0", F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))

        def run(self, x, t, write=None, bank=None, audio=None, face=None):
            down = lambda v: None if v is None else v.to(dtype)
            out = super().run(down(x), t, write, bank, down(audio), down(face))
            return None if out is None else out.float()
    return Unet


def read(folder, dtype, *names):
    result = {}
    for name in names:
        result |= {k: v.to(DEVICE, dtype) for k, v in load_file(folder / f"{name}.safetensors").items()}
    return result


def prepare(spec, dtype):
    original = specification(spec.__file__).pos_enc
    spec.pos_enc = lambda n, c: original(n, c).to(dtype)


def look(spec, folder, dtype, portrait, kernels=False):
    bank = {}
    networks(spec, dtype, kernels)(read(folder, dtype, "reference_unet"), CHANNELS).run(portrait, 0, write=bank)
    return bank


def unet_of(spec, folder, dtype, kernels=False):
    return networks(spec, dtype, kernels)(read(folder, dtype, "denoising_unet", "motion_module"), CHANNELS)


def inputs(folder):
    return {k: v.to(DEVICE) for k, v in load_file(folder / "golden.safetensors").items()}


# --- comparing ---------------------------------------------------------------------------------------------------
def apart(a, b):
    a, b = a.double().flatten().cpu(), b.double().flatten().cpu()
    return float((a - b).norm() / b.norm())


def theirs(spec, folder, dtype):
    kept = folder / f"torch-{str(dtype).split('.')[1]}.safetensors"
    if kept.exists():
        return load_file(kept)
    prepare(spec, dtype)
    i = inputs(folder)
    bank = look(spec, folder, dtype, i["portrait"])
    net = unet_of(spec, folder, dtype)
    result = {"bank": torch.cat([s.float().reshape(-1).cpu() for s in bank.values()]),
              "conditional": net.run(i["latents"], TIME, bank=bank, audio=i["audio"], face=i["face"]).cpu(),
              "unconditional": net.run(i["latents"], TIME, audio=torch.zeros_like(i["audio"])).cpu()}
    _, decode = spec.vae(read(folder, dtype, "vae"))
    result["picture"] = decode((i["latents"][:1] / SCALE).to(dtype)).float().cpu()
    save_file({k: v.contiguous() for k, v in result.items()}, kept)
    del net, bank
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    return result


def bench(folder, build, precision, repeats, guided):
    out = subprocess.run([build / "bench_echomimic", folder, precision, DEVICE, str(repeats), *(["guided"] if guided else [])], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return {line["what"]: line for line in map(json.loads, out.splitlines())}


def golden(folder, spec):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return theirs(spec, folder, torch.float16), theirs(spec, folder, torch.float32)


def compare(folder, spec, build):
    (half, full), ours = golden(folder, spec), {}
    for precision in ("f16", "q8_0"):
        bench(folder, build, precision, 1, True)
        ours[precision] = load_file(folder / "answers.safetensors")
    print("| | ours f16 to torch f16 | ours f16 to torch f32 | torch f16 to f32 | ours q8_0 to torch f32 |\n|---|---|---|---|---|")
    for name in half:
        a, b = ours["f16"][name], ours["q8_0"][name]
        print(f"| {name} | {apart(a, half[name]):.2e} | {apart(a, full[name]):.2e} | {apart(half[name], full[name]):.2e} | "
              f"{apart(b, full[name]):.2e} |", flush=True)


# --- timing ------------------------------------------------------------------------------------------------------
def wait():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds(run, repeats=1):
    taken = []
    for _ in range(repeats):
        wait()
        began = time.perf_counter()
        run()
        wait()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


class Watch:
    """The card's memory in use, at its most while this is open, less what was used before."""

    def __enter__(self):
        import pynvml
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        used = lambda: pynvml.nvmlDeviceGetMemoryInfo(handle).used
        self.base, self.most, self.stop = used(), 0, threading.Event()

        def look():
            while not self.stop.wait(.005):
                self.most = max(self.most, used())
        self.thread = threading.Thread(target=look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def gib(self):
        return (self.most - self.base) / 2**30


def animate(folder, build, precision="f16", frames=0):
    """Seconds of the whole command, and of its parts."""
    video = folder / "out.mp4"
    video.unlink(missing_ok=True)
    began = time.perf_counter()
    out = subprocess.run([build / "mmdm", "animate", "--backend", "echomimic", "--mode", "audio-acc", "--model", folder, "--portrait",
                          folder / "portrait.png", "--face", "none", "--audio", folder / "sound.wav", "--device", DEVICE, "--precision", precision,
                          "--noise", folder / "noise.safetensors", "--frames", str(frames), "--size", str(8 * inputs(folder)["face"].shape[-1]),
                          "--json", "-o", video], check=True, stdout=subprocess.PIPE, text=True).stdout
    whole = time.perf_counter() - began
    parts = {e["stage"]: e["seconds"] for e in map(json.loads, out.splitlines()) if e.get("event") == "stage" and e.get("state") == "done"}
    return {"whole": whole, **parts}


def clip(spec, folder, net, bank, decode, frames):
    """The same clip by the re-statement: seconds of the steps, of the decoding."""
    i = inputs(folder)
    noise = load_file(folder / "noise.safetensors")["noise"].to(DEVICE)[:frames].clamp(-1.5, 1.5)
    audio = i["audio"][torch.arange(frames) % FRAMES]
    result = []

    def draw():
        result.append(spec.sample(net, bank, i["face"], audio, noise, STEPS, 1., SHIFT))

    def show():
        for frame in result[-1]:
            picture = decode((frame[None] / SCALE).to(net.w["conv_in.weight"].dtype))
            (picture / 2 + .5).clamp(0, 1).mul(255).byte().cpu()
    return seconds(draw), seconds(show)


def measure(folder, spec, build, rounds, repeats):
    prepare(spec, torch.float16)
    i, dtype = inputs(folder), torch.float16
    frames = len(load_file(folder / "noise.safetensors")["noise"]) - 2
    _, decode = spec.vae(read(folder, dtype, "vae"))
    latent = (i["latents"][:1] / SCALE).to(dtype)
    rows, kinds = {}, {"torch f16, eager": False, "torch f16, eager, with its attention kernels": True}
    note = lambda who, what, value: rows.setdefault(who, {}).setdefault(what, []).append(value)
    flops = None
    for _ in range(rounds):                                    # in turns
        for who, kernels in kinds.items():
            net = unet_of(spec, folder, dtype, kernels)
            bank = look(spec, folder, dtype, i["portrait"], kernels)
            ask = lambda: net.run(i["latents"], TIME, bank=bank, audio=i["audio"], face=i["face"])
            alone = lambda: net.run(i["latents"], TIME, audio=torch.zeros_like(i["audio"]))
            if flops is None:
                from torch.utils.flop_counter import FlopCounterMode
                with FlopCounterMode(display=False) as counter:
                    ask()
                flops = counter.get_total_flops()
            seconds(ask, 2), seconds(alone, 2), seconds(lambda: decode(latent), 2)
            note(who, "window", seconds(ask, repeats))
            note(who, "guided", rows[who]["window"][-1] + seconds(alone, repeats))
            note(who, "reference", seconds(lambda: look(spec, folder, dtype, i["portrait"], kernels)))
            note(who, "decode", seconds(lambda: decode(latent), repeats))
            for name, value in zip(("steps", "pictures"), clip(spec, folder, net, bank, decode, frames)):
                note(who, name, value)
            if DEVICE == "cuda":
                rows[who]["memory"] = [torch.cuda.max_memory_allocated() / 2**30]
                torch.cuda.reset_peak_memory_stats()
            del net, bank, ask, alone
            if DEVICE == "cuda":
                torch.cuda.empty_cache()
        who = "mmdm f16"
        for guided in (False, True):
            told = bench(folder, build, "f16", repeats, guided)
            note(who, "guided" if guided else "window", told["window, guided" if guided else "window"]["seconds"])
        note(who, "reference", told["reference U-net, read and run"]["seconds"])
        note(who, "decode", told["decoding"]["seconds"])
        told = animate(folder, build)
        for name, stage in (("steps", "draw"), ("pictures", "decode"), ("whole", "whole")):
            note(who, name, told[stage])
    print(f"{torch.cuda.get_device_name() if DEVICE == 'cuda' else 'CPU'}, torch {torch.__version__}; a window is {flops / 1e12:.2f} TFLOP, {frames} frames\n")
    print("| medians | window | with guidance | TFLOP/s | reference U-net, read and run | decoding a frame | clip: steps | clip: pictures | whole command |")
    print("|---|---|---|---|---|---|---|---|---|")
    for who in ("mmdm f16", *kinds):
        of = lambda name: statistics.median(rows[who][name]) if name in rows[who] else None
        cell = lambda name, unit: "" if of(name) is None else f"{1000 * of(name):.1f} ms" if unit == "ms" else f"{of(name):.2f} s"
        print(f"| {who} | {cell('window', 'ms')} | {cell('guided', 'ms')} | {flops / of('window') / 1e12:.0f} | {cell('reference', 's')} | "
              f"{cell('decode', 'ms')} | {cell('steps', 's')} | {cell('pictures', 's')} | {cell('whole', 's')} |", flush=True)
    print("\ntorch's memory at its most:", ", ".join(f"{who}: {rows[who]['memory'][0]:.1f} GiB" for who in kinds if "memory" in rows[who]), flush=True)


def memory(folder, build):
    for precision in ("f16", "q8_0"):
        with Watch() as watch:
            told = animate(folder, build, precision, 2 * FRAMES)
        print(f"{precision}: {watch.gib():.2f} GiB of the card at the most, {told['whole']:.1f} s for {2 * FRAMES} frames", flush=True)


def main():
    global DEVICE
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["make", "golden", "compare", "time", "memory"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("rest", nargs="*", type=pathlib.Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--device", default=DEVICE)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=10)
    a = parser.parse_intermixed_args()
    DEVICE = a.device
    torch.set_grad_enabled(False)
    if a.what == "memory":
        return memory(a.folder, a.rest[0].resolve())
    spec = specification(a.rest[0])
    if a.what == "make":
        return make(a.folder, spec, a.small)
    torch.set_default_device(DEVICE)
    if a.what == "golden":
        golden(a.folder, spec)
    elif a.what == "compare":
        compare(a.folder, spec, a.rest[1].resolve())
    else:
        measure(a.folder, spec, a.rest[1].resolve(), a.rounds, a.repeats)


if __name__ == "__main__":
    main()
