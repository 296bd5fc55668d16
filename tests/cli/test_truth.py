"""Whole runs on recordings whose text, words and metadata are known: none of it may be read, heard or found in the result.

Faces are covered, so that no stand-in has to be drawn: what is tested here does not depend on them. The same measures are taken on the
recordings themselves, where they must find nearly everything, so that a blind measure does not pass for a good result.
"""
import json, os, shutil, subprocess, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'bench'))
import measure
from checks import bad, check, ffmpeg

MMDM = os.environ['MMDM_BIN']
SHARED = Path(os.environ.get('MMDM_SHARED', ROOT / '../shared')) / 'data'
TRUTH = ROOT / 'tests/stages/data'
SECRETS = {'title': 'Holiday of the Okafors', 'artist': 'Margaret Hollis', 'comment': 'serial-QX77812', 'location': '+52.5200+013.4050/', 'make': 'Dashmaker', 'creation_time': '2021-03-04T21:37:10'}


def mmdm(*arguments, codes=(0,)):
    done = subprocess.run([MMDM, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode not in codes:
        sys.exit(f'mmdm {arguments[0]}: exit {done.returncode}\n{done.stdout}\n{done.stderr}')


def recordings(folder):
    """The dashcam clips with metadata put into them, and the espeak lines with a picture put beside them. -> {sha256: name}"""
    names = []
    given = [a for k, v in SECRETS.items() for a in ('-metadata', f'{k}={v}')]
    for name in sorted(json.load(open(TRUTH / 'dashcam_text.json'))):
        ffmpeg('-i', SHARED / 'clips' / name, '-map', '0', '-c', 'copy', *given, '-movflags', 'use_metadata_tags', folder / name)
        names.append(name)
    for line in sorted(json.load(open(TRUTH / 'espeak_words.json'))):
        ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=5', '-i', SHARED / f'speech/espeak_pii_{line}.wav', '-shortest', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'flac', *given, folder / f'{line}.mkv')
        names.append(f'{line}.mkv')
    return names


def cover_everyone(plan):
    text = json.load(open(plan))
    for person in text['persons']:
        person['action'] = 'cover'
    json.dump(text, open(plan, 'w'), indent=1)


def main():
    for need in (SHARED / 'clips', SHARED / 'speech'):
        if not need.exists():
            print(f'skipped: {need} is not there')
            return 77
    if not measure.have('ffmpeg') or not measure.have('ffprobe'):
        print('skipped: needs ffmpeg and ffprobe')
        return 77
    keep = os.environ.get('TRUTH_KEEP')
    work = Path(keep or tempfile.mkdtemp(prefix='mmdm-truth-'))
    out = work / 'out'
    if not (keep and out.exists()):
        (work / 'in').mkdir(parents=True)
        recordings(work / 'in')
        mmdm('analyze', work / 'in', '-o', out, '--keep', 'speech', '--seed', 3)
        cover_everyone(out / 'private/plan.json')
        mmdm('apply', '-o', out, '--keep-work', codes=(0, 3))
    results = {}
    for clip in sorted((out / 'private/work').glob('clip-*')):
        results[Path(json.load(open(clip / 'clip.json'))['source']['path']).name] = clip
    check(len(results) == 8, f'{len(results)} of 8 recordings have a work folder')

    words = json.load(open(TRUTH / 'dashcam_words.json'))
    words.update({f'{k}.mkv': v for k, v in json.load(open(TRUTH / 'espeak_words.json')).items()})
    all_sums = {'dashcam': [0.0] * 4, 'lines': [0.0] * 4}
    for name, clip in results.items():
        source, result = str(work / 'in' / name), str(clip / 'masked.mp4')
        check(os.path.exists(result), f'{name}: has a result')
        evidence = json.load(open(clip / 'evidence.json'))
        check(evidence['pass'], f"{name}: delivered ({', '.join(r['code'] for r in evidence['reasons']) or 'no reason against it'})")
        sums = measure.silenced(source, result, words[name])
        total = all_sums['lines' if name.endswith('.mkv') else 'dashcam']
        total[:] = [a + b for a, b in zip(total, sums)]
        share = 100 * sums[0] / sums[1] if sums[1] else 100.0
        check(share >= 95, f'{name}: {share:.1f} % of the personal time is silent, {sums[2]:.2f} of {sums[3]:.2f} s of the rest')
        found = measure.tags(source, SECRETS.values())
        left = measure.tags(result, SECRETS.values())
        check(len(found) >= 4, f'{name}: {len(found)} of {len(SECRETS)} tags put into the recording can be seen there')
        check(not left, f'{name}: source tags in the result: {", ".join(left) or "none"}' + ('' if measure.have('exiftool') else ' (no exiftool here: ffprobe and the bytes only)'))
    for kind, sums in all_sums.items():
        check(sums[0] >= .95 * sums[1], f'{kind}: {100 * sums[0] / sums[1]:.1f} % of personal time silent')
        check(sums[2] <= .02 * sums[3], f'{kind}: {100 * sums[2] / sums[3]:.1f} % of other speech silent ({sums[2]:.2f} of {sums[3]:.2f} s)')

    for name, truth in json.load(open(TRUTH / 'dashcam_text.json')).items():
        source, result = str(work / 'in' / name), str(results[name] / 'masked.mp4')
        found, total, _ = measure.matched(truth, results[name])
        check(found >= .9 * total, f'{name}: PP-OCR reads {found} of {total} true strings in the recording')
        left, total, readings = measure.read_by_ppocr(MMDM, result, truth, work / 'again')
        check(left == 0, f'{name}: PP-OCR reads {left} of {total} in the result (all it reads there: {readings})')
        if not measure.have('tesseract'):
            print(f'      {name}: no tesseract here, not tried')
            continue
        frames = (12, 112)
        found, total = measure.read_by_tesseract(source, truth, frames, work)
        check(found >= .9 * total, f'{name}: tesseract reads {found} of {total} true strings in frames of the recording')
        left, total = measure.read_by_tesseract(result, truth, frames, work)
        check(left == 0, f'{name}: tesseract reads {left} of {total} in the result')
    if not keep:
        shutil.rmtree(work, ignore_errors=True)
    print(f'{len(bad)} wrong')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
