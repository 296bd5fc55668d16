"""The manifest of `mmdm submit k8s` against the published schemas of Kubernetes, and the index logic by the environment that an Indexed
Job gives its pods: each pod's part, a pod that is killed and its successor, the merged dataset."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import engines

try:
    import kubernetes_validate
    import yaml
except ImportError:
    engines.skip('kubernetes-validate is not installed (./setup python)')

CLIPS = 12


def check_manifest(text):
    job = yaml.safe_load(text)
    for version in ['1.33', kubernetes_validate.latest_version()]:
        kubernetes_validate.validate(job, version, strict=True)
    spec = job['spec']
    assert spec['completionMode'] == 'Indexed' and spec['completions'] == spec['parallelism']
    rules = spec['podFailurePolicy']['rules']
    codes = {code: rule['action'] for rule in rules if 'onExitCodes' in rule for code in rule['onExitCodes']['values']}
    assert codes == {75: 'Ignore', 2: 'FailIndex', 65: 'FailIndex', 78: 'FailIndex'}, codes
    bad = yaml.safe_load(text)
    bad['spec']['podFailurePolicy']['rules'][0]['actoin'] = 'Ignore'
    try:
        kubernetes_validate.validate(bad, '1.33', strict=True)
    except kubernetes_validate.ValidationError:
        return job
    sys.exit('a misspelt manifest passes the schema: it checks nothing')


def main():
    at = pathlib.Path(tempfile.mkdtemp(prefix='mmdm-k8s-'))
    try:
        engines.recordings(at / 'in', CLIPS)
        engines.mmdm('run', at / 'in', '-o', at / 'alone', '-q')
        engines.mmdm('plan', at / 'in', '-o', at / 'out', '-q')
        job = check_manifest(engines.mmdm('submit', 'k8s', '-o', at / 'out', '--print', '--task', '60', '--pace', '40',
                                          '--image', 'registry.example/mmdm:1').stdout)
        container = job['spec']['template']['spec']['containers'][0]
        count = job['spec']['completions']
        assert 1 < count < CLIPS, count
        given = {entry['name']: entry['value'] for entry in container['env']}

        def pod(index, milliseconds):
            environment = {**os.environ, **given, 'JOB_COMPLETION_INDEX': str(index),
                           'MMDM_DOUBLE_MS': str(milliseconds)}
            return subprocess.Popen(container['command'], env=environment, stderr=subprocess.DEVNULL)

        # The first pod's node goes away in the middle; the second is moved (SIGTERM), which counts as no failure.
        lost, moved = pod(0, 150), pod(1, 150)
        time.sleep(1)
        lost.kill()
        moved.send_signal(signal.SIGTERM)
        lost.wait()
        assert moved.wait() == 75
        for index in range(count):
            assert pod(index, 0).wait() == 0
        assert pod(count, 0).wait() == 2  # no such index: will not get better
        engines.compare(at / 'alone', at / 'out', CLIPS)
        print(f'{count} pods, the dataset is the same')
    finally:
        shutil.rmtree(at, ignore_errors=True)


main()
