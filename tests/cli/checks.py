"""What the end-to-end tests of the command share: told checks, and ffmpeg to make recordings with."""
import subprocess

bad = []  # what was wrong, in order


def check(ok, words):
    print(('ok    ' if ok else 'WRONG ') + words, flush=True)
    if not ok:
        bad.append(words)


def ffmpeg(*arguments):
    subprocess.run(['ffmpeg', '-v', 'error', '-y', *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)
