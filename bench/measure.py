"""What can still be read, heard or found out from a finished recording: measured on the file itself, with ffmpeg, tesseract, exiftool and `mmdm find`.

Used by bench/run and tests/cli/test_truth.py. Truth: tests/stages/data/*_text.json (kind, text, box, frames) and *_words.json (text, start,
end, kind; kind is null where nothing is personal).
"""
import array, json, os, re, shutil, subprocess
from pathlib import Path

SILENT = 1e-4   # of full scale: 80 dB down; what is cut is digital silence, at most 3e-5 after the encoder, and a masked voice has moments of 1e-4 to 1e-3
AUDIBLE = 3e-3  # 50 dB down: quieter moments of the recording (closures of stops) count as no speech
FOLD = str.maketrans('OQDILSZBG', '000115286')  # signs that readers take for each other


def have(tool):
    return shutil.which(tool) is not None


def plain(text):
    return re.sub('[^A-Z0-9]', '', text.upper()).translate(FOLD)


def readable(truth, reading, run=4):
    """Whether four signs of the true string in a row (or all of a shorter one) stand in what a reader made of the picture."""
    truth, reading = plain(truth), plain(reading)
    run = min(run, len(truth))
    return run > 0 and any(truth[i:i + run] in reading for i in range(len(truth) - run + 1))


def frame(video, number, out, box=None, scale=1):
    """Frame `number` as PNG, or box (x, y, w, h) of it."""
    steps = [f'select=eq(n\\,{number})']
    if box:
        x, y, w, h = (max(0, v) for v in box)
        steps.append(f'crop=min({w}\\,iw-{x}):min({h}\\,ih-{y}):{x}:{y}')
    if scale != 1:
        steps.append(f'scale=iw*{scale}:ih*{scale}:flags=lanczos')
    subprocess.run(['ffmpeg', '-v', 'error', '-y', '-i', video, '-vf', ','.join(steps), '-frames:v', '1', out], check=True, stdin=subprocess.DEVNULL)


def tesseract(picture, mode):
    env = dict(os.environ, OMP_THREAD_LIMIT='1')
    done = subprocess.run(['tesseract', picture, 'stdout', '--psm', str(mode)], capture_output=True, text=True, errors='replace', env=env, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError('tesseract: ' + done.stderr.strip())
    return done.stdout


def read_by_tesseract(video, truth, frames, work):
    """Of the true strings at these frames, how many tesseract reads, and how many there are. Each is looked at twice: the strip that holds them,
    three times as large, and the string's own box."""
    found = total = 0
    for number in frames:
        here = [t for t in truth if t['frames'][0] <= number <= t['frames'][1]]
        if not here:
            continue
        x0, y0 = (min(t['box'][k] for t in here) - 8 for k in (0, 1))
        x1, y1 = (max(t['box'][k] + t['box'][k + 2] for t in here) + 8 for k in (0, 1))
        picture = str(Path(work) / 'strip.png')
        frame(video, number, picture, (x0, y0, x1 - x0, y1 - y0), 3)
        strip = tesseract(picture, 6)
        for t in here:
            seen = readable(t['text'], strip)
            if not seen:
                x, y, w, h = t['box']
                frame(video, number, picture, (x - 4, y - 2, w + 8, h + 4), 3)
                seen = readable(t['text'], tesseract(picture, 7))
            found += seen
            total += 1
    return found, total


def matched(truth, folder):
    """Of the true strings, how many PP-OCR read, how many there are, and all it read: of a work folder that `mmdm find` has been through."""
    readings = [r for region in json.load(open(Path(folder) / 'tracks.json'))['regions'] for r in region['readings']]
    texts = {t['text'] for t in truth}
    return sum(any(readable(t, r) for r in readings) for t in texts), len(texts), readings


def read_by_ppocr(mmdm, video, truth, work):
    """The same of any video, as if it were a recording."""
    folder = str(work)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for arguments in (['ingest', folder, str(video)], ['find', folder]):
        done = subprocess.run([mmdm, *arguments, '--plates', 'blur', '--text', 'blur'], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f'mmdm {arguments[0]}: ' + done.stderr.strip())
    return matched(truth, folder)


def levels(recording, rate=16000, step=0.01):
    """Loudness (0..1) of each hundredth of a second."""
    data = subprocess.run(['ffmpeg', '-v', 'error', '-i', recording, '-map', '0:a:0', '-af', 'aresample=async=1:first_pts=0', '-ac', '1', '-ar', str(rate), '-f', 's16le', '-'], capture_output=True,
                          check=True, stdin=subprocess.DEVNULL).stdout
    samples = array.array('h')
    samples.frombytes(data[:len(data) // 2 * 2])
    hop = int(rate * step)
    return [(sum(v * v for v in samples[i:i + hop]) / hop) ** .5 / 32768 for i in range(0, len(samples) - hop + 1, hop)]


def silenced(source, result, words, step=0.01):
    """-> [personal time that is silent in the result, personal time, other words' time newly silent, other words' time]; seconds."""
    before, after = levels(source), levels(result)
    sums = [0.0, 0.0, 0.0, 0.0]
    for word in words:
        personal = word['kind'] is not None
        for k in range(round(word['start'] / step), round(word['end'] / step)):
            if k >= len(before) or before[k] < AUDIBLE:
                continue
            sums[1 if personal else 3] += step
            sums[0 if personal else 2] += step if k >= len(after) or after[k] < SILENT else 0
    return sums


def tags(recording, secrets):
    """Which of the secrets (strings of the source's metadata) ffprobe or exiftool show, or the file's bytes hold."""
    said = subprocess.run(['ffprobe', '-v', 'error', '-show_format', '-show_streams', '-show_chapters', '-show_programs', recording], capture_output=True, text=True, errors='replace').stdout
    if have('exiftool'):
        said += subprocess.run(['exiftool', '-a', '-u', '-G1', '-ee', '-api', 'largefilesupport=1', recording], capture_output=True, text=True, errors='replace').stdout
    raw = Path(recording).read_bytes()
    return [s for s in secrets if s in said or s.encode() in raw]


def source_tags(recording):
    """Values of the recording's metadata that could tell where it comes from: not the brands, handlers and encoders that all files have."""
    common = {'major_brand', 'minor_version', 'compatible_brands', 'language', 'handler_name', 'vendor_id', 'encoder', 'encoded_by'}
    done = subprocess.run(['ffprobe', '-v', 'error', '-of', 'json', '-show_format', '-show_streams', '-show_chapters', recording], capture_output=True, text=True, errors='replace')
    found = json.loads(done.stdout or '{}')
    values = set()
    for part in [found.get('format', {}), *found.get('streams', []), *found.get('chapters', [])]:
        values |= {str(v) for k, v in part.get('tags', {}).items() if k.lower() not in common and len(str(v)) > 3}
    return sorted(values)
