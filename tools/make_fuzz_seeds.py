#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets to fuzz/corpus/<reader>/: small, valid files of each format, made by other code than
the readers. Needs numpy, safetensors, flatbuffers and torch. Run once; the results are committed."""
import collections
import io
import json
import pathlib
import pickle
import struct
import zipfile

import flatbuffers
import numpy as np
from safetensors.numpy import save

corpus = pathlib.Path(__file__).resolve().parents[1] / "fuzz" / "corpus"
rng = np.random.default_rng(0)


def put(reader, name, data):
    folder = corpus / reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def safetensors():
    arrays = {"a.weight": rng.random((3, 4), np.float32), "b": np.arange(5, dtype=np.float16),
              "c": np.arange(6, dtype=np.int8).reshape(2, 3), "d": np.arange(4, dtype=np.int64)}
    put("safetensors", "small", save(arrays, {"format": "np"}))
    put("safetensors", "empty", save({"x": np.zeros((0, 3), np.float32)}))


def language_file():
    """A LLaMA of one block, width 4, two heads, three tokens, as language_file.c wants it."""
    d, h, words = 4, 4, 3
    shapes = {"token_embd": (d, words), "output_norm": (d,), "output": (d, words), "blk.0.attn_norm": (d,), "blk.0.ffn_norm": (d,),
              "blk.0.ffn_gate": (d, h), "blk.0.ffn_up": (d, h), "blk.0.ffn_down": (h, d)}
    shapes |= {f"blk.0.attn_{n}": (d, d) for n in ("q", "k", "v", "output")}

    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()

    def key(name, kind, data):
        return text(name) + struct.pack("<I", kind) + data
    sizes = dict(embedding_length=d, block_count=1, feed_forward_length=h, context_length=8)
    sizes |= {"attention.head_count": 2, "attention.head_count_kv": 2, "rope.dimension_count": 2}
    keys = [key("general.architecture", 8, text("llama")), key("tokenizer.ggml.model", 8, text("llama")),
            key("tokenizer.ggml.bos_token_id", 4, struct.pack("<I", 1)),
            key("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, words) + b"".join(map(text, ("<unk>", "<s>", "</s>")))),
            key("tokenizer.ggml.scores", 9, struct.pack("<IQ3f", 6, words, 0, 0, 0)),
            key("tokenizer.ggml.token_type", 9, struct.pack("<IQ3i", 5, words, 2, 3, 3))]
    keys += [key("llama." + name, 4, struct.pack("<I", value)) for name, value in sizes.items()]
    out, data = struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(keys)) + b"".join(keys), b""
    for name, shape in shapes.items():
        out += text(name + ".weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        values = rng.random(shape, np.float32).tobytes()
        data += values + bytes(-len(values) % 32)
    put("language_file", "small", out + bytes(-len(out) % 32) + data)


def gguf():
    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()
    out = struct.pack("<4sIQQ", b"GGUF", 3, 2, 4)
    out += text("general.architecture") + struct.pack("<I", 8) + text("x")
    out += text("general.alignment") + struct.pack("<II", 4, 32)
    out += text("x.list") + struct.pack("<IIQ", 9, 5, 3) + struct.pack("<3i", 1, 2, 3)
    out += text("x.words") + struct.pack("<IIQ", 9, 8, 2) + text("one") + text("two")
    out += text("w") + struct.pack("<IQQIQ", 2, 4, 3, 0, 0)
    out += text("h") + struct.pack("<IQIQ", 1, 8, 1, 64)
    out += b"\0" * (-len(out) % 32)
    out += rng.random(12, np.float32).tobytes().ljust(64, b"\0") + np.ones(8, np.float16).tobytes()
    put("gguf", "small", out)
    out = struct.pack("<4sIQQ", b"GGUF", 3, 2, 1) + text("general.architecture") + struct.pack("<I", 8) + text("x")
    out += text("q8") + struct.pack("<IQQIQ", 2, 32, 2, 8, 0) + text("q4") + struct.pack("<IQIQ", 1, 32, 2, 96)
    out += b"\0" * (-len(out) % 32)
    half = struct.pack("<e", 0.5)                              # a scale, then 32 numbers of 8 bits, or of 4
    out += 2 * (half + bytes(range(-16 % 256, 256)) + bytes(range(16))) + b"\0" * 28 + half + bytes(range(0, 256, 16)) + b"\0" * 14
    put("gguf", "blocks", out)


def ctranslate2():
    def text(s):
        return struct.pack("<H", len(s) + 1) + s.encode() + b"\0"
    arrays = [("encoder/conv1/weight", rng.random((2, 3), np.float32), 0), ("encoder/conv1/bias", np.ones(4, np.float16), 4),
              ("q/weight", np.arange(6, dtype=np.int8).reshape(2, 3), 1), ("q/weight_scale", np.ones(2, np.float32), 0),
              ("n", np.array(6, np.int8), 1)]
    out = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(arrays))
    for name, array, kind in arrays:
        out += text(name) + struct.pack("<B", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape)
        out += struct.pack("<BI", kind, array.nbytes) + array.tobytes()
    out += struct.pack("<I", 1) + text("decoder/weight") + text("q/weight")
    put("ctranslate2", "small", out)


def tfjs():
    weights = [{"name": "conv", "shape": [3, 3, 3, 2], "dtype": "float32"}, {"name": "bias", "shape": [2], "dtype": "float32"},
               {"name": "q", "shape": [4], "dtype": "float32", "quantization": {"dtype": "uint8", "scale": 0.1, "min": -1}}]
    shard = rng.random(56, np.float32).tobytes() + bytes([0, 1, 128, 255])
    group = [{"weights": weights, "paths": ["x.bin"]}]
    put("tfjs", "manifest", json.dumps(group).encode() + b"\0" + shard)

    def shape(*dims):
        return {"shape": {"dim": [{"size": str(d)} for d in dims]}}
    node = [{"name": "input", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": shape(1, 8, 8, 3)}},
            {"name": "conv", "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}, "value": {"tensor": {"dtype": "DT_FLOAT"}}}},
            {"name": "bias", "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}, "value": {"tensor": {"dtype": "DT_FLOAT"}}}},
            {"name": "c", "op": "Conv2D", "input": ["input", "conv"],
             "attr": {"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "padding": {"s": "U0FNRQ=="},
                      "dilations": {"list": {"i": ["1", "1", "1", "1"]}}, "data_format": {"s": "TkhXQw=="}, "T": {"type": "DT_FLOAT"}}},
            {"name": "b", "op": "BiasAdd", "input": ["c", "bias"], "attr": {"T": {"type": "DT_FLOAT"}}},
            {"name": "out", "op": "Relu", "input": ["b"], "attr": {"T": {"type": "DT_FLOAT"}}}]
    model = {"format": "graph-model", "modelTopology": {"node": node, "versions": {"producer": 1}},
             "signature": {"inputs": {"input": {"name": "input:0"}}, "outputs": {"out": {"name": "out:0"}}}, "weightsManifest": group}
    put("tfjs", "graph", json.dumps(model).encode() + b"\0" + shard)


def onnx():
    def number(n):
        out = b""
        n &= (1 << 64) - 1
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])

    def field(key, value):
        if isinstance(value, int):
            return number(key << 3) + number(value)
        value = value.encode() if isinstance(value, str) else value
        return number(key << 3 | 2) + number(len(value)) + value

    def tensor(name, array):
        kind = {"float32": 1, "int64": 7}[array.dtype.name]
        return b"".join(field(1, int(d)) for d in array.shape) + field(2, kind) + field(8, name) + field(9, array.tobytes())

    def ints(name, *values):
        return field(5, field(1, name) + b"".join(field(8, v) for v in values) + field(20, 7))

    def value(name, *dims):
        shape = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dims)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))

    def node(op, inputs, output, *attributes):
        return field(1, b"".join(field(1, i) for i in inputs) + field(2, output) + field(3, output) + field(4, op) + b"".join(attributes))
    constant = field(1, field(2, "shape") + field(4, "Constant") + field(5, field(1, "value") + field(5, tensor("", np.array([1, -1], np.int64))) + field(20, 4)))
    graph = (node("Conv", ["x", "w", "b"], "c", ints("kernel_shape", 3, 3), ints("strides", 1, 1), ints("pads", 1, 1, 1, 1)) +
             node("Relu", ["c"], "r") + node("GlobalAveragePool", ["r"], "p") + constant + node("Reshape", ["p", "shape"], "y") +
             field(2, "g") + field(5, tensor("w", rng.random((2, 3, 3, 3), np.float32))) + field(5, tensor("b", np.ones(2, np.float32))) +
             field(11, value("x", 1, 3, 8, 8)) + field(12, value("y", 1, 2)))
    put("onnx", "small", field(1, 8) + field(2, "seed") + field(7, graph) + field(8, field(1, "") + field(2, 13)))


def tflite():
    b = flatbuffers.Builder(1024)

    def vector(items, size=4, put_one=None):
        b.StartVector(size, len(items), size)
        for item in reversed(items):
            (put_one or b.PrependUOffsetTRelative)(item)
        return b.EndVector()

    def table(slots):  # slots: index -> ("offset" | "i32" | "i8" | "u32", value)
        b.StartObject(max(slots) + 1)
        for slot, (kind, value) in slots.items():
            if kind == "offset":
                b.PrependUOffsetTRelativeSlot(slot, value, 0)
            elif kind == "i32":
                b.PrependInt32Slot(slot, value, -1)
            elif kind == "u32":
                b.PrependUint32Slot(slot, value, 0xFFFFFFFF)
            else:
                b.PrependInt8Slot(slot, value, -1)
        return b.EndObject()

    def numbers(values):
        return vector(values, 4, b.PrependInt32)

    def tensor(name, dims, buffer, kind=0):
        text, shape = b.CreateString(name), numbers(dims)
        return table({0: ("offset", shape), 1: ("i8", kind), 2: ("u32", buffer), 3: ("offset", text)})

    def buffer(array):
        return table({0: ("offset", b.CreateByteVector(array.tobytes()))})
    b.StartObject(1)
    empty = b.EndObject()
    buffers = [empty, buffer(rng.random((2, 3, 3, 3), np.float32)), buffer(np.ones(2, np.float32)), buffer(np.array([1, 8], np.int32)),
               buffer(np.ones(54, np.float16))]
    tensors = [tensor("x", [1, 4, 4, 3], 0), tensor("w", [2, 3, 3, 3], 1), tensor("b", [2], 2), tensor("c", [1, 2, 2, 2], 0),
               tensor("s", [2], 3, 2), tensor("y", [1, 8], 0), tensor("h", [2, 3, 3, 3], 4, 1), tensor("hf", [2, 3, 3, 3], 0),
               tensor("d", [1, 2, 2, 2], 0)]

    def operator(code, inputs, outputs, kind=0, options=None):
        slots = {0: ("u32", code), 1: ("offset", numbers(inputs)), 2: ("offset", numbers(outputs))}
        if options is not None:
            slots[3], slots[4] = ("i8", kind), ("offset", options)
        return table(slots)

    def conv():  # SAME, stride 2, ReLU
        return table({0: ("i8", 0), 1: ("i32", 2), 2: ("i32", 2), 3: ("i8", 1)})
    operators = [operator(2, [6], [7]), operator(0, [0, 1, 2], [3], 1, conv()), operator(0, [0, 7, 2], [8], 1, conv()),
                 operator(1, [3, 4], [5])]
    codes = [table({0: ("i8", c), 2: ("i32", 1), 3: ("i32", c)}) for c in (3, 22, 6)]  # CONV_2D, RESHAPE, DEQUANTIZE
    lists = [vector(tensors), numbers([0]), numbers([5, 8]), vector(operators)]
    graph = table({i: ("offset", v) for i, v in enumerate(lists)})
    code_list, graphs, text, buffer_list = vector(codes), vector([graph]), b.CreateString("seed"), vector(buffers)
    model = table({0: ("u32", 3), 1: ("offset", code_list), 2: ("offset", graphs), 3: ("offset", text), 4: ("offset", buffer_list)})
    b.Finish(model, b"TFL3")
    put("tflite", "small", bytes(b.Output()))


def tracks():
    found = {"version": 1, "frames": 4, "width": 64, "height": 48, "cuts": [0], "tracks": [
        {"id": 0, "person": None, "first": 1, "last": 2, "score": 0.9, "boxes": [[1, 2, 20, 20], [2, 2, 20, 20]], "state": ["seen", "filled"]}],
        "regions": [{"kind": "plate", "first": 0, "last": 0, "quads": [[0, 1, 1, 9, 1, 9, 5, 1, 5]], "readings": ["AB 12"]}]}
    arrays = {"t0.points": rng.random((2, 478, 3), np.float32), "t0.valid": np.ones(2, np.uint8)}
    put("tracks", "small", json.dumps(found).encode() + b"\0" + save(arrays))


def motion():
    n, v = 1, 468
    pose = np.zeros((n, 13), np.float32)
    pose[0, [0, 1, 5, 9]] = 10, 1, 1, 1
    arrays = {"t0.pose": pose, "t0.shape": np.zeros((n, v * 3), np.float32), "t0.neutral": np.zeros((v, 3), np.float32),
              "t0.eyes": np.full((n, 2), 0.3, np.float32), "t0.gaze": np.zeros((n, 4), np.float32),
              "t0.lips": np.zeros((n, 1), np.float32), "t0.light": np.zeros((n, 18), np.float32),
              "t0.teeth": np.zeros((n, 1), np.float32), "t0.valid": np.ones(n, np.uint8)}
    about = {"version": 1, "tracks": [{"track": 0, "first": 0, "frames": n, "fps": 25.0, "eye_neutral": [0.3, 0.3],
             "correction": {"eye_gain": 1.0, "lip_gain": 1.0, "rest": [0.1, 0.0, 0.0, 0.0, 0.0], "gain": [1.0] * 4,
                            "views": [{"gaze": [[0.0, 0.0], [0.0, 0.0]], "turn": [0.0, 0.0, 0.0]}] * 5},
             "look": {"contrast": 1.0, "depth": 1.4, "blur": 0.5, "unsharp": 0.0, "grain": 0.0, "tone": [0.0, 0.0, 0.0]}}]}
    put("motion", "small", json.dumps(about).encode() + b"\0" + save(arrays))


def clip_tokenizer():
    put("clip_tokenizer", "merges", b"\0#version: 0.2\na b\n\0ab AB it's 12 caf\xc3\xa9 <|endoftext|>")
    vocabulary = (corpus.parents[1] / "tests/nn/golden/clip-tokenizer/vocab.json").read_bytes()
    put("clip_tokenizer", "vocabulary", vocabulary + b"\0s h\nh e\n\0she")


def caption():
    put("caption", "example", "A full-body shot, a Asian adult male, fit, a city street, short straight black hair, white "
        "cotton long sleeve solid color normal shirt, blue denim long straight solid color jeans, white leather sneakers")


def checkpoint():
    clip = "conditioner.embedders.1.model."
    names = {clip + "transformer.resblocks.0.attn.in_proj_weight": (6, 2), clip + "text_projection": (2, 3), clip + "logit_scale": (),
             clip + "ln_final.weight": (2,), "model.diffusion_model.input_blocks.3.0.op.weight": (2,), "alphas_cumprod": (1,),
             "model.diffusion_model.output_blocks.2.1.conv.bias": (2,), "first_stage_model.decoder.mid.attn_1.q.weight": (2, 2, 1, 1),
             "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias": (2,)}
    put("checkpoint", "small", save({k: np.ones(v, np.float32) for k, v in names.items()}))


def diffusion_config():
    golden = corpus.parents[1] / "tests/models/golden/diffusion/sdxl"
    for part in ("unet", "text_encoder_2", "vae"):
        put("diffusion_config", part, (golden / part / "config.json").read_bytes())
    put("diffusion_config", "scheduler", (golden / "scheduler/scheduler_config.json").read_bytes())


def torch_files():
    """torch.save of a state_dict, and of a checkpoint with other things around it."""
    import torch
    base = torch.arange(12, dtype=torch.float32)
    state = {"a.weight": base.view(3, 4), "a.half": (base[:4] / 2).half(), "a.brain": torch.tensor([1.5, -2]).bfloat16(),
             "b.view": base[6:10].view(2, 2), "count": torch.tensor(7), "parameter": torch.nn.Parameter(torch.ones(2, 1))}
    checkpoint = {"epoch": 3, "loss": .5, "state_dict": collections.OrderedDict(state), "big": 1 << 70,
                  "optimizer": {"state": {0: {"step": torch.zeros(1)}}}}
    for name, value in (("state", state), ("checkpoint", checkpoint), ("nested", {"ema": {"w": torch.full((2,), 3.)}}),
                        ("turned", {"w": torch.ones(2, 3).t()})):
        file = io.BytesIO()
        torch.save(value, file)
        put("torch", name, file.getvalue())
        put("pickle", name, zipfile.ZipFile(file).read("archive/data.pkl"))
    put("pickle", "protocol4", pickle.dumps({"a": [1, -2, 1 << 40], "b": (None, True, 2.5), "c": {"d": "e"}}, 4))


def weights():
    index = {"metadata": {"total_size": 16}, "weight_map": {"a": "1.safetensors", "b": "1.safetensors", "c": "1.safetensors"}}
    first = save({"a": np.ones(2, np.float32), "b": np.ones((1, 2), np.float16), "c": np.zeros(1, np.int8)})
    put("weights", "split", json.dumps(index).encode() + b"\0" + first)


def http():
    put("http", "options", json.dumps({"preset": "interview", "keep": "age,gaze", "cover": ["1,2,3,4", "5,6,7,8"], "draw": "true"}))
    put("http", "range", "bytes=10-20")
    put("http", "last", "bytes=-5")
    put("http", "address", "/api/jobs/job-1/clips/clip-0001/media/masked")


def whisper():
    sizes = (51864, 4, 64, 1, 1, 4, 64, 1, 1, 80, 2002)
    out = struct.pack("<12i", 0x67676D6C, *sizes) + struct.pack("<2i", 80, 201) + bytes(80 * 201 * 4)
    out += struct.pack("<i", 3) + b"".join(struct.pack("<i", len(t)) + t for t in (b"!", b" a", b""))
    for name, kind, shape, size in (("encoder.conv1.bias", 0, (1, 2), 8), ("encoder.conv1.weight", 1, (3, 2, 2), 24),
                                    ("decoder.token_embedding.weight", 2, (32, 2), 36)):
        out += struct.pack("<3i", len(shape), len(name), kind) + struct.pack(f"<{len(shape)}i", *shape) + name.encode() + bytes(size)
    put("whisper", "small", out)
    put("whisper_vocabulary", "text", b"!\n\xc4\xa0a\nthe\n")
    put("whisper_vocabulary", "list", json.dumps(["!", "\u0120a", "the"]))
    put("whisper_vocabulary", "numbers", json.dumps({"!": 0, "\u0120a": 1, "the": 2}))
    put("whisper_vocabulary", "base64", b"IQ== 0\nIGE= 1\ndGhl 2\n")


def gemini():
    word = {"word": "Hello", "startOffset": "0.100s", "endOffset": "0.500s"}
    spoken = {"text": "Hello", "audioTranscription": {"text": "Hello", "languageCode": "en-US", "speakerLabel": "spk:0", "words": [word]}}
    listed = {"text": json.dumps([{"start": "00:01", "end": "00:02.5", "text": "Hello you"}])}
    for name, part in (("spoken", spoken), ("listed", listed)):
        put("gemini", name, json.dumps({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}))
    put("gemini", "refused", json.dumps({"promptFeedback": {"blockReason": "SAFETY"}}))


def motion_edit():
    put("motion_edit", "small", json.dumps({"tracks": [{"id": 0, "curves": {"mouth": [[0, 0], [2, 1.5], [4, 0]], "blink": [[1, 1]],
                                                                         "yaw": [[0, -5], [4, 5]], "gaze_x": []}}]}))


for make in (gemini, language_file, whisper, caption, checkpoint, clip_tokenizer, diffusion_config, torch_files, weights, safetensors, gguf, ctranslate2, tfjs, onnx, tflite, tracks, motion,
             motion_edit, http):
    make()
