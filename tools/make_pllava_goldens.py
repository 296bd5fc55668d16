#!/usr/bin/env python3
"""Golden values of PLLaVA (CLIP's picture side, projector and pooling, frame numbers, pictures, tokenizers, a whole model), from
transformers, PyTorch and PIL at reduced size with random weights. Development time only.

  make_pllava_goldens.py [frames] [vision] [model]

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
    other = min(int(edge * ratio), max(resized.size))
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
WIDTH = 64


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


# ---- a whole model ----

CORPUS = """a man sits in a car and looks at the road. the woman holds the wheel with both hands and turns her head to the left.
a person in a dark coat walks along the street while cars pass by. she smiles and talks to somebody who is not seen. USER: ASSISTANT:
describe the video in detail. the driver yawns and closes the eyes for a moment. trees and houses go by behind the window.
age gender hair glasses beard smile young adult elderly male female black brown grey short long straight curly """
TEXTS = ["a man sits in a car", "the road", " two  spaces ", "USER: <image>\n USER: describe it\nASSISTANT:", "Zürich, 日本 😀", "", "</s>x",
         "the woman turns her head to the left. the woman!", "x1y2\tz"]
LANGUAGE = dict(num_hidden_layers=2, hidden_size=WIDTH, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96,
                max_position_embeddings=4096, rms_norm_eps=1e-5)
FRAMES = [(90, 51), (88, 50), (40, 40), (51, 90)]
RANK, ALPHA = 8, 4
BEFORE, AFTER = "USER: ", "\n USER: describe the video. ASSISTANT:"


def write_tokenizer(folder, first):
    """As transformers writes a LLaMA's: the older way by a normalizer (legacy), the newer one by a Metaspace that puts a space first."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers, decoders, AddedToken
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator([CORPUS], trainers.BpeTrainer(vocab_size=160, show_progress=False))
    learned = json.loads(trained.to_str())["model"]
    words = [w for w, _ in sorted(learned["vocab"].items(), key=lambda pair: pair[1])]
    vocabulary = {w: i for i, w in enumerate(["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + words)}
    merges = [tuple(m) if not isinstance(m, str) else tuple(m.split(" ")) for m in learned["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if first:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in ("<unk>", "<s>", "</s>", "<image>")])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(
        add_bos_token=True, bos_token="<s>", eos_token="</s>", unk_token="<unk>", tokenizer_class="PreTrainedTokenizerFast")))
    return tokenizer, len(vocabulary)


def ids(tokenizer, text, begin):
    return ([1] if begin else []) + tokenizer.encode(text, add_special_tokens=False).ids


def language_shapes(vocabulary):
    """as published: the LoRA is not merged, names have PEFT's wrapper"""
    d, h, keys = WIDTH, LANGUAGE["intermediate_size"], WIDTH // 4 * 2
    shapes = {"model.embed_tokens.weight": [vocabulary, d], "model.norm.weight": [d], "lm_head.weight": [vocabulary, d]}
    for i in range(LANGUAGE["num_hidden_layers"]):
        p = f"model.layers.{i}."
        shapes |= {p + "input_layernorm.weight": [d], p + "post_attention_layernorm.weight": [d],
                   p + "self_attn.k_proj.weight": [keys, d], p + "self_attn.o_proj.weight": [d, d],
                   p + "mlp.gate_proj.weight": [h, d], p + "mlp.up_proj.weight": [h, d], p + "mlp.down_proj.weight": [d, h]}
        for name, rows in (("q_proj", d), ("v_proj", keys)):
            shapes |= {f"{p}self_attn.{name}.base_layer.weight": [rows, d], f"{p}self_attn.{name}.lora_A.default.weight": [RANK, d],
                       f"{p}self_attn.{name}.lora_B.default.weight": [rows, RANK]}
    return {"language_model.base_model.model." + k: s for k, s in shapes.items()}


def language(shapes, vocabulary):
    from transformers import LlamaConfig, LlamaForCausalLM
    net = LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, attn_implementation="eager", bos_token_id=1, eos_token_id=2, pad_token_id=0, **LANGUAGE)).eval()
    drawn = {k.removeprefix("language_model.base_model.model."): torch.from_numpy(weight(SEED, k, s)) for k, s in shapes.items()}
    state = {}
    for name, value in drawn.items():
        if ".lora_" in name:
            continue
        a = drawn.get(name.replace(".base_layer.weight", ".lora_A.default.weight")) if ".base_layer." in name else None
        if a is not None:
            value = value + ALPHA / RANK * drawn[name.replace(".base_layer.weight", ".lora_B.default.weight")] @ a
        state[name.replace(".base_layer.weight", ".weight")] = value
    net.load_state_dict(state)
    return net


def normalised(image):
    mean, deviation = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    return ((np.array(image) / 255 - mean) / deviation).transpose(2, 0, 1).astype(np.float32)


def model():
    from transformers import CLIPVisionConfig, CLIPVisionModel
    tokenizer, count = write_tokenizer(FOLDER / "model", False)
    first, _ = write_tokenizer(FOLDER / "tokenizer-first", True)
    cases = {name: [dict(text=t, begin=b, ids=ids(k, t, b)) for t in TEXTS for b in ((True, False) if name == "model" else (True,))]
             for name, k in (("model", tokenizer), ("tokenizer-first", first))}
    (FOLDER / "tokens.json").write_text(json.dumps(cases, indent=0))
    vocabulary = count + 1 + 3  # <image>, and padding
    config = dict(architectures=["PllavaForConditionalGeneration"], model_type="pllava", image_token_index=count, vision_feature_layer=-2,
                  vision_feature_select_strategy="default", projector_hidden_act="gelu", num_frames=4, pooling_shape=[4, 2, 2],
                  text_config=dict(model_type="llama", vocab_size=vocabulary, **LANGUAGE), vision_config=dict(model_type="clip_vision_model", **VISION))
    (FOLDER / "model/config.json").write_text(json.dumps(config, indent=1))
    shapes = language_shapes(vocabulary)
    (FOLDER / "language.json").write_text(json.dumps(shapes, separators=(",", ":")).replace("],", "],\n"))
    net = language(shapes, vocabulary)
    sees = json.loads((FOLDER / "vision.json").read_text())
    drawn = {k: torch.from_numpy(weight(SEED, k, s)) for k, s in sees.items()}
    clip = CLIPVisionModel(CLIPVisionConfig(**VISION)).eval()
    bare = not next(iter(clip.state_dict())).startswith("vision_model.")
    clip.load_state_dict({k.removeprefix("vision_tower.vision_model." if bare else "vision_tower."): v for k, v in drawn.items()
                          if k.startswith("vision_tower.")}, strict=False)
    pixels = torch.from_numpy(np.stack([normalised(square(shrunk(picture(*s), 28), 28, False)) for s in FRAMES]))
    with torch.no_grad():
        features = clip(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        p = {k.removeprefix("multi_modal_projector."): v for k, v in drawn.items() if k.startswith("multi_modal_projector.")}
        x = torch.nn.functional.gelu(features @ p["linear_1.weight"].T + p["linear_1.bias"]) @ p["linear_2.weight"].T + p["linear_2.bias"]
        tokens = pooled(x, (4, 2, 2))
        words = net.get_input_embeddings()
        embed = lambda text, begin: words(torch.tensor(ids(tokenizer, text, begin)))
        prompt = torch.cat([embed(BEFORE, True), tokens, embed(AFTER, False)])[None]
        logits = net(inputs_embeds=prompt).logits[0, -1]
        written = net.generate(inputs_embeds=prompt, attention_mask=torch.ones(prompt.shape[:2], dtype=torch.long), max_new_tokens=12, do_sample=False)[0]
    save("model", dict(pixels=pixels, features=features, tokens=tokens, logits=logits, written=written.to(torch.int32)))
    print("written", written.tolist(), repr(tokenizer.decode(written.tolist())))


def main():
    parts = dict(frames=frames, vision=vision, model=model)
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
