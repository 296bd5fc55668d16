"""A real Slurm on this machine (slurmctld and four slurmd): the script of `mmdm submit slurm` over 40 recordings, with a node lost and a
task that runs out of time and queues itself again. The merged dataset has the bytes of one process alone."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import engines

CLIPS, NODES = 40, 4

CONF = '''ClusterName=mmdm
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmctldPidFile={at}/ctld.pid
SlurmdPidFile={at}/%n.pid
SlurmctldLogFile={at}/ctld.log
SlurmdLogFile={at}/%n.log
AuthType=auth/munge
AuthInfo=socket={at}/munge.socket,cred_expire=5
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool-%n
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdTimeout=10
MessageTimeout=30
JobRequeue=1
MpiDefault=none
{nodes}
PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=INFINITE
'''


def free_ports(count):
    holders = [socket.socket() for _ in range(count)]
    for holder in holders:
        holder.bind(('127.0.0.1', 0))
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


class Slurm:
    """The daemons, and what to ask them."""

    def __init__(self, at):
        self.at, self.daemons = at, {}
        ports = free_ports(NODES + 1)
        host = socket.gethostname()
        nodes = '\n'.join(f'NodeName=n{n} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[n]} CPUs=2 RealMemory=20000'
                          for n in range(1, NODES + 1))
        for folder in ['state', *(f'spool-n{n}' for n in range(1, NODES + 1))]:
            (at / folder).mkdir()
        (at / 'slurm.conf').write_text(CONF.format(host=host, port=ports[0], at=at, nodes=nodes))
        os.environ['SLURM_CONF'] = str(at / 'slurm.conf')
        key = at / 'munge.key'
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.start('munged', 'munged', '--foreground', '--force', f'--key-file={key}', f'--socket={at}/munge.socket',
                   f'--pid-file={at}/munge.pid', f'--seed-file={at}/munge.seed', f'--log-file={at}/munge.log')
        self.wait(lambda: (at / 'munge.socket').exists(), 'munged')
        self.start('ctld', 'slurmctld', '-D', '-f', str(at / 'slurm.conf'))
        for n in range(1, NODES + 1):
            self.start_node(n)
        self.wait(lambda: self.ask('sinfo', '-h', '-N', '-o', '%T').split().count('idle') == NODES, 'four idle nodes', 40)

    def start(self, name, *command):
        with open(self.at / f'{name}.out', 'ab') as log:
            self.daemons[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def start_node(self, n):
        self.start(f'n{n}', 'slurmd', '-D', '-f', str(self.at / 'slurm.conf'), '-N', f'n{n}')

    def ask(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.stdout

    def wait(self, what, name, seconds=120):
        end = time.time() + seconds
        while not what():
            if time.time() > end:
                sys.exit(f'{name}: not within {seconds} s\n{self.ask("squeue")}{self.ask("sinfo", "-N")}' +
                         ''.join(p.read_text(errors='replace')[-600:] for p in [*self.at.glob('*.log'), *self.at.glob('*.out')]))
            time.sleep(0.3)

    def stop(self):
        for daemon in self.daemons.values():
            if daemon.poll() is None:
                daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()


def tasks_of(node):
    """Processes that run on a node: Slurm's steps first, which would report the others' end, then scripts and commands."""
    found, steps = [], []
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if f'SLURMD_NODENAME={node}'.encode() in (path / 'environ').read_bytes().split(b'\0'):
                found.append(int(path.name))
                parent = re.search(r'PPid:\s+(\d+)', (path / 'status').read_text()).group(1)
                if 'slurmstepd' in pathlib.Path('/proc', parent, 'comm').read_text():
                    steps.append(int(parent))
        except OSError:
            pass
    return sorted(set(steps)) + [pid for pid in found if pid not in steps]


def main():
    for need in ['munged', 'slurmctld', 'slurmd', 'sbatch']:
        if not shutil.which(need, path=os.environ['PATH'] + ':/usr/sbin'):
            engines.skip(f'{need} is not installed (./setup check)')
    if os.getuid() != 0:
        engines.skip("Slurm's daemons are started by root here")
    os.environ['PATH'] += ':/usr/sbin'
    at = pathlib.Path(tempfile.mkdtemp(prefix='mmdm-slurm-'))
    at.chmod(0o755)
    slurm = None
    try:
        engines.recordings(at / 'in', CLIPS)
        os.environ['MMDM_DOUBLE_MS'] = '0'
        engines.mmdm('run', at / 'in', '-o', at / 'alone', '-q')
        engines.mmdm('plan', at / 'in', '-o', at / 'out', '-q')
        slurm = Slurm(at)
        # Tasks of a minute by the estimate; eight in all.
        text = engines.mmdm('submit', 'slurm', '-o', at / 'out', '--print', '--task', '60', '--pace', '30').stdout
        count = int(re.search(r'--array=0-(\d+)', text).group(1)) + 1
        assert 2 <= count <= CLIPS, text
        # A task needs 70 s and is given 60, and told before they are over.
        for given, here in [('--shard auto', '--shard auto --lease 5'), ('--mem=6G', '--mem=100M'),
                            ('--signal=B:USR1@120', '--signal=B:USR1@30')]:
            assert given in text, text
            text = text.replace(given, here)
        text = re.sub('--time=[0-9:]+', '--time=1', text)
        (at / 'job.sbatch').write_text(text)
        os.environ['MMDM_DOUBLE_MS'] = '3500'
        job = slurm.ask('sbatch', '--parsable', f'--output={at}/task-%a.log', f'--chdir={at}',
                        str(at / 'job.sbatch')).strip()
        assert job.isdigit(), job
        claims = at / 'out' / 'private' / 'claims'
        slurm.wait(lambda: len(list(claims.glob('*.done'))) >= 3, 'the first clips')
        # A node is lost: its daemon and everything it runs.
        lost = next(n for n in range(1, NODES + 1) if len(tasks_of(f'n{n}')) > 1)
        slurm.daemons[f'n{lost}'].kill()
        slurm.daemons[f'n{lost}'].wait()
        gone = tasks_of(f'n{lost}')
        for pid in gone:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        slurm.wait(lambda: 'down' in slurm.ask('sinfo', '-h', '-n', f'n{lost}', '-o', '%T'), 'the lost node noticed')
        slurm.start_node(lost)
        slurm.wait(lambda: not slurm.ask('squeue', '-h', '-j', job).strip(), 'the end of the array', 600)
        logs = {path.name: path.read_text() for path in at.glob('task-*.log')}
        stopped = sum('the same command goes on from here' in text for text in logs.values())
        again = sum('CANCELLED' in text or 'requeue' in text for text in logs.values())
        print(f'{count} tasks, node n{lost} lost with {len(gone)} processes; {stopped} stopped at their time and queued '
              f'themselves again, {again} tasks queued again in all')
        assert stopped > 0, logs
        os.environ['MMDM_DOUBLE_MS'] = '0'
        engines.compare(at / 'alone', at / 'out', CLIPS)
        print('the dataset is the same')
    finally:
        if slurm:
            slurm.stop()
        shutil.rmtree(at, ignore_errors=True)


main()
