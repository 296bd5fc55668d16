"""A real Ray on this machine: the program of `mmdm submit ray` with two actors, of which one's worker and one's whole process are killed.
The merged dataset has the bytes of one process alone."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import engines

try:
    import pandas  # noqa: F401, which Ray Data needs
    import ray  # noqa: F401
except ImportError:
    engines.skip('ray is not installed (./setup python)')

CLIPS = 16


def processes(word):
    """Process ids whose command line has this word."""
    found = []
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if word.encode() in (path / 'cmdline').read_bytes():
                found.append(int(path.name))
        except OSError:
            pass
    return found


def parent(pid):
    return int(re.search(r'PPid:\s+(\d+)', pathlib.Path('/proc', str(pid), 'status').read_text()).group(1))


def commands(word):
    """The `mmdm worker` of each actor, without the processes of their clips."""
    found = [pid for pid in processes(word) if b'--stdio' in pathlib.Path('/proc', str(pid), 'cmdline').read_bytes()]
    return [pid for pid in found if parent(pid) not in found]


def main():
    at = pathlib.Path(tempfile.mkdtemp(prefix='mmdm-ray-'))
    program = None
    try:
        engines.recordings(at / 'in', CLIPS)
        engines.mmdm('run', at / 'in', '-o', at / 'alone', '-q')
        engines.mmdm('plan', at / 'in', '-o', at / 'out', '-q')
        text = engines.mmdm('submit', 'ray', '-o', at / 'out', '--print', '--task', '60', '--pace', '18').stdout
        assert '@' not in text, text
        (at / 'clips.py').write_text(text.replace('ray.init(', 'ray.init(num_cpus=4, include_dashboard=False, '
                                              '_node_ip_address="127.0.0.1", '))
        environment = {**os.environ, 'MMDM_DOUBLE_MS': '1500', 'RAY_DATA_DISABLE_PROGRESS_BARS': '1', 'RAY_AUTH_MODE': 'disabled',
                       'RAY_raylet_start_wait_time_s': '200'}
        claims = at / 'out' / 'private' / 'claims'
        word = str(at / 'out')
        started = lambda: len(list(claims.glob('*.done'))) >= 2
        for _ in range(3):  # a busy machine may be too slow for Ray's own patience
            with open(at / 'log', 'w') as log:
                program = subprocess.Popen([sys.executable, str(at / 'clips.py')], env=environment, stdout=log, stderr=log)
            end = time.time() + 300
            while not started() and program.poll() is None and time.time() < end:
                time.sleep(0.2)
            if program.poll() is None:
                break
        assert program.poll() is None and started(), (at / 'log').read_text()[-3000:]
        end = time.time() + 120
        while len(workers := commands(word)) < 2 and time.time() < end:  # the pool of actors grows
            time.sleep(0.2)
        assert len(workers) == 2, workers
        os.kill(parent(workers[0]), signal.SIGKILL)  # an actor: its command ends when its input does
        time.sleep(0.5)
        os.kill(workers[1], signal.SIGKILL)  # a command: its actor ends
        try:
            code = program.wait(400)
        except subprocess.TimeoutExpired:
            code = 'none'
        said = (at / 'log').read_text()
        assert code == 0 and f'{CLIPS} clips, 0 failed' in said, (code, said[-3000:])
        engines.compare(at / 'alone', at / 'out', CLIPS)
        print('an actor and a worker killed, the dataset is the same')
    finally:
        if program and program.poll() is None:
            program.kill()
        shutil.rmtree(at, ignore_errors=True)


main()
