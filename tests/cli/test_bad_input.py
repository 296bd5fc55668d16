"""Recordings that cannot be used, and machines that cannot hold the result: each is named with what is wrong and what to do, the exit code is
right, the other recordings come out as if they had been alone, and what was lost to a full disk is made when there is room.

The one face is covered (--exclude-person), so that no stand-in has to be drawn.
"""
import hashlib, json, os, resource, shutil, signal, subprocess, sys, tempfile
from pathlib import Path

from checks import bad, check, ffmpeg

ROOT = Path(__file__).resolve().parent.parent.parent
MMDM = os.environ['MMDM_BIN']
FACE = ROOT / '.deps/clips/cap13_edit2.mp4'
COVER = ('--exclude-person', 'person-01')


def run(out, *inputs, before=(), options=(), setup=None):
    """-> exit code, everything said"""
    done = subprocess.run([*before, MMDM, 'run', *map(str, inputs), '-o', str(out), '--seed', '3', *options], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, preexec_fn=setup)
    return done.returncode, done.stdout + done.stderr


def videos(out):
    """Checksums of the recordings that were delivered."""
    return sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in (out / 'dataset').rglob('*.mp4')) if (out / 'dataset').exists() else []


def says(said, name, *words):
    """A line names the file, one says what is wrong, and one what to do."""
    low = said.lower()
    return name in said and all(any(w in low for w in choice.split('|')) for choice in words)


def scramble(path, start, end):
    data = bytearray(path.read_bytes())
    for i in range(int(len(data) * start), int(len(data) * end), 7):
        data[i] = (data[i] * 31 + i) & 255
    path.write_bytes(data)


def main():
    if shutil.which('ffmpeg') is None or not FACE.exists():
        print('skipped: needs ffmpeg and .deps/clips/cap13_edit2.mp4')
        return 77
    work = Path(tempfile.mkdtemp(prefix='mmdm-bad-'))
    work.chmod(0o755)
    try:
        matrix(work)
        disk(work)
        large(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f'{len(bad)} wrong')
    return 1 if bad else 0


def matrix(work):
    given = work / 'in'
    given.mkdir()
    scene = ('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=10')
    x264 = ('-c:v', 'libx264', '-preset', 'ultrafast')
    ffmpeg('-ss', 3, '-i', FACE, '-t', .6, *x264, '-an', given / 'good.mp4')
    code, said = run(work / 'alone', given / 'good.mp4', options=COVER)
    alone = videos(work / 'alone')
    check(code == 0 and len(alone) == 1, f'the good recording alone: exit {code}, {len(alone)} delivered')

    # Usable, though odd: all of these are delivered.
    ffmpeg(*scene, '-t', 1, *x264, given / 'noface.mp4')
    ffmpeg(*scene, '-frames:v', 1, *x264, given / 'oneframe.mp4')
    shutil.copy(given / 'noface.mp4', given / 'wrong.avi')
    scramble(given / 'wrong.avi', .999, 1)  # not the same bytes twice
    ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-t', 4, *x264, '-g', 10, given / 'corrupted.mkv')
    scramble(given / 'corrupted.mkv', .4, .45)
    ffmpeg('-f', 'lavfi', '-i', 'smptebars=size=320x240:rate=25,noise=alls=20:allf=t', '-t', 3, *x264, given / 'cut.mkv')
    whole = (given / 'cut.mkv').read_bytes()
    (given / 'cut.mkv').write_bytes(whole[:len(whole) * 2 // 3])

    # Not usable.
    (given / 'empty.mp4').write_bytes(b'')
    (given / 'noise.mp4').write_bytes(bytes((i * i * 31 + i // 7) & 255 for i in range(40000)))
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=10', '-t', 1, *x264, work / 'whole.mp4')
    whole = (work / 'whole.mp4').read_bytes()
    (given / 'noindex.mp4').write_bytes(whole[:len(whole) // 2])
    ffmpeg('-f', 'lavfi', '-i', 'sine=440', '-t', 1, given / 'audio.m4a')
    refused = {'empty.mp4': ('empty',), 'noise.mp4': ('not a|no video|cannot|invalid',), 'noindex.mp4': ('index|cut|incomplete|moov|truncated',), 'audio.m4a': ('no video|no picture|audio only|only audio',)}
    remedy = 'again|try|use|leave|copy|remux|record|convert|give|remove|check|repair'
    first = None
    for name, words in refused.items():
        code, said = run(work / 'single', given / name)
        check(code == 65 and says(said, name, *words, remedy), f'{name} alone: exit {code}; says: {said.strip()[-300:]}')
        check(not videos(work / 'single'), f'{name} alone: nothing delivered')
        shutil.rmtree(work / 'single', ignore_errors=True)

    locked = given / 'locked.mp4'
    shutil.copy(given / 'noface.mp4', locked)
    scramble(locked, .999, 1)
    locked.chmod(0)
    nobody = dict(before=())
    if os.geteuid() == 0:  # root reads everything: as somebody else, if there is a way
        nobody['before'] = ('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')
        (work / 'nobody').mkdir()
        os.chown(work / 'nobody', 65534, 65534)
        works = shutil.which('setpriv') and subprocess.run([*nobody['before'], MMDM, 'version'], capture_output=True).returncode == 0
    else:
        works = True
        (work / 'nobody').mkdir()
    if works:
        code, said = run(work / 'nobody/out', locked, **nobody)
        check(code == 65 and says(said, 'locked.mp4', 'permission|may not be read|cannot be read|not readable', 'chmod|permission|read'), f'unreadable file: exit {code}; says: {said.strip()[-300:]}')
    else:
        print('      unreadable file: skipped, there is no other user who can run mmdm here')
    locked.unlink()

    code, said = run(work / 'all', given, options=COVER)
    check(code == 3, f'everything together: exit {code}')
    for name, words in refused.items():
        check(name in said, f'everything together: {name} is named')
    report = (work / 'all/dataset')
    rows = [json.loads(l) for part in report.glob('*/metadata.jsonl') for l in part.read_text().splitlines()]
    check(len(videos(work / 'all')) == 6 and len(rows) == 6, f'everything together: {len(videos(work / "all"))} files and {len(rows)} rows of 6 usable recordings; {said.strip()[-600:] if len(rows) != 6 else ""}')
    check(alone and alone[0] in videos(work / 'all'), 'everything together: the good recording has the same bytes as alone')
    tail = [p for p in (work / 'all').rglob('*') if p.name.endswith('.part') or '.tmp' in p.name]
    check(not tail, f'everything together: nothing half-written is left ({tail[:3]})')


def small_disk(size):
    """A way to run a command that sees an own file system of that size at its last argument; None where that is not allowed."""
    for how in (['unshare', '-m'], ['unshare', '-rm']):
        if shutil.which('unshare') and subprocess.run([*how, 'sh', '-c', f'mount -t tmpfs -o size={size} x /mnt'], capture_output=True).returncode == 0:
            return how
    return None


def disk(work):
    given = work / 'disk'
    given.mkdir()
    for n in (1, 2):
        ffmpeg('-f', 'lavfi', '-i', f'smptebars=size=640x480:rate=10,noise=alls=30:allf=t:all_seed={n}', '-t', 2, '-c:v', 'libx264', '-preset', 'ultrafast', given / f'd{n}.mp4')
    code, said = run(work / 'd0', given)
    whole = videos(work / 'd0')
    check(code == 0 and len(whole) == 2, f'enough room: exit {code}, {len(whole)} delivered')

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, resource.RLIM_INFINITY))

    code, said = run(work / 'd1', given, setup=limit)
    check(code == 73 and says(said, '/disk/d', 'cannot write|could not be written|too large|no space|room'), f'no file over 100 kB: exit {code}; says: {said.strip()[-400:]}')
    check(not videos(work / 'd1'), 'no file over 100 kB: nothing half-made is delivered')
    code, said = run(work / 'd1', given)
    check(code == 0 and videos(work / 'd1') == whole, f'with room again: exit {code}, the same two files ({said.strip()[-300:] if code else ""})')

    how = small_disk('400k')
    if not how:
        print('      a full disk: skipped, no file system of our own can be mounted here')
        return
    script = 'mount -t tmpfs -o size=400k x "$1" && "$2" run "$3" -o "$1/out" --seed 3 --jobs 1; echo "exit $?"; mount -o remount,size=200m "$1"; ' \
             '"$2" run "$3" -o "$1/out" --seed 3 --jobs 1; echo "again $?"; find "$1/out/dataset" -name "*.mp4" -exec sha256sum {} +'
    (work / 'small').mkdir()
    done = subprocess.run([*how, 'sh', '-c', script, 'sh', str(work / 'small'), MMDM, str(given)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    said = done.stdout + done.stderr
    check('exit 73' in done.stdout or 'exit 3' in done.stdout, f'a full disk: {[l for l in done.stdout.splitlines() if l.startswith("exit")]}')
    check(any(w in said.lower() for w in ('no space', 'disk is full', 'make room', 'free')), f'a full disk is said: {done.stderr.strip()[:500]}')
    sums = sorted(l.split()[0] for l in done.stdout.splitlines() if l.endswith('.mp4') and len(l.split()[0]) == 64)
    check('again 0' in done.stdout and sums == whole, f'a full disk, then room: the same {len(sums)} files')


def large(work):
    given = work / 'large.mp4'
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=7680x4320:rate=5', '-frames:v', 3, '-c:v', 'libx264', '-preset', 'ultrafast', '-threads', 2, given)
    # The largest of all processes waited for so far, so this comes last and the command's workers count.
    watch = 'import resource, subprocess, sys; c = subprocess.run(sys.argv[1:]).returncode; print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024); sys.exit(c)'
    code, said = run(work / 'l', given, before=(sys.executable, '-c', watch))
    peak = [int(l.split()[1]) for l in said.splitlines() if l.startswith('peak')][0]
    if code == 0:
        check(peak < 4096 and len(videos(work / 'l')) == 1, f'8K: delivered, {peak} MiB at most in one process')
    else:
        check(code == 65 and says(said, 'large.mp4', '7680|too large') and peak < 1024, f'8K: exit {code}, {peak} MiB; says: {said.strip()[-300:]}')


if __name__ == '__main__':
    sys.exit(main())
