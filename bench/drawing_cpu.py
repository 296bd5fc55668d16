#!/usr/bin/env python3
"""Text to picture on a CPU beside stable-diffusion.cpp: SD 1.5 at full size, random weights, f16 files.

  drawing_cpu.py make FOLDER                                      the model as bench/drawing_gpu.py makes it, also in one file
  drawing_cpu.py time FOLDER BUILD [--python PYTHON] [--side 512] [--steps 3] [--threads 2] [--rounds 3] [--precision f16]
                      [--theirs '{"vae_conv_direct": true}']      one process a side and round, in turns: medians

BUILD is the folder with bench_drawing (ninja -C BUILD bench_drawing); PYTHON one that has stable-diffusion-cpp-python (./setup bench).
Seconds are those of the clock and, in brackets, of all cores together (user and system), which other programs disturb less. Markdown to
stdout.
needs: make: torch, diffusers==0.42.1, transformers
"""
import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROMPT, GUIDANCE = "a headshot of a person", 7.5


def make(folder):
    """The model, and the same weights in one file of the original naming, which stable-diffusion.cpp knows."""
    sys.path.insert(0, str(ROOT / "tools"))
    import drawing_gpu
    import make_diffusion_goldens as names
    from safetensors.torch import load_file, save_file
    drawing_gpu.make(folder, "sd15", "cpu")
    parts = [load_file(folder / "sd15" / part) for part in (
        "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors")]
    attends = [kind == names.UP[1] for kind in drawing_gpu.UNET["sd15"]["up_block_types"]]
    whole = {"model.diffusion_model." + names.original_unet(name, attends): value for name, value in parts[0].items()}
    for name, value in parts[1].items():
        kernel = ".mid.attn_1." in (old := names.original_vae(name, 4)) and value.ndim == 2
        whole["first_stage_model." + old] = value[:, :, None, None].contiguous() if kernel else value
    for name, value in parts[2].items():
        whole["cond_stage_model.transformer." + ("" if name.startswith("text_model.") else "text_model.") + name] = value
    save_file(whole, folder / "sd15.safetensors")


def clocks():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.monotonic(), used.ru_utime + used.ru_stime


def theirs(a):
    """One picture by stable-diffusion.cpp, in this process: its parts as bench_drawing prints them."""
    from stable_diffusion_cpp import StableDiffusion
    at = [clocks()]
    model = StableDiffusion(model_path=str(a.folder / "sd15.safetensors"), n_threads=a.threads, verbose=False, **json.loads(a.theirs))
    at.append(clocks())
    model.generate_image(PROMPT, negative_prompt="", width=a.side, height=a.side, cfg_scale=GUIDANCE, sample_method="euler",
                         sample_steps=a.steps, seed=1, progress_callback=lambda step, steps, _: at.append(clocks()) if step else None)
    end = clocks()
    steps = at[-a.steps:]
    part = {"step": [statistics.median(y[i] - x[i] for x, y in zip(steps, steps[1:])) for i in (0, 1)],
            "decode": [end[i] - steps[-1][i] for i in (0, 1)], "whole": [end[i] - at[0][i] for i in (0, 1)],
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    print(json.dumps(part))


def ours(a):
    out = subprocess.run([a.build / "bench_drawing", a.folder / "sd15", str(a.side), str(a.steps), str(GUIDANCE), "cpu", a.precision, "0",
                          str(a.threads)], check=True, stdout=subprocess.PIPE, text=True).stdout
    line = json.loads(out.splitlines()[-1])
    return {"step": [line["step"], line["step_cpu"]], "decode": [line["decode"], line["decode_cpu"]],
            "whole": [line["whole"], line["whole_cpu"]], "peak": line["peak"]}


def other(a):
    out = subprocess.run([a.python, __file__, "theirs", a.folder, "--side", str(a.side), "--steps", str(a.steps), "--threads", str(a.threads),
                          "--theirs", a.theirs], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.splitlines()[-1])


def measure(a):
    runs = {f"mmdm {a.precision}": (ours, []), "stable-diffusion.cpp f16" + (" " + a.theirs if a.theirs != "{}" else ""): (other, [])}
    for _ in range(a.rounds):
        for run, seen in runs.values():
            seen.append(run(a))
            print(seen[-1], file=sys.stderr, flush=True)
    print(f"| SD 1.5, {a.side} px, {a.threads} threads, medians of {a.rounds} | step with guidance | decoding | reading, text, {a.steps} steps, decoding | peak memory |\n"
          "|---|---|---|---|---|")
    for name, (_, seen) in runs.items():
        cells = [" ".join(f"{'(' * i}{statistics.median(s[part][i] for s in seen):.1f}{' s'[:2 - 2 * i]}{')' * i}" for i in (0, 1))
                 for part in ("step", "decode", "whole")]
        print(f"| {name} | {' | '.join(cells)} | {statistics.median(s['peak'] for s in seen) / 2**30:.1f} GiB |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["make", "time", "theirs"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    parser.add_argument("--python", default=ROOT / ".deps/venv/bin/python")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="f16")
    parser.add_argument("--theirs", default="{}")
    a = parser.parse_args()
    if a.what == "make":
        make(a.folder)
    elif a.what == "theirs":
        theirs(a)
    else:
        measure(a)


if __name__ == "__main__":
    main()
