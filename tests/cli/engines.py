"""What the tests of engines share: a planned job of small recordings for the command with stand-in stages, and its dataset alone."""
import hashlib
import os
import pathlib
import subprocess
import sys

BUILD = pathlib.Path(os.environ['MMDM_BIN']).resolve().parent
MMDM = BUILD / 'tests' / 'mmdm_doubles'


def skip(why):
    print('skipped:', why)
    sys.exit(77)


def mmdm(*words, code=0, **more):
    done = subprocess.run([str(MMDM), *map(str, words)], capture_output=True, text=True, **more)
    if done.returncode != code:
        sys.exit(f'mmdm {" ".join(map(str, words))}: exit {done.returncode}, expected {code}: {done.stderr}')
    return done


def recordings(folder, count):
    folder.mkdir()
    for n in range(count):
        who = 'abcdefghij'[n % 10]
        (folder / f'{n}.mp4').write_text(f'faces 1\nwho {who}\nage 20-29\n# {"x" * (n * 7 % 400)}{n}\n' +
                                         ('retry 1\n' if n == 5 else ''))


def content(out):
    dataset = out / 'dataset'
    return {str(p.relative_to(dataset)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(dataset.rglob('*')) if p.is_file()}


def compare(alone, shared, clips):
    """The dataset of many is that of one, whole."""
    mmdm('merge', '-o', shared, '-q')
    want, got = content(alone), content(shared)
    assert want == got, f'differs: {[n for n in want.keys() | got.keys() if want.get(n) != got.get(n)]}'
    assert sum(name.endswith('.mp4') for name in got) == clips
    assert not (shared / 'private' / 'work').exists()
