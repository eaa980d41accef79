"""decoyd for a long time under clients and workers that are killed at random: its memory and its descriptors stay bounded (promise E1).
A trial is a second."""
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import time

import pytest
from trial import SEED, say, trials

from protocol import Daemon, Peer, Refused
from waiting import until

DECOY = pathlib.Path(os.environ['DECOY_BUILD']) / 'client' / 'decoy'
WORKER = '#!/bin/sh\ncase $$ in *[02468]) exec sleep 0.4;; *[37]) exit 1;; esac\n'
BOUND_MIB = 1.0


@pytest.fixture
def daemon():
    """Its jobs last 0.4 s, fail at once, or end at once."""
    daemon = Daemon(slots=4, worker='/bin/true')
    daemon.stop()
    worker = daemon.directory / 'worker'
    worker.write_text(WORKER)
    worker.chmod(0o755)
    daemon.environment['DECOY_WORKER'] = str(worker)
    daemon.start()
    yield daemon
    daemon.close()


def memory_mib(daemon):
    """What is its own: without the pages of libraries and files."""
    text = pathlib.Path(f'/proc/{daemon.process.pid}/status').read_text()
    return int(text.split('RssAnon:')[1].split()[0]) / 1024


def descriptors(daemon):
    return len(os.listdir(f'/proc/{daemon.process.pid}/fd'))


def threads(daemon):
    return len(os.listdir(f'/proc/{daemon.process.pid}/task'))


def submit(daemon, dice):
    options = {'retries': dice.choice([0, 1]), 'hold': dice.random() < 0.1}
    return daemon.peer.ask('submit', jobs=[{'kind': 'mock', 'fields': {'out': '/x'}, 'options': options}] * dice.choice([1, 1, 4]))['ids']


class Crowd:
    """Clients of all sorts, and what is done to them; counts says how often."""

    def __init__(self, daemon, dice):
        self.daemon, self.dice, self.jobs, self.programs = daemon, dice, [], []
        self.counts = dict.fromkeys(('jobs', 'streams cut off', 'clients killed', 'workers killed', 'lines of garbage'), 0)

    def submit(self):
        if len(self.jobs) > 40:
            return self.forget()
        self.jobs += submit(self.daemon, self.dice)
        self.counts['jobs'] += 1

    def stream(self):
        """A client asks for a stream and is gone, maybe before it has heard a word."""
        peer = Peer(self.daemon.state)
        verb, body = self.dice.choice([('watch', {'jobs': []}), ('events', {'job': 0, 'follow': True}), ('wait', {'jobs': self.jobs[-3:]}), ('list', {'all': True})])
        peer.send(verb, **body)
        peer.socket.poll(self.dice.choice([0, 5, 50]))
        peer.close()
        self.counts['streams cut off'] += 1

    def program(self):
        words = self.dice.choice([['wait', *map(str, self.jobs[-2:])], ['events', '-f'], ['watch']])
        self.programs.append(subprocess.Popen([DECOY, '--state', self.daemon.state, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        if len(self.programs) > 4:
            program = self.programs.pop(0)
            program.send_signal(self.dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            program.wait()
            self.counts['clients killed'] += 1

    def kill_worker(self):
        for pid in self.daemon.left()[:1]:
            try:
                os.kill(pid, signal.SIGKILL)
                self.counts['workers killed'] += 1
            except ProcessLookupError:
                pass

    def cancel(self):
        try:
            self.daemon.peer.ask('cancel', job=self.dice.choice(self.jobs))
        except Refused:
            pass  # it has ended

    def garbage(self):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.daemon.state / 'decoyd.sock'))
            line.sendall(self.dice.randbytes(self.dice.choice([1, 64, 3000])))
        self.counts['lines of garbage'] += 1

    def act(self):
        if not self.jobs:
            self.submit()
        self.dice.choices([self.submit, self.stream, self.program, self.kill_worker, self.cancel, self.garbage], [4, 4, 1, 2, 1, 1])[0]()

    def forget(self):
        """Of what has ended, nothing is kept; the rest is ended now and then."""
        if self.dice.random() < 0.3:
            self.end_held()
        self.daemon.peer.ask('forget', older_s=0)
        kept = {row['id'] for row in self.daemon.peer.ask('list')['jobs']}
        self.jobs = [job for job in self.jobs if job in kept]

    def end_held(self):
        for row in self.daemon.peer.ask('list', state='held')['jobs']:
            self.daemon.peer.ask('cancel', job=row['id'])

    def close(self):
        """All jobs and clients end."""
        for program in self.programs:
            program.kill()
            program.wait()
        self.end_held()
        until(lambda: not self.daemon.peer.ask('list')['jobs'], what='the end of all jobs')


def soak(daemon, crowd, seconds):
    """Memory, once a second."""
    samples, begin = [], time.monotonic()
    while time.monotonic() < begin + seconds:
        crowd.act()
        time.sleep(0.01)
        if time.monotonic() > begin + len(samples) + 1:
            samples.append(memory_mib(daemon))
            if len(samples) % 3 == 0:
                crowd.forget()
    return samples


def growth_mib(samples):
    """From the middle third to the last."""
    third = len(samples) // 3
    return statistics.median(samples[-third:]) - statistics.median(samples[third:2 * third])


def test_memory_stays_bounded(daemon):
    seconds, dice = max(trials(120), 12), random.Random(SEED)
    crowd = Crowd(daemon, dice)
    soak(daemon, crowd, min(5, seconds / 4))  # until everything has happened once
    samples = soak(daemon, crowd, seconds)
    crowd.close()
    grown = growth_mib(samples)
    slope = statistics.linear_regression(range(len(samples)), samples).slope * 86400 if len(samples) >= 1800 else None
    submit(daemon, dice)  # an event that all streams are sent: those of the dead are noticed
    until(lambda: daemon.peer.ask('status')['clients'] == 0, what='the end of all streams')
    until(lambda: descriptors(daemon) < 40, what='the closing of all connections')
    said = ', '.join(f'{count} {name}' for name, count in crowd.counts.items())
    say('E1 soak, seconds', seconds, SEED, f'{samples[-1]:.1f} MiB, middle third to last {grown:+.2f} MiB'
        + (f', slope {slope:+.2f} MiB a day' if slope is not None else '') + f'; {said}; {descriptors(daemon)} descriptors left')
    assert grown < BOUND_MIB, samples
    assert threads(daemon) < 16 and all(crowd.counts.values()), (threads(daemon), crowd.counts)


def test_soak_notices_what_is_kept(daemon):
    """The control: clients that stay, thirty a second, are memory that grows."""
    kept, samples = [], []
    for _ in range(12):
        for _ in range(30):
            kept.append(Peer(daemon.state))
            kept[-1].send('events', job=0, follow=True)
        time.sleep(0.05)
        samples.append(memory_mib(daemon))
    held = descriptors(daemon)
    for peer in kept:
        peer.close()
    assert growth_mib(samples) > BOUND_MIB and held > 300, (samples, held)
