"""One decoyd a state directory, and what keeps it from serving."""
import pathlib
import re
import subprocess

import pytest
from protocol import DECOYD, Peer, alive


def test_a_second_daemon_is_refused_and_the_first_serves_on(daemon):
    for _ in range(5):
        second = daemon.command()
        assert second.returncode == 1
        assert 'another decoyd serves' in second.stderr and f'pid {daemon.process.pid}' in second.stderr
    assert daemon.peer.ask('hello')['pid'] == daemon.process.pid
    other = Peer(daemon.state)
    assert other.ask('hello')['pid'] == daemon.process.pid
    other.close()


def test_in_the_background_it_returns_when_it_serves(daemon):
    daemon.stop()
    started = daemon.command()
    assert started.returncode == 0, started.stderr
    peer = Peer(daemon.state)
    hello = peer.ask('hello')
    assert hello['protocol'] == 1 and hello['state'] == str(daemon.state)
    assert 'serves' in (daemon.state / 'decoyd.log').read_text()
    peer.ask('shutdown')
    daemon.until(lambda: not alive(hello['pid']))
    peer.close()


@pytest.mark.parametrize('spoil, part', [
    (lambda state: state.chmod(0o755), 'chmod 700'),
    (lambda state: (state / 'queue.db').write_bytes(b'x' * 8192), 'queue.db'),
])
def test_what_keeps_it_from_serving_is_one_sentence(daemon, spoil, part):
    daemon.stop()
    spoil(daemon.state)
    failed = daemon.command()
    assert failed.returncode == 1 and part in failed.stderr and failed.stderr.count('\n') == 1
    daemon.state.chmod(0o700)


def test_bad_words_on_the_command_line():
    for words, status, part in [(['--stat'], 2, '--stat'), (['--state'], 2, 'needs a directory'), (['--state', '/' + 'x' * 120], 1, '100 bytes')]:
        done = subprocess.run([DECOYD, *words], stderr=subprocess.PIPE, text=True, check=False, timeout=10)
        assert done.returncode == status and part in done.stderr and done.stderr.count('\n') == 1
    assert subprocess.run([DECOYD, '--version'], stdout=subprocess.PIPE, text=True, check=True).stdout.startswith('decoyd ')


def test_a_low_limit_of_open_files_is_told_and_jobs_get_the_limit_as_it_was(daemon):
    daemon.stop()
    assert 'room for about' not in daemon.log()
    daemon.before = ['prlimit', '--nofile=200:300']
    daemon.start()
    assert 'may open 300 files only, which is room for about 236 clients' in daemon.log()
    job = daemon.submit('sleep=60')
    limits = pathlib.Path(f'/proc/{daemon.pids(job)[0]}/limits').read_text()
    assert re.search(r'Max open files +200 +300', limits)
