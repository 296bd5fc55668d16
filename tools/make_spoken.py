#!/usr/bin/env python3
"""Speaks marked sentences with espeak-ng or flite and writes when each word is heard: truth for the speech tests.

  make_spoken.py lines --shared DIR --out FILE         word times of the espeak lines p1-p5 (tests/stages/data/espeak_words.json)
  make_spoken.py speak --sentences TSV --out DIR       WAV files and truth.json for recall on recognised speech (bench)
needs: libespeak-ng (for word times), flite (other voices; only which words are marked is known, not when), numpy
"""
import argparse
import ctypes
import json
import multiprocessing
import os
import re
import subprocess
import wave

import numpy as np

# What is personal in ../shared/data/speech/pii_lines.tsv, word for word.
LINES = {
    "p1": "Hi, this is {name|Margaret Hollis.} My number is {phone|five five five, zero one seven, three four two nine.}",
    "p2": "Please deliver it to {name|Daniel Okafor,} {address|forty two Maple Street, Springfield, postcode S P one two A B.}",
    "p3": "My e mail is {email|sara dot nguyen at example dot com} and my licence plate is {plate|A B one two C D E.}",
    "p4": "I was born on {birth|the third of May nineteen eighty four,} and the card ends in {card|four four two one.}",
    "p5": "Turn left at the next junction and keep to the middle lane.",
}
VOICES = ["en-us+m3", "en-gb+f2", "en-us+f4", "en-us+m7", "en-gb+m1"]


class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
                ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user", ctypes.c_void_p), ("name", ctypes.c_char * 8)]


def espeak(text, voice, rate=150):
    """The library is used in a process of its own: it does not take being opened twice."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply_async(synthesise, (text, voice, rate)).get(timeout=30)


def synthesise(text, voice, rate):
    """-> int16 samples, sample rate, [(start of the word in text, seconds)] from the synthesiser's own word events."""
    lib = ctypes.CDLL("libespeak-ng.so.1")
    hz = lib.espeak_Initialize(2, 0, None, 0)  # 2: synchronous
    chunks, words = [], []
    callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))

    def callback(samples, count, events):
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != 0:
            if events[i].type == 1:
                words.append((events[i].text_position - 1, events[i].audio_position / 1000))
            i += 1
        return 0

    keep = callback_type(callback)
    lib.espeak_SetSynthCallback(keep)
    lib.espeak_SetVoiceByName(voice.encode())
    lib.espeak_SetParameter(1, rate, 0)
    data = text.encode()
    lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
    lib.espeak_Synchronize()
    lib.espeak_Terminate()
    return np.concatenate(chunks), hz, words


def parse(line):
    """'Call {name|Ada}.' -> words, kind or None of each"""
    words, kinds = [], []
    for part in re.split(r"(\{[^}]*\}[.,!?]*)", line):
        if part.startswith("{"):
            kind, rest = part[1:].split("|", 1)
            found = rest.replace("}", "").split()
            words += found
            kinds += [kind] * len(found)
        else:
            if words and part[:1] and part[0] in ".,!?'":  # punctuation right after a mark
                words[-1] += part.split(" ", 1)[0]
                part = part[len(part.split(" ", 1)[0]):]
            found = part.split()
            words += found
            kinds += [None] * len(found)
    return words, kinds


def with_times(words, kinds, events, samples, hz):
    """Word times: an event per word start; a word ends where the next begins, less any silence."""
    offsets, at = [], 0
    for word in words:
        offsets.append(at)
        at += len(word) + 1
    starts = []
    for i, offset in enumerate(offsets):
        inside = [t for p, t in events if offset <= p < offset + len(words[i])]
        starts.append(min(inside) if inside else None)
    for i in range(len(starts)):  # a word the synthesiser joined to another has no event of its own
        if starts[i] is None:
            later = next((s for s in starts[i + 1:] if s is not None), len(samples) / hz)
            starts[i] = (starts[i - 1] + later) / 2 if i else 0.0
    level = np.abs(samples.astype(np.float32))
    hop = hz // 100
    loud = np.array([level[k:k + hop].max() > 0.01 * level.max() for k in range(0, len(level), hop)])
    out = []
    for i, word in enumerate(words):
        start, end = starts[i], starts[i + 1] if i + 1 < len(words) else len(samples) / hz
        while end - start > 0.03 and not loud[min(int(end * 100) - 1, len(loud) - 1)]:
            end -= 0.01
        out.append({"text": word, "start": round(start, 3), "end": round(end, 3), "kind": kinds[i]})
    return out


def resample(samples, hz, to=16000):
    import scipy.signal as sig
    return sig.resample_poly(samples.astype(np.float64), to, hz)


def read_wav(path):
    with wave.open(path) as w:
        return np.frombuffer(w.readframes(w.getnframes()), np.int16), w.getframerate()


def lines(shared, out):
    voices = {r.split("\t")[0]: r.split("\t")[1] for r in open(f"{shared}/data/speech/pii_lines.tsv").read().splitlines()[1:]}
    result = {}
    for name, marked in LINES.items():
        words, kinds = parse(marked)
        samples, hz, events = espeak(" ".join(words), voices[name])
        fixture, fixture_hz = read_wav(f"{shared}/data/speech/espeak_pii_{name}.wav")
        ours = resample(samples, hz, fixture_hz)
        n = min(len(ours), len(fixture))
        # Same sentence, same voice: find the shift (the fixture may start later) and check that it is the same reading.
        hop = fixture_hz // 200
        a = np.array([np.sqrt(np.mean(ours[k:k + hop] ** 2)) for k in range(0, n - hop, hop)])
        b = np.array([np.sqrt(np.mean(fixture[k:k + hop].astype(float) ** 2)) for k in range(0, n - hop, hop)])
        best = max(range(-160, 161), key=lambda s: np.corrcoef(a[max(0, -s):len(a) - max(0, s)], b[max(0, s):len(b) - max(0, -s)])[0, 1])
        r = np.corrcoef(a[max(0, -best):len(a) - max(0, best)], b[max(0, best):len(b) - max(0, -best)])[0, 1]
        print(name, "envelope correlation %.3f, shift %.3f s, lengths %.3f %.3f" % (r, best / 200, len(ours) / fixture_hz, len(fixture) / fixture_hz))
        timed = with_times(words, kinds, events, samples, hz)
        for word in timed:
            word["start"] = round(word["start"] + best / 200, 3)
            word["end"] = round(word["end"] + best / 200, 3)
        result[name] = timed
    json.dump(result, open(out, "w"), indent=1)


def speak(sentences, out, sets):
    os.makedirs(out, exist_ok=True)
    truth = []
    flite = ["slt", "rms", "awb"]
    rows = [r.split("\t") for r in open(sentences).read().splitlines() if r and r[0] != "#"]
    rows = [r for r in rows if r[1] in sets]
    for i, (name, _, marked) in enumerate(rows):
        words, kinds = parse(marked)
        text = " ".join(words)
        path = f"{out}/{name}.wav"
        voice = flite[i % 4] if i % 4 < 3 else VOICES[(i // 4) % len(VOICES)]
        if i % 4 < 3:
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", path], check=True)
            samples, hz = read_wav(path)
            timed = [{"text": w, "kind": k} for w, k in zip(words, kinds)]
        else:
            samples, hz, events = espeak(text, voice)
            timed = with_times(words, kinds, events, samples, hz)
        data = resample(samples, hz) if hz != 16000 else samples.astype(np.float64)
        data = np.concatenate([np.zeros(4800), data, np.zeros(8000)])
        for word in timed:
            if "start" in word:
                word["start"], word["end"] = round(word["start"] + 0.3, 3), round(word["end"] + 0.3, 3)
        with wave.open(path, "wb") as w:
            w.setnchannels(1)
            w.setsampwidth(2)
            w.setframerate(16000)
            w.writeframes(np.clip(data, -32768, 32767).astype(np.int16).tobytes())
        truth.append({"file": f"{name}.wav", "voice": voice, "words": timed})
    json.dump(truth, open(f"{out}/truth.json", "w"), indent=1)
    print(len(truth), "sentences")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["lines", "speak"])
    parser.add_argument("--shared", default="../shared")
    parser.add_argument("--sentences", default="tests/models/data/personal.tsv")
    parser.add_argument("--sets", default="dev,held,last")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    if args.what == "lines":
        lines(args.shared, args.out)
    else:
        speak(args.sentences, args.out, args.sets.split(","))


if __name__ == "__main__":
    main()
