#!/usr/bin/env python3
"""Speech likelihoods by Silero's published network in ONNX Runtime, for tests/models/test_vad.c. needs: numpy, onnxruntime

  golden_vad.py MODEL.onnx SOUND.wav OUT.json
"""
import json
import sys
import wave

import numpy as np
import onnxruntime

model, sound, out = sys.argv[1:]
with wave.open(sound) as file:
    assert file.getframerate() == 16000 and file.getnchannels() == 1
    samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
session = onnxruntime.InferenceSession(model)
state, context, likelihood = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
for at in range(0, len(samples) - 511, 512):
    block = np.concatenate([context, samples[at:at + 512]])
    p, state = session.run(None, {"input": block[None], "state": state, "sr": np.array(16000, np.int64)})
    context = block[-64:]
    likelihood.append(round(float(p[0, 0]), 4))
with open(out, "w") as file:
    json.dump(likelihood, file)
    file.write("\n")
