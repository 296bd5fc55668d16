#!/usr/bin/env python3
"""Lays mmdm caption beside transformers, through the command line alone: a LLaVA kind of checkpoint of random weights of any size, one
clip, the same tokens asked of both. Says how far features, pooled tokens and logits are apart, whether the greedy tokens are the same, and
how long both take to see, to read and to write.

  caption_gpu.py --size tiny|7b|13b [--device cpu|cuda] [--precision f16] [--tokens 200] [--clip CLIP] [--mmdm build/mmdm] [--folder FOLDER]

The folder is made once and kept when --folder names one (7B takes 14 GB). Tried at size tiny on a CPU; the figures for a GPU are still to be
taken. needs: numpy, torch, safetensors, tokenizers, transformers==5.24.0, ffmpeg
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from safetensors.torch import save_file
from safetensors import safe_open

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from make_pllava_goldens import ids, pooled, write_tokenizer  # noqa: E402

VISION = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, image_size=336, patch_size=14)
SIZES = {
    "tiny": (dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96),
             dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, image_size=56, patch_size=14), 4, (4, 2, 2)),
    "7b": (dict(hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32, intermediate_size=11008), VISION, 16, (16, 12, 12)),
    "13b": (dict(hidden_size=5120, num_hidden_layers=40, num_attention_heads=40, num_key_value_heads=40, intermediate_size=13824), VISION, 16, (16, 12, 12)),
}
LARGEST = 2 << 30  # bytes of a shard


def networks(size, device, dtype):
    from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM
    language, vision, frames, shape = SIZES[size]
    torch.manual_seed(1)
    torch.set_default_dtype(dtype)
    with torch.device(device):
        clip = CLIPVisionModel(CLIPVisionConfig(**vision)).eval()
        vocabulary = 32064 if size != "tiny" else 512
        llama = LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, max_position_embeddings=4096, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
                                             pad_token_id=0, **language)).eval()
        d = language["hidden_size"]
        project = torch.nn.ModuleDict({"linear_1": torch.nn.Linear(vision["hidden_size"], d), "linear_2": torch.nn.Linear(d, d)}).eval()
    torch.set_default_dtype(torch.float32)
    return clip, project, llama


def write_folder(folder, size, clip, project, llama):
    language, vision, frames, shape = SIZES[size]
    _, count = write_tokenizer(folder, False)
    config = dict(model_type="pllava", image_token_index=count, num_frames=frames, pooling_shape=list(shape), vision_feature_layer=-2,
                  vision_feature_select_strategy="default", projector_hidden_act="gelu",
                  text_config=dict(model_type="llama", vocab_size=llama.config.vocab_size, max_position_embeddings=4096, rms_norm_eps=1e-5, **language),
                  vision_config=dict(model_type="clip_vision_model", **vision))
    (folder / "config.json").write_text(json.dumps(config))
    state = {"vision_tower." + k.removeprefix("vision_model."): v for k, v in clip.state_dict().items()}
    state |= {"multi_modal_projector." + k: v for k, v in project.state_dict().items()}
    state |= {"language_model." + k: v for k, v in llama.state_dict().items()}
    shards, used = [{}], 0
    for name, value in state.items():
        if used and used + value.nbytes > LARGEST:
            shards.append({})
            used = 0
        shards[-1][name] = value.contiguous().cpu()
        used += value.nbytes
    where = {}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        save_file(shard, folder / file)
        where |= {name: file for name in shard}
    (folder / "model.safetensors.index.json").write_text(json.dumps(dict(weight_map=where)))


def clocked(device, work):
    torch.cuda.synchronize() if device == "cuda" else None
    begun = time.monotonic()
    out = work()
    torch.cuda.synchronize() if device == "cuda" else None
    return out, time.monotonic() - begun


def theirs(args, folder, clip, project, llama, pixels, before, after):
    """see, read and write; each once to warm up"""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    shape = SIZES[args.size][3]
    dtype = llama.dtype

    def see():
        features = clip(pixels.to(args.device, dtype), output_hidden_states=True).hidden_states[-2][:, 1:]
        x = project["linear_2"](torch.nn.functional.gelu(project["linear_1"](features)))
        return features, pooled(x.float(), shape).to(dtype)

    def embed(text, begin):
        return llama.get_input_embeddings()(torch.tensor(ids(tokenizer, text, begin), device=args.device))

    def write(count):
        return llama.generate(inputs_embeds=prompt, attention_mask=mask, max_new_tokens=count, min_new_tokens=count, do_sample=False)[0]

    with torch.no_grad():
        see()
        (features, tokens), seen = clocked(args.device, see)
        prompt = torch.cat([embed(before, True), tokens, embed(after, False)])[None]
        mask = torch.ones(prompt.shape[:2], dtype=torch.long, device=args.device)
        llama(inputs_embeds=prompt, logits_to_keep=1)
        logits, read = clocked(args.device, lambda: llama(inputs_embeds=prompt, logits_to_keep=1).logits[0, -1])
        write(2)
        written, wrote = clocked(args.device, lambda: write(args.tokens))
    return dict(features=features, tokens=tokens, logits=logits, written=written), dict(see=seen, read=read, write=wrote - read)


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--size", choices=SIZES, default="tiny")
    parse.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parse.add_argument("--precision", choices=["f32", "f16"], default="f16")
    parse.add_argument("--tokens", type=int, default=200)
    parse.add_argument("--clip")
    parse.add_argument("--mmdm", default=str(ROOT / "build/mmdm"))
    parse.add_argument("--folder")
    args = parse.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        folder = pathlib.Path(args.folder or scratch / "model")
        clip, project, llama = networks(args.size, args.device, torch.float32 if args.precision == "f32" else torch.float16)
        if not (folder / "config.json").exists():
            write_folder(folder, args.size, clip, project, llama)
        source = args.clip or str(scratch / "clip.mkv")
        if not args.clip:
            subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:d=8:r=25", "-c:v", "ffv1", source], check=True)
        # the same clip twice: what is loaded on first use is not counted
        call = [args.mmdm, "caption", source, source, "--quiet", "--model", str(folder), "--greedy", "--raw", "--template", "plain", "--precision",
                args.precision, "--device", args.device, "--tokens", str(args.tokens), "-o", str(scratch / "out.json")]
        subprocess.run(call, check=True)
        ours = json.loads((scratch / "out.json").read_text())["captions"][1]
        call[2:4] = [source]
        subprocess.run(call + ["--save-features", str(scratch / "features.safetensors")], check=True)
        with safe_open(scratch / "features.safetensors", "pt") as file:
            saved = {k: file.get_tensor(k) for k in file.keys()}
            text = file.metadata()
        got, seconds = theirs(args, folder, clip, project, llama, saved["pixels"], text["before"], text["after"])
    print(f"{args.size}, {args.precision}, {args.device}: transformers | mmdm")
    for name in ("features", "tokens", "logits"):
        a, b = saved[name].double().flatten(), got[name].double().cpu().flatten()
        print(f"  {name}: {float((a - b).norm() / b.norm()):.2e} relative, {float((a - b).abs().max()):.2e} at most")
    a, b = saved["written"].tolist(), got["written"].tolist()
    print(f"  greedy tokens: the first {next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))} of {len(b)} are the same")
    for name in ("see", "read", "write"):
        print(f"  {name}: {seconds[name] * 1e3:.1f} ms | {ours['seconds'][name] * 1e3:.1f} ms")
    total = [sum(seconds.values()), sum(ours["seconds"][k] for k in ("see", "read", "write"))]
    print(f"  all: {total[0] * 1e3:.1f} ms | {total[1] * 1e3:.1f} ms, {total[0] / total[1]:.2f} times as fast; {len(a)} tokens written by mmdm")


if __name__ == "__main__":
    main()
