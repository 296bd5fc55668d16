#!/usr/bin/env python3
"""Text to picture on an NVIDIA card beside diffusers: SD 1.5, SDXL and its refiner at full size, random weights.

  drawing_gpu.py make FOLDER [sd15] [sdxl] [refiner]            the models as diffusers writes them, f16, initialised as diffusers and transformers do, seed 1
  drawing_gpu.py golden FOLDER [sd15] [sdxl] [refiner]          what diffusers says, f16 and f32, which compare then reads
  drawing_gpu.py compare FOLDER BUILD [sd15] [sdxl] [refiner]   one U-net forward and latents after 30 steps: ours f16, diffusers f16, diffusers f32
  drawing_gpu.py time FOLDER BUILD [--compile] [--rounds 3] [sd15] [sdxl] [refiner]   a step with guidance, a picture, memory: medians, in turns

The refiner draws from noise alone here, as the second pass does with strength 1.

BUILD is the folder with mmdm (and for `time` bench_drawing: ninja -C BUILD bench_drawing). Markdown to stdout.
needs: torch with CUDA, diffusers==0.42.1, transformers, safetensors, numpy, pillow
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROMPT = "a headshot of a person"
STEPS, GUIDANCE = 30, 7.5
SIDE = dict(sd15=512, sdxl=1024, refiner=1024)
BACKEND = dict(sd15="cosmicman-sd", sdxl="cosmicman-sdxl", refiner="cosmicman-sdxl")
DOWN, UP = ("DownBlock2D", "CrossAttnDownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D")
UNET = dict(
    sd15=dict(sample_size=64, block_out_channels=(320, 640, 1280, 1280), attention_head_dim=8, cross_attention_dim=768,
              down_block_types=[DOWN[1]] * 3 + [DOWN[0]], up_block_types=[UP[0]] + [UP[1]] * 3),
    sdxl=dict(sample_size=128, block_out_channels=(320, 640, 1280), attention_head_dim=(5, 10, 20), cross_attention_dim=2048,
              transformer_layers_per_block=(1, 2, 10), down_block_types=[DOWN[0], DOWN[1], DOWN[1]],
              up_block_types=[UP[1], UP[1], UP[0]], use_linear_projection=True, addition_embed_type="text_time",
              addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816),
    refiner=dict(sample_size=128, block_out_channels=(384, 768, 1536, 1536), attention_head_dim=(6, 12, 24, 24), cross_attention_dim=1280,
                 transformer_layers_per_block=4, down_block_types=[DOWN[0], DOWN[1], DOWN[1], DOWN[0]],
                 up_block_types=[UP[0], UP[1], UP[1], UP[0]], use_linear_projection=True, addition_embed_type="text_time",
                 addition_time_embed_dim=256, projection_class_embeddings_input_dim=2560))
VAE = dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
           down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)
SCALE = dict(sd15=.18215, sdxl=.13025, refiner=.13025)
# The tokenizer of the tests, 645 tokens; tables of the published size.
TEXT = dict(max_position_embeddings=77, vocab_size=49408, eos_token_id=644, bos_token_id=643, layer_norm_eps=1e-5)
CLIP_L = dict(TEXT, hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12, hidden_act="quick_gelu",
              projection_dim=768)
CLIP_BIG_G = dict(TEXT, hidden_size=1280, intermediate_size=5120, num_attention_heads=20, num_hidden_layers=32, hidden_act="gelu",
                  projection_dim=1280)


def make(folder, name, device="cuda"):
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
    golden = ROOT / "tests/nn/golden/clip-tokenizer"
    merges = [tuple(line.split()) for line in (golden / "merges.txt").read_text().splitlines()[1:]]
    vocabulary = json.loads((golden / "vocab.json").read_text())
    tokenizers = [CLIPTokenizer(vocabulary, merges, pad_token=pad, model_max_length=77) for pad in ("<|endoftext|>", "!")]
    torch.manual_seed(1)
    with torch.device(device):
        unet = diffusers.UNet2DConditionModel(**UNET[name])
        vae = diffusers.AutoencoderKL(**VAE, scaling_factor=SCALE[name])
        clip_l = CLIPTextModel(CLIPTextConfig(**CLIP_L)) if name != "refiner" else None
        big_g = CLIPTextModelWithProjection(CLIPTextConfig(**CLIP_BIG_G)) if name != "sd15" else None
    euler = diffusers.EulerDiscreteScheduler(beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear", steps_offset=1,
                                             timestep_spacing="leading")
    pipe = (diffusers.StableDiffusionXLImg2ImgPipeline(vae, None, big_g, None, tokenizers[1], unet, euler, requires_aesthetics_score=True)
            if name == "refiner" else diffusers.StableDiffusionXLPipeline(vae, clip_l, big_g, *tokenizers, unet, euler) if big_g else
            diffusers.StableDiffusionPipeline(vae, clip_l, tokenizers[0], unet, euler, None, None, requires_safety_checker=False))
    pipe.to(torch.float16).save_pretrained(folder / name, max_shard_size="20GB")
    for part in dict(sd15=["tokenizer"], sdxl=["tokenizer", "tokenizer_2"], refiner=["tokenizer_2"])[name]:
        for file in ("vocab.json", "merges.txt"):
            (folder / name / part / file).write_bytes((golden / file).read_bytes())
    side = SIDE[name] // 8
    noise = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(1)).half().float()
    save_file({"noise": noise}, folder / f"{name}-noise.safetensors")


def pipeline(folder, name, dtype):
    import diffusers
    kind = dict(sd15="StableDiffusionPipeline", sdxl="StableDiffusionXLPipeline", refiner="StableDiffusionXLImg2ImgPipeline")[name]
    pipe = getattr(diffusers, kind).from_pretrained(folder / name, torch_dtype=dtype).to("cuda")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def apart(a, b):
    a, b = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def ours(folder, build, name, steps, guidance, picture=None):
    latents = folder / f"{name}-ours.safetensors"
    subprocess.run([build / "mmdm", "portrait", "--backend", BACKEND[name], "--model", folder / name, "--device", "cuda",
                    "--precision", "f16", "--describe", PROMPT, "--no-negative", "--tries", "0", "--sampler", "euler",
                    "--width", str(SIDE[name]), "--height", str(SIDE[name]), "--steps", str(steps), "--guidance", str(guidance),
                    "--noise", folder / f"{name}-noise.safetensors", "--save-latents", latents,
                    *(["-o", picture] if picture else [])], check=True)
    return load_file(latents)["latents"]


def ask(pipe, name, steps, guidance, noise=None, **more):
    """One drawing; the refiner's pipeline is told that there is nothing but noise."""
    if name != "refiner":
        more |= dict(width=SIDE[name], height=SIDE[name])
        return pipe(PROMPT, num_inference_steps=steps, guidance_scale=guidance, latents=noise, **more)
    pipe.scheduler.set_timesteps(steps)
    noise = torch.randn(1, 4, SIDE[name] // 8, SIDE[name] // 8, device=pipe.device, dtype=pipe.dtype) if noise is None else noise
    return pipe(PROMPT, image=torch.zeros_like(noise), strength=1., num_inference_steps=steps, guidance_scale=guidance,
                latents=noise * pipe.scheduler.init_noise_sigma, **more)


def theirs(folder, name, dtype):
    """The U-net's first answer, the latents after 30 steps, what one step starts from."""
    kept = folder / f"{name}-{str(dtype).split('.')[1]}.safetensors"
    if kept.exists():
        return load_file(kept)
    pipe, seen = pipeline(folder, name, dtype), []
    noise = load_file(folder / f"{name}-noise.safetensors")["noise"].to("cuda", dtype)
    hook = pipe.unet.register_forward_hook(lambda _, __, out: seen.append(out[0].float().cpu()))
    ask(pipe, name, 1, 1., noise, output_type="latent")
    hook.remove()
    latents = ask(pipe, name, STEPS, GUIDANCE, noise, output_type="latent").images.float().cpu()
    pipe.scheduler.set_timesteps(1)
    result = dict(first=seen[0], latents=latents, one=torch.tensor([float(pipe.scheduler.sigmas[0]), float(pipe.scheduler.init_noise_sigma)]))
    save_file(result, kept)
    del pipe
    torch.cuda.empty_cache()
    return result


@torch.no_grad()
def golden(folder, name):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return theirs(folder, name, torch.float16), theirs(folder, name, torch.float32)


def decoded(folder, latents):
    from diffusers import AutoencoderKL
    vae = AutoencoderKL.from_pretrained(folder / "vae").to("cuda", torch.float32)
    return (vae.decode(latents.cuda() / vae.config.scaling_factor).sample / 2 + .5).clamp(0, 1)[0].permute(1, 2, 0).cpu().numpy() * 255


@torch.no_grad()
def compare(folder, build, name):
    from PIL import Image
    half, full = golden(folder, name)
    noise = load_file(folder / f"{name}-noise.safetensors")["noise"]
    png = folder / f"{name}.png"
    first = ours(folder, build, name, 1, 1)
    last = ours(folder, build, name, STEPS, GUIDANCE, png)
    sigma, start = full["one"].tolist()
    answer = (noise * start - first) / sigma                  # of one Euler step to sigma 0
    picture = np.asarray(Image.open(png), np.float64)
    print(f"| {name}, {SIDE[name]} px | ours f16 to diffusers f16 | ours f16 to diffusers f32 | diffusers f16 to f32 |\n|---|---|---|---|")
    print(f"| one U-net forward | {apart(answer, half['first']):.2e} | {apart(answer, full['first']):.2e} | {apart(half['first'], full['first']):.2e} |")
    print(f"| latents after {STEPS} steps, guidance {GUIDANCE} | {apart(last, half['latents']):.2e} | {apart(last, full['latents']):.2e} | "
          f"{apart(half['latents'], full['latents']):.2e} |")
    print(f"\nsize of the U-net's answer {float(full['first'].std()):.3f}; picture: mean {picture.mean():.1f}, deviation {picture.std():.1f}, "
          f"mean difference to diffusers' f32 decoder of the same latents {np.abs(picture - decoded(folder / name, last)).mean():.3f} of 255\n", flush=True)


def used():
    free, total = torch.cuda.mem_get_info()
    return total - free


@torch.no_grad()
def draw(pipe, name):
    """One picture: seconds for all, median of a step, the card's memory in use at its most."""
    at = []

    def after(_, __, ___, tensors):
        torch.cuda.synchronize()
        at.append(time.perf_counter())
        return tensors
    torch.cuda.synchronize()
    start = time.perf_counter()
    ask(pipe, name, STEPS, GUIDANCE, callback_on_step_end=after)
    torch.cuda.synchronize()
    return time.perf_counter() - start, statistics.median(b - a for a, b in zip(at, at[1:]))


def row(what, runs, memory):
    whole, step = (statistics.median(r[i] for r in runs) for i in (0, 1))
    print(f"| {what} | {1000 * step:.1f} ms | {whole:.2f} s | {memory / 2**30:.1f} GiB |", flush=True)


def measure(folder, build, name, rounds, compiled):
    base, pipe = used(), pipeline(folder, name, torch.float16)
    draw(pipe, name)
    eager, mine, memory, text = [], [], 0, []
    for _ in range(rounds):                                   # in turns
        eager.append(draw(pipe, name))
        taken = used()
        out = subprocess.run([build / "bench_drawing", folder / name, str(SIDE[name]), str(STEPS), str(GUIDANCE), "cuda", "f16", "2"],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in map(json.loads, out.splitlines()):
            mine.append((line["steps"] + line["decode"], line["step"]))
            text.append((line["text"], line["decode"]))
            memory = max(memory, line["used"] - taken)
    print(f"| {name}, {SIDE[name]} px, {torch.cuda.get_device_name()} | step with guidance | picture of {STEPS} steps | memory of the card |\n|---|---|---|---|")
    row("mmdm f16 (steps and decoding)", mine, memory)
    row("diffusers f16, eager", eager, taken - base)
    if compiled:
        pipe.unet = torch.compile(pipe.unet)
        draw(pipe, name)
        row("diffusers f16, torch.compile", [draw(pipe, name) for _ in range(rounds)], used() - base)
    print(f"\nmmdm: encoding the text, with reading the encoders from their files, {statistics.median(t[0] for t in text):.2f} s; "
          f"decoding {statistics.median(t[1] for t in text):.3f} s\n", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["make", "golden", "compare", "time"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_intermixed_args()
    build = None if a.what in ("make", "golden") else pathlib.Path(a.rest.pop(0))
    for name in a.rest or list(UNET):
        if a.what == "make":
            make(a.folder, name)
        elif a.what == "golden":
            golden(a.folder, name)
        elif a.what == "compare":
            compare(a.folder, build, name)
        else:
            measure(a.folder, build, name, a.rounds, a.compile)


if __name__ == "__main__":
    main()
