#!/usr/bin/env python3
"""Golden values of text-to-image diffusion (CLIP tokenizer, text encoders, U-net, VAE, samplers, whole pipelines, original names), from transformers and diffusers at
reduced size with random weights. Development time only.

  make_diffusion_goldens.py [--openai bpe_simple_vocab_16e6.txt.gz FOLDER] [tokenizer] [text] [blocks] [unet] [vae] [sampler] [pipeline] [names]

Writes tests/nn/golden/clip-tokenizer/ and tests/models/golden/diffusion/. Weights are not stored: product_random.weight draws
them from their names here and tests/common/random_weights.h in the tests; NAME.json lists the names and shapes. With --openai
instead: vocab.json, merges.txt and tokens.json of the real vocabulary (in PyPI's open_clip_torch) into FOLDER, which the test
of the tokenizer checks too when MDM_CLIP_TOKENIZER names it.
needs: numpy, torch, safetensors, diffusers==0.42.1, transformers==5.24.0
"""
import argparse
import collections
import gzip
import json
import math
import pathlib
import tempfile

import numpy as np
import torch
from safetensors.numpy import save_file

from product_random import Random, weight

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = ROOT / "tests/models/golden/diffusion"
SEED = 1


# ---- tokenizer ----

TEXTS = ["", " ", "a", "A headshot, a Asian adult female, fit, a plain wall, short straight black hair, white cotton shirt",
         "A full-body shot,a european elderly MALE,  brown\tleather\nboots ", "it's they'll we've I'm you'd don't DON'T 's ''s",
         "1234 5.5 x2 2x", "...!!! (hello) -- [world] #tag @you", "naïve café Zürich ÅNGSTRÖM", "cafe\u0301 A\u030angstro\u0308m",
         "日本語の文章 漢字", "Привет МИР", "مرحبا", "नमस्ते दुनिया", "😀👍🏽 family 👨‍👩‍👧", "ﬁne ½ ² Ⅷ ٣", "a\u00a0b\u3000c\u2028d\u200be",
         "<|endoftext|>", "a <|startoftext|> b<|endoftext|>c", "<|ENDOFTEXT|>", "ΣΊΣΥΦΟΣ ΟΔΟΣ ǅ ẞ", "x" * 60,
         "short straight black hair, " * 20, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\u212b \u1e9b\u0323 \uac00 \u1100\u1161",
         "e\u0301'S", "a'b'c", "under_score snake_case", "tab\x0bvt\x0cff\x85nel", "\u0130stanbul"]
CORPUS = ("a headshot of a short straight black hair white cotton shirt the person with brown wavy long hair a full body shot "
          "asian european elderly adult male female fit slim plain wall background leather boots blue denim jeans it's don't "
          "we've they'll i'm hello world ") * 3


def byte_characters():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def learn_merges(text, count):
    """Byte-pair encoding (Sennrich et al., 2016) of a small text: the pairs, most frequent first."""
    words = collections.Counter(tuple(w[:-1]) + (w[-1] + "</w>",) for w in text.split())
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        joined = collections.Counter()
        for word, n in words.items():
            new, i = [], 0
            while i < len(word):
                two = word[i:i + 2] == best
                new.append("".join(word[i:i + 2]) if two else word[i])
                i += 1 + two
            joined[tuple(new)] += n
        words = joined
    return merges


def write_tokenizer(folder, merges):
    from transformers import CLIPTokenizer
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    characters = byte_characters()
    tokens = characters + [c + "</w>" for c in characters] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    tokenizer = CLIPTokenizer(vocabulary, [tuple(m) for m in merges])
    cases = [dict(text=t, ids=tokenizer(t).input_ids) for t in TEXTS]
    (folder / "tokens.json").write_text(json.dumps(cases, indent=0))
    print(folder, len(vocabulary), "tokens,", len(cases), "texts,", sum(len(c["ids"]) for c in cases), "ids")


def tokenizer():
    write_tokenizer(ROOT / "tests/nn/golden/clip-tokenizer", learn_merges(CORPUS, 150))


def openai_tokenizer(file, folder):
    lines = gzip.open(file).read().decode().split("\n")[1:49152 - 256 - 2 + 1]
    write_tokenizer(folder, [tuple(line.split()) for line in lines])


# ---- networks ----

def fill(net, name):
    """Random weights by name; their shapes go to NAME.json."""
    shapes = {k: list(v.shape) for k, v in net.state_dict().items() if v.is_floating_point()}
    net.load_state_dict({k: torch.from_numpy(weight(SEED, k, s)) for k, s in shapes.items()}, strict=False)
    MODELS.mkdir(parents=True, exist_ok=True)
    (MODELS / f"{name}.json").write_text(json.dumps(shapes, separators=(",", ":")).replace("],", "],\n"))
    return net.eval()


def save(name, tensors):
    tensors = {k: np.ascontiguousarray(v.detach().numpy() if torch.is_tensor(v) else v) for k, v in tensors.items()}
    save_file(tensors, MODELS / f"{name}.safetensors")
    print(name, {k: f"{np.sqrt((v.astype(float) ** 2).mean()):.3f}" for k, v in tensors.items()})


TEXT = dict(hidden_size=32, intermediate_size=40, num_attention_heads=4, num_hidden_layers=3, vocab_size=645,
            max_position_embeddings=77, eos_token_id=644, bos_token_id=643, layer_norm_eps=1e-5)


@torch.no_grad()
def text():
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
    ids = torch.tensor([[643, *(i * 137 % 643 for i in range(20)), *[644] * 56]])
    net = fill(CLIPTextModel(CLIPTextConfig(**TEXT, hidden_act="quick_gelu")), "clip-l")
    out = net(ids, output_hidden_states=True)
    result = {"l.last": out.last_hidden_state, "l.penultimate": out.hidden_states[-2], "l.pooled": out.pooler_output}
    net = fill(CLIPTextModelWithProjection(CLIPTextConfig(**TEXT, hidden_act="gelu", projection_dim=24)), "clip-big-g")
    ids[:, 22:] = 0
    out = net(ids, output_hidden_states=True)
    result |= {"g.last": out.last_hidden_state, "g.penultimate": out.hidden_states[-2], "g.pooled": out.text_embeds}
    save("clip-text", result)


@torch.no_grad()
def blocks():
    """The pieces of U-net and VAE one by one, under the prefixes that tests/models/test_unet_blocks.c gives them."""
    from diffusers.models.downsampling import Downsample2D
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.transformers.transformer_2d import Transformer2DModel
    from diffusers.models.upsampling import Upsample2D
    net = torch.nn.ModuleDict(dict(
        same=ResnetBlock2D(in_channels=16, out_channels=16, temb_channels=20, groups=4, eps=1e-5),
        wider=ResnetBlock2D(in_channels=16, out_channels=24, temb_channels=None, groups=4, eps=1e-6),
        linear=Transformer2DModel(2, 8, 16, num_layers=2, cross_attention_dim=12, norm_num_groups=4, use_linear_projection=True),
        conv=Transformer2DModel(4, 4, 16, num_layers=1, cross_attention_dim=12, norm_num_groups=4),
        smaller=Downsample2D(16, use_conv=True, name="op"), larger=Upsample2D(16, use_conv=True)))
    fill(net, "blocks")
    x = torch.from_numpy(Random(SEED, "x").normals(1, 16, 6, 10))
    time = torch.from_numpy(Random(SEED, "time").normals(1, 20))
    context = torch.from_numpy(Random(SEED, "context").normals(1, 7, 12))
    save("blocks", dict(same=net["same"](x, time), wider=net["wider"](x, None), linear=net["linear"](x, context).sample,
                        conv=net["conv"](x, context).sample, smaller=net["smaller"](x), larger=net["larger"](x)))


# The three U-nets in small: as many levels and the same kinds of blocks as the real ones. tests/models/test_unet.c has the same
# sizes.
UNET = dict(sample_size=8, norm_num_groups=8, layers_per_block=2, in_channels=4, out_channels=4)
DOWN, UP = ("DownBlock2D", "CrossAttnDownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D")


def unet_sizes(channels, depth, heads, context, **more):
    return dict(UNET, block_out_channels=channels, attention_head_dim=heads, cross_attention_dim=context,
                down_block_types=[DOWN[d > 0] for d in depth], up_block_types=[UP[d > 0] for d in depth[::-1]],
                transformer_layers_per_block=[d or max(depth) for d in depth], **more)


ADDED = dict(use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8)
UNETS = dict(
    sd15=unet_sizes((8, 16, 24, 24), (1, 1, 1, 0), 2, 32),
    sdxl=unet_sizes((8, 16, 24), (0, 2, 3), (1, 2, 4), 64, projection_class_embeddings_input_dim=24 + 6 * 8, **ADDED),
    refiner=unet_sizes((8, 16, 24, 24), (0, 2, 2, 0), (1, 2, 4, 4), 32, projection_class_embeddings_input_dim=24 + 5 * 8, **ADDED))
NUMBERS = dict(sdxl=[1024, 768, 0, 16, 1024, 1024], refiner=[1024, 768, 0, 16, 6])
TIME = 421


@torch.no_grad()
def unet():
    from diffusers import UNet2DConditionModel
    result = {}
    for name, sizes in UNETS.items():
        net = fill(UNet2DConditionModel(**sizes), "unet-" + name)
        latent = torch.from_numpy(Random(SEED, "latent").normals(1, 4, 8, 16))
        context = torch.from_numpy(Random(SEED, "context").normals(1, 7, sizes["cross_attention_dim"]))
        added = None
        if name in NUMBERS:
            added = dict(text_embeds=torch.from_numpy(Random(SEED, "pooled").normals(1, 24)),
                         time_ids=torch.tensor([NUMBERS[name]]).float())
        result[name] = net(latent, TIME, context, added_cond_kwargs=added).sample
        print(name, sum(p.numel() for p in net.parameters()), "parameters")
    save("unet", result)


VAE = dict(block_out_channels=(8, 16, 16), layers_per_block=2, norm_num_groups=4, latent_channels=4, sample_size=32,
           down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3)


def in_tiles(run, x, tile, overlap, factor):
    """run(tile of x) over tiles of `tile` latent pixels, at least `overlap` of them shared, faded into one another; factor: size
    of the result over that of x. mdm_vae_decode and _encode say the same in words."""
    unit = max(factor, 1)                                      # result pixels in a latent pixel
    scale = x.shape[2:] if factor >= 1 else [int(n * factor) for n in x.shape[2:]]
    starts = []
    for size in scale:
        n = -(-(size - overlap) // (tile - overlap)) if size > tile else 1
        starts.append([i * (size - tile) // (n - 1) if n > 1 else 0 for i in range(n)])
    side = int(tile * unit)
    at = np.arange(side) + .5
    fade = np.minimum(1, np.minimum(at, side - at) / (overlap * unit)).astype(np.float32)
    weight2 = torch.from_numpy(fade[:, None] * fade[None])
    total = weights = 0
    for i in starts[0]:
        for j in starts[1]:
            cut = [slice(int(k / min(factor, 1)), int((k + tile) / min(factor, 1))) for k in (i, j)]
            out = run(x[:, :, cut[0], cut[1]])
            if not torch.is_tensor(total):
                total = torch.zeros(1, out.shape[1], *[int(n * unit) for n in scale])
                weights = torch.zeros_like(total[0, 0])
            to = [slice(int(k * unit), int(k * unit) + side) for k in (i, j)]
            total[:, :, to[0], to[1]] += out * weight2
            weights[to[0], to[1]] += weight2
    return total / weights


@torch.no_grad()
def vae():
    """Decoded and encoded, whole and in tiles of 8 latent pixels that share at least 3."""
    from diffusers import AutoencoderKL
    net = fill(AutoencoderKL(**VAE), "vae")
    s = net.config.scaling_factor
    latent = torch.from_numpy(Random(SEED, "latent").normals(1, 4, 13, 18))
    picture = torch.from_numpy(Random(SEED, "picture").normals(1, 3, 52, 36))

    def encode(x):
        moments = net.encode(x).latent_dist
        return torch.cat([moments.mean * s, moments.std * s], 1)

    def decode(z):
        return net.decode(z / s).sample
    save("vae", dict(decoded=decode(latent), decoded_tiled=in_tiles(decode, latent, 8, 3, 4), encoded=encode(picture),
                     encoded_tiled=in_tiles(encode, picture, 8, 3, 1 / 4)))


# name: scheduler, its settings beside SD's own, steps; tests/models/test_diffusion_sampler.c has the same list
SD = dict(beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear", steps_offset=1)
SAMPLERS = {
    "euler.leading": ("EulerDiscreteScheduler", dict(timestep_spacing="leading"), 10),
    "euler.linspace": ("EulerDiscreteScheduler", dict(timestep_spacing="linspace"), 7),
    "euler.trailing": ("EulerDiscreteScheduler", dict(timestep_spacing="trailing"), 12),
    "euler-a.leading": ("EulerAncestralDiscreteScheduler", dict(timestep_spacing="leading"), 10),
    "ddim.leading": ("DDIMScheduler", dict(clip_sample=False, set_alpha_to_one=False), 10),
    "ddim.trailing": ("DDIMScheduler", dict(clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing"), 13),
    "ddim.clipped": ("DDIMScheduler", dict(clip_sample=True, set_alpha_to_one=False), 10),
    "ddim.linear": ("DDIMScheduler", dict(clip_sample=False, beta_schedule="linear"), 10),
    "dpm++2m.leading": ("DPMSolverMultistepScheduler", dict(timestep_spacing="leading"), 10),
    "dpm++2m.linspace": ("DPMSolverMultistepScheduler", dict(timestep_spacing="linspace"), 20),
    "euler.karras": ("EulerDiscreteScheduler", dict(timestep_spacing="leading", use_karras_sigmas=True), 10),
    "dpm++2m.karras": ("DPMSolverMultistepScheduler", dict(timestep_spacing="leading", use_karras_sigmas=True), 20),
    "euler.velocity": ("EulerDiscreteScheduler", dict(timestep_spacing="trailing", prediction_type="v_prediction"), 10),
    "euler-a.velocity": ("EulerAncestralDiscreteScheduler", dict(timestep_spacing="leading", prediction_type="v_prediction"), 10),
    "ddim.velocity": ("DDIMScheduler", dict(clip_sample=True, set_alpha_to_one=False, prediction_type="v_prediction"), 10),
    "dpm++2m.velocity": ("DPMSolverMultistepScheduler", dict(timestep_spacing="leading", prediction_type="v_prediction"), 10)}


def network(x, t):
    """Any smooth function will do."""
    return .9 * torch.tanh(1.3 * x + .2) + .1 * math.sin(t / 100)


@torch.no_grad()
def sampler():
    import diffusers
    from diffusers.schedulers import scheduling_euler_ancestral_discrete
    result = {}
    for name, (kind, settings, steps) in SAMPLERS.items():
        scheduler = getattr(diffusers, kind)(**{**SD, **settings})
        random = Random(SEED, "ancestral")
        scheduling_euler_ancestral_discrete.randn_tensor = lambda shape, **_: torch.from_numpy(random.normals(*shape))
        noise, picture = (torch.from_numpy(Random(SEED, key).normals(1, 1, 4, 8)) for key in ("noise", "picture"))

        def run(x, times):
            for t in times:
                scaled = scheduler.scale_model_input(x, t)
                x = scheduler.step(network(scaled, float(t)), t, x).prev_sample
            return x
        scheduler.set_timesteps(steps)
        result[name + ".times"] = scheduler.timesteps.float()
        if hasattr(scheduler, "sigmas"):
            result[name + ".sigmas"] = scheduler.sigmas
        result[name + ".drawn"] = run(noise * scheduler.init_noise_sigma, scheduler.timesteps)
        scheduler.set_timesteps(steps)                         # a second pass of strength 0.4
        first = steps - int(steps * .4)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        times = scheduler.timesteps[first:]
        result[name + ".changed"] = run(scheduler.add_noise(picture, noise, times[:1]), times)
    save("sampler", result)


# ---- pipelines ----

PROMPT = "A headshot, a Asian adult female, fit, a plain wall, short straight black hair, white cotton shirt"
NEGATIVE = "boots"
SIZE = dict(width=64, height=32)


def write_folder(pipe, name):
    """The folder as diffusers writes it, less weights and tokenizers (which the tests put in)."""
    folder = MODELS / name
    with tempfile.TemporaryDirectory() as whole:
        pipe.save_pretrained(whole)
        for path in pathlib.Path(whole).rglob("*config.json"):
            to = folder / path.relative_to(whole)
            if not to.parent.name.startswith("tokenizer"):
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_text(path.read_text())
        (folder / "model_index.json").write_text((pathlib.Path(whole) / "model_index.json").read_text())


def text_encoder(second):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
    return (fill(CLIPTextModelWithProjection(CLIPTextConfig(**TEXT, hidden_act="gelu", projection_dim=24)), "clip-big-g")
            if second else fill(CLIPTextModel(CLIPTextConfig(**TEXT, hidden_act="quick_gelu")), "clip-l"))


@torch.no_grad()
def pipeline():
    """Each model by diffusers' own pipeline: latents after 10 steps, pictures, and a second pass over SDXL's by the refiner."""
    import diffusers
    from transformers import CLIPTokenizer
    folder = ROOT / "tests/nn/golden/clip-tokenizer"
    merges = [tuple(line.split()) for line in (folder / "merges.txt").read_text().splitlines()[1:]]
    vocabulary = json.loads((folder / "vocab.json").read_text())
    tokenizers = [CLIPTokenizer(vocabulary, merges, pad_token=pad, model_max_length=77) for pad in ("<|endoftext|>", "!")]
    net = {name: fill(diffusers.UNet2DConditionModel(**sizes), "unet-" + name) for name, sizes in UNETS.items()}
    vae = fill(diffusers.AutoencoderKL(**VAE, scaling_factor=.13025), "vae")
    euler = diffusers.EulerDiscreteScheduler(**SD, timestep_spacing="leading")
    ddim = diffusers.DDIMScheduler(**SD, clip_sample=False, set_alpha_to_one=False)
    sd15 = diffusers.StableDiffusionPipeline(vae, text_encoder(0), tokenizers[0], net["sd15"], ddim, None, None,
                                             requires_safety_checker=False)
    sdxl = diffusers.StableDiffusionXLPipeline(vae, text_encoder(0), text_encoder(1), *tokenizers, net["sdxl"], euler)
    refiner = diffusers.StableDiffusionXLImg2ImgPipeline(vae, None, text_encoder(1), None, tokenizers[1], net["refiner"], euler,
                                                         requires_aesthetics_score=True, add_watermarker=False)
    noise = torch.from_numpy(Random(SEED, "latent").normals(1, 4, 8, 16))
    change = torch.from_numpy(Random(SEED, "change").normals(1, 4, 8, 16))
    result = {}

    def picture(latents):
        image = vae.decode(latents / vae.config.scaling_factor).sample / 2 + .5
        return (image.clamp(0, 1) * 255).round().to(torch.uint8)[0].permute(1, 2, 0)
    for name, pipe in dict(sd15=sd15, sdxl=sdxl).items():
        pipe.set_progress_bar_config(disable=True)
        write_folder(pipe, name)
        more = dict(num_inference_steps=10, guidance_scale=5., latents=noise, output_type="latent", **SIZE)
        result[name + ".negative"] = pipe(PROMPT, negative_prompt=NEGATIVE, **more).images
        result[name] = pipe(PROMPT, **more).images
        result[name + ".unguided"] = pipe(PROMPT, **{**more, "guidance_scale": 1.}).images
        result[name + ".picture"] = picture(result[name])
    refiner.set_progress_bar_config(disable=True)
    write_folder(refiner, "refiner")
    img2img = diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img
    img2img.randn_tensor = lambda *_, **__: change
    result["refined"] = refiner(PROMPT, image=result["sdxl"], strength=.3, num_inference_steps=20, guidance_scale=5.,
                                original_size=(32, 64), target_size=(32, 64), output_type="latent").images
    save("pipeline", result)


# ---- the original naming ----

UNET_NAMES = [("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
              ("add_embedding.linear_1", "label_emb.0.0"), ("add_embedding.linear_2", "label_emb.0.2"),
              ("conv_in", "input_blocks.0.0"), ("conv_norm_out", "out.0"), ("conv_out", "out.2"),
              ("mid_block.resnets.0", "middle_block.0"), ("mid_block.attentions.0", "middle_block.1"),
              ("mid_block.resnets.1", "middle_block.2")]
RESIDUAL_NAMES = [("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"),
                  ("norm2", "out_layers.0"), ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection")]


def original_unet(name, attends):
    """diffusers' name -> the original one, by the table of the issue trackers; attends: whether an up block has transformers"""
    for new, old in UNET_NAMES:
        if name.startswith(new + "."):
            name = old + name[len(new):]
            break
    else:
        part = name.split(".")
        level, kind, index, rest = int(part[1]), part[2], int(part[3]), ".".join(part[4:])
        if part[0] == "down_blocks":
            at = 3 * level + index + 1
            name = {"resnets": f"input_blocks.{at}.0.{rest}", "attentions": f"input_blocks.{at}.1.{rest}",
                    "downsamplers": f"input_blocks.{3 * level + 3}.0.op.{rest[5:]}"}[kind]
        else:
            at = 3 * level + index
            name = {"resnets": f"output_blocks.{at}.0.{rest}", "attentions": f"output_blocks.{at}.1.{rest}",
                    "upsamplers": f"output_blocks.{3 * level + 2}.{1 + attends[level]}.{rest}"}[kind]
    part = name.split(".")
    if part[0] in ("input_blocks", "output_blocks", "middle_block"):
        at = 2 if part[0] == "middle_block" else 3
        for new, old in RESIDUAL_NAMES:
            if part[at] == new:
                part[at] = old
    return ".".join(part)


def original_vae(name, levels):
    half, *part = name.split(".")
    if half in ("quant_conv", "post_quant_conv"):
        return name
    swap = {"conv_norm_out": "norm_out", "conv_shortcut": "nin_shortcut", "group_norm": "norm", "to_q": "q", "to_k": "k",
            "to_v": "v"}
    if part[0] == "mid_block":
        rest = ".".join(part[3:]).replace("to_out.0", "proj_out")
        rest = ".".join(swap.get(p, p) for p in rest.split("."))
        return f"{half}.mid.{'attn_1' if part[1] == 'attentions' else f'block_{int(part[2]) + 1}'}.{rest}"
    if part[0] in ("down_blocks", "up_blocks"):
        up = part[0] == "up_blocks"
        level = levels - 1 - int(part[1]) if up else int(part[1])
        rest = ".".join(swap.get(p, p) for p in part[4:])
        which = f"block.{part[3]}" if part[2] == "resnets" else ("upsample" if up else "downsample")
        return f"{half}.{'up' if up else 'down'}.{level}.{which}.{rest}"
    return ".".join([half, *(swap.get(p, p) for p in part)])


def names():
    """Original names of each small network's tensors -> diffusers' names; diffusers' own conversion must agree with every pair."""
    from diffusers.loaders import single_file_utils as convert
    result = {}

    def check(name, pairs, converted):
        assert len(pairs) == len(converted) and all(converted[new] == old for old, new in pairs.items()), name
        result[name] = pairs
        print(name, len(pairs), "names")
    for name, sizes in UNETS.items():
        shapes = json.loads((MODELS / f"unet-{name}.json").read_text())
        attends = [kind == UP[1] for kind in sizes["up_block_types"]]
        pairs = {original_unet(new, attends): new for new in shapes}
        checkpoint = {"model.diffusion_model." + old: old for old in pairs}
        check(name, pairs, convert.convert_ldm_unet_checkpoint(checkpoint, sizes))
    pairs = {original_vae(new, 3): new for new in json.loads((MODELS / "vae.json").read_text())}
    marked = {"first_stage_model." + old: Marked(old) for old in pairs}
    check("vae", pairs, convert.convert_ldm_vae_checkpoint(marked, VAE))
    (MODELS / "original-names.json").write_text(json.dumps(result, separators=(",", ":")).replace('",', '",\n'))


class Marked(str):
    """A name that stands for its tensor; diffusers squeezes 1x1 kernels."""
    shape = (1, 1)
    ndim = 2

    def __getitem__(self, _):
        return self


if __name__ == "__main__":
    steps = dict(tokenizer=tokenizer, text=text, blocks=blocks, unet=unet, vae=vae, sampler=sampler, pipeline=pipeline,
                 names=names)
    parse = argparse.ArgumentParser()
    parse.add_argument("--openai", nargs=2, metavar=("FILE", "FOLDER"))
    parse.add_argument("steps", nargs="*", choices=[*steps, []])
    a = parse.parse_args()
    torch.set_num_threads(1)
    if a.openai:
        openai_tokenizer(*a.openai)
    else:
        for step in a.steps or steps:
            steps[step]()
