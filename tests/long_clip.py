"""A clip of half an hour runs in the memory of one of two minutes: video and speech in a loop, the whole job, peak memory of its largest process.

Usage: long_clip.py MMDM [MINUTES]. Status 77: skipped. Run by `./check --full`; half an hour takes about as long on two cores.
"""
import os, shutil, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VIDEO = ROOT / '.deps/clips/cap13_edit2.mp4'
SPEECH = ROOT.parent / 'shared/data/speech/austen-0870.wav'
SHORT = 2           # minutes
GROWTH = 1.25       # times the short clip's peak
LIMIT = 2 << 30     # bytes, of any clip


def loop(out, minutes):
    """VIDEO over and over, with SPEECH over and over where it is there."""
    sound = ['-stream_loop', '-1', '-i', SPEECH, '-map', '0:v', '-map', '1:a', '-c:a', 'aac', '-b:a', '64k'] if SPEECH.exists() else []
    subprocess.run(['ffmpeg', '-v', 'error', '-stream_loop', '-1', '-i', VIDEO, *sound, '-t', str(60 * minutes), '-c:v', 'copy', out],
                   check=True, stdin=subprocess.DEVNULL)


def peak(mmdm, clip, out):
    """Bytes that the largest process of the job held."""
    began = time.time()
    job = subprocess.Popen([mmdm, 'run', clip, '-o', out, '--keep', 'age,gender,head_pose,mouth,speech', '--seed', '7'],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    words = job.stderr.read()
    _, status, used = os.wait4(job.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f'{clip.name}: exit status {os.waitstatus_to_exitcode(status)}, expected 0\n{words[-2000:]}')
    print(f'{clip.name}: {used.ru_maxrss / 1024:.0f} MiB at most, {time.time() - began:.0f} s', flush=True)
    return used.ru_maxrss * 1024


def main():
    mmdm, minutes = Path(sys.argv[1]).resolve(), float(sys.argv[2]) if len(sys.argv) > 2 else 30
    if not VIDEO.exists() or not shutil.which('ffmpeg'):
        print('skipped: needs .deps/clips/cap13_edit2.mp4 and ffmpeg')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as work:
        peaks = []
        for length in SHORT, minutes:
            clip = Path(work) / f'{length:g}-minutes.mp4'
            loop(clip, length)
            peaks.append(peak(mmdm, clip, Path(work) / f'out-{length:g}'))
    if peaks[1] > LIMIT or peaks[1] > GROWTH * peaks[0]:
        sys.exit(f'memory is not flat: {peaks[1] >> 20} MiB, {GROWTH} times {peaks[0] >> 20} MiB or {LIMIT >> 20} MiB allowed')


main()
