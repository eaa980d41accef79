"""A daemon of one's own for a test: its state directory, its client, and what a test asks of them."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from waiting import until

BUILD = pathlib.Path(os.environ['DECOY_BUILD'])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
DECOY = BUILD / 'client' / 'decoy'
WORKER = BUILD / 'daemon' / 'worker' / 'decoy-worker'
SHARED = SOURCE.parent / 'shared' / 'data'


class Running:
    """A started daemon. Short directory names: an ipc address has about 100 bytes."""

    def __init__(self, slots=2, **more):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='decoy-', dir='/tmp'))
        self.state = self.directory / 'state'
        self.environment = dict(os.environ, DECOY_STATE=str(self.state), DECOY_SLOTS=str(slots), **more)
        self('up')

    def __call__(self, *words, status=0, timeout=300):
        """The client's standard output; its exit status must be the expected one."""
        done = subprocess.run([DECOY, *map(str, words)], env=self.environment, text=True, cwd=self.directory,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
        assert done.returncode == status, f'decoy {words}: exit {done.returncode}, expected {status}\n{done.stdout}\n{done.stderr}'
        self.stderr = done.stderr
        return done.stdout

    def json(self, *words, **options):
        return json.loads(self(*words, '--json', **options))

    def submit(self, kind, *flags, **options):
        return int(self('submit', kind, *flags, **options).split()[-1])

    def row(self, job):
        return self.json('show', job)['job']

    def finish(self, kind, *flags, status=0, timeout=300):
        """Submits, waits for the end, and gives the row."""
        job = self.submit(kind, *flags)
        self('wait', job, status=status, timeout=timeout)
        return self.row(job)

    until = staticmethod(until)

    def kill_daemon(self):
        pid = self.json('status')['pid']
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: not pathlib.Path(f'/proc/{pid}').exists() or 'Z' in pathlib.Path(f'/proc/{pid}/stat').read_text().split()[2],
                   10, 'the end of decoyd')

    def close(self):
        subprocess.run([DECOY, 'down'], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60)
        shutil.rmtree(self.directory, ignore_errors=True)
