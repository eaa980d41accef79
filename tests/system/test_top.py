"""decoy top in a terminal of 80 x 24 of its own, against the real daemon with fake workers."""
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest
from running import DECOY, Running

WORKER = pathlib.Path(__file__).with_name('fake_worker.py')
LEFT = b'\x1b[?1049l'  # the terminal shows again what it showed before


@pytest.fixture
def decoy(monkeypatch):
    monkeypatch.setenv('DECOY_WORKER', str(WORKER))
    running = Running(slots=1)
    yield running
    running.close()


class Top:
    def __init__(self, decoy, **more):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            environment = dict(decoy.environment, TERM='xterm', LC_ALL='C.UTF-8', **more)
            os.execve(DECOY, [str(DECOY), 'top'], environment)
        self.text = b''
        self.resize(24, 80)

    def resize(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def until(self, *parts, seconds=15):
        """Reads until all of the parts were written since the last call; gives what was."""
        end = time.monotonic() + seconds
        while not all(part in self.text for part in parts):
            assert time.monotonic() < end, (parts, self.text[-2000:])
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.terminal, 65536)
                except OSError:
                    break
        text, self.text = self.text, b''
        assert all(part in text for part in parts), (parts, text[-2000:])
        return text

    def type(self, keys):
        os.write(self.terminal, keys)

    def end(self):
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.terminal)
        return status


def submit(decoy, does, *flags, kind='mock'):
    more = ['--dataset', '/x'] if kind == 'train' else []
    return decoy.submit(kind, '--out', decoy.directory / does, '--retries', 0, *more, *flags)


def test_jobs_are_shown_steered_and_left_with_the_terminal_as_it_was(decoy):
    running, waiting = submit(decoy, 'progress=400,say=hello there', '--name', 'first'), submit(decoy, 'exit=0', '--name', 'second')
    top = Top(decoy)
    top.until(b'slots 1 of 1', b'1 running', b'1 ready', b'first', b'/400 bricks', b'second', b'q quit')
    top.type(b'l')
    top.until(b'the end of its log', b'hello there')
    top.type(b'q?')
    top.until(b'decoy top: what decoyd does')
    top.type(b'x')
    top.until(b'second')
    top.type(b'jh')
    top.until(b'held')
    assert decoy.row(waiting)['state'] == 'held'
    top.type(b'r')
    top.until(b'ready')
    top.type(b'kc')
    top.until(b'cancel job %d, first? y: yes' % running)
    top.type(b'y')
    top.until(b'stopping')
    assert decoy('wait', waiting) and decoy.row(running)['state'] == 'cancelled'
    top.type(b'q')
    top.until(LEFT)
    assert top.end() == 0


def test_the_loss_of_a_training_is_drawn_as_it_falls(decoy):
    submit(decoy, 'loss=60', kind='train')
    time.sleep(1)
    top = Top(decoy)
    text = top.until(b'loss of job 1, step ', re.search('[\u2801-\u28ff]', '\u2811').group().encode()[:2])
    assert b'0.9' in text or b'1.0' in text
    top.resize(12, 60)  # no room for a curve
    os.kill(top.pid, signal.SIGWINCH)
    top.until(b'slots 1 of 1')
    top.resize(30, 120)
    os.kill(top.pid, signal.SIGWINCH)
    top.until(b'loss of job 1')
    os.kill(top.pid, signal.SIGINT)
    top.until(LEFT)
    assert top.end() == 0


def test_it_comes_back_with_the_daemon(decoy):
    submit(decoy, 'sleep=60', '--name', 'sleeper')
    top = Top(decoy)
    top.until(b'sleeper')
    decoy.kill_daemon()
    top.until(b'decoyd went away')
    decoy('up')
    top.until(b'sleeper')
    top.type(b'\x03')
    top.until(LEFT)
    assert top.end() == 0


def test_without_a_terminal_it_says_so(decoy):
    decoy('top', status=2)
    assert 'needs a terminal' in decoy.stderr
