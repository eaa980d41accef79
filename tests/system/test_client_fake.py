"""The client against a daemon of a few lines: each verb's output, and daemons that misbehave."""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

from client import DECOY, ask, decoy, environment, refused
from fake_daemon import FakeDaemon

RESULT = {'verdict': 'representative', 'sentence': 'representative within 0.05', 'report': '/run/verdict/report.html'}


@pytest.fixture
def fake(tmp_path):
    with FakeDaemon(str(tmp_path), result=RESULT, outcome={'train': 'failed', 'audit': 'running'}) as daemon:
        yield daemon


@pytest.fixture
def good(tmp_path):
    with FakeDaemon(str(tmp_path), result=RESULT) as daemon:
        yield daemon


def on_terminal(state, *words, columns=80, keys=None, until=b'', **more):
    """The exit code and what a terminal of so many columns got; keys are typed once `until` is there."""
    pid, terminal = pty.fork()
    if pid == 0:
        modes = termios.tcgetattr(0)
        modes[3] |= termios.NOFLSH  # else Linux, once it has sent the signal of Ctrl-C, throws away what we may have written by then
        termios.tcsetattr(0, termios.TCSANOW, modes)
        env = environment(state, TERM='xterm', **more)
        os.execve(DECOY, [DECOY, *map(str, words)], env)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    text = b''
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        text += piece
        if keys and until in text:
            os.write(terminal, keys)
            keys = None
        if not piece:
            break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode()


def test_submit_prints_the_id_and_sends_typed_fields(good, tmp_path):
    done = decoy(tmp_path, 'submit', 'inject', '--out', 'o', '--survey=/s', '--no-noise', '--shift-px', '-1', '--after', 4,
                 '--after', 5, '--key', 'abc', '--name', 'my job', '--ranks', 'max', '--threads', 2, '--time-limit', '15m',
                 cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == '1\n'
    job = good.asked[-1][1]['jobs'][0]
    assert job['fields'] == {'out': str(tmp_path / 'o'), 'survey': '/s', 'no_noise': True, 'shift_px': -1.0}
    assert job['options'] == {'name': 'my job', 'ranks': 2, 'threads': 2, 'time_limit': 900.0}
    assert (job['key'], job['after'], job['group']) == ('abc', [4, 5], None)


def test_submit_waits_and_tells_the_outcome(fake, tmp_path):
    assert decoy(tmp_path, 'submit', 'mock', '--out', 'o', '--wait').returncode == 0
    refused(decoy(tmp_path, 'submit', 'train', '--out', 'o', '--dataset', 'd', '--wait'), 1, 'job 2 failed: the disk is full')
    done = decoy(tmp_path, 'submit', 'train', '--out', 'o', '--dataset', 'd', '--follow')
    assert done.returncode == 1 and 'failed after 12 s: the disk is full' in done.stdout
    answer = ask(tmp_path, 'submit', 'train', '--out', 'o', '--dataset', 'd', '--wait', code=1)
    assert answer['id'] == 4 and answer['job']['state'] == 'failed'


def test_run_submits_once_and_ends_with_the_verdict(good, tmp_path):
    done = decoy(tmp_path, 'run', 'demo', '--set', 'seed=5', '--dir', 'here', '--key', 'k', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ['verdict: representative within 0.05', '/run/verdict/report.html']
    submits = [body for verb, body in good.asked if verb == 'submit']
    assert len(submits) == 1 and len(submits[0]['jobs']) == 7
    jobs = {job['options']['name']: job for job in submits[0]['jobs']}
    assert jobs['survey']['fields']['seed'] == 5
    assert jobs['fakes']['fields']['out'] == str(tmp_path / 'here' / 'fakes')
    assert jobs['cutouts']['after'] == ['#0', '#1'] and jobs['cutouts']['key'] == 'k/cutouts'
    assert {job['group'] for job in jobs.values()} == {'demo'}


def test_run_with_a_failed_job_ends_with_1(fake, tmp_path):
    fake.outcome = {'train': 'failed'}
    done = decoy(tmp_path, 'run', 'demo', cwd=tmp_path)
    assert done.returncode == 1
    assert 'failed after 12 s: the disk is full' in done.stdout and '`decoy logs 6`' in done.stdout


def test_run_detached_says_how_to_come_back(fake, tmp_path):
    done = decoy(tmp_path, 'run', 'demo', '--detach', cwd=tmp_path)
    assert done.returncode == 0 and '`decoy watch 1-7`' in done.stdout
    answer = ask(tmp_path, 'run', 'demo', '--detach', cwd=tmp_path)
    assert answer['ids']['survey'] == 8 and answer['directory'] == str(tmp_path / 'demo-run')


def test_run_as_json_has_rows_and_verdict(good, tmp_path):
    answer = ask(tmp_path, 'run', 'demo', cwd=tmp_path)
    assert [row['state'] for row in answer['jobs']] == ['succeeded'] * 7
    assert answer['verdicts'] == [{'stage': 'verdict', 'result': RESULT}]


@pytest.mark.parametrize('words', [['status'], ['ls', '--all'], ['show', 1], ['watch', 1], ['logs', 1], ['events', 1],
                                   ['events', 1, '-f'], ['wait', 1], ['cancel', 1], ['verdict', 2], ['version']], ids=str)
def test_verbs_speak_plainly_to_a_pipe_and_json_when_asked(good, tmp_path, words):
    decoy(tmp_path, 'submit', 'mock', '--out', 'o', '--name', 'sürvey')
    decoy(tmp_path, 'submit', 'evaluate', '--out', 'o', '--model', 'm', '--dataset', 'd')
    done = decoy(tmp_path, *words, TERM='xterm')
    assert done.returncode == 0 and done.stdout and not done.stderr
    assert '\033' not in done.stdout
    ask(tmp_path, *words)


def test_ls_aligns_its_columns(fake, tmp_path):
    decoy(tmp_path, 'submit', 'mock', '--out', 'o', '--name', 'sürvey')
    decoy(tmp_path, 'submit', 'audit', '--out', 'o', '--dataset', 'd', '--name', 'x')
    lines = decoy(tmp_path, 'ls', '--all').stdout.splitlines()
    assert len({line.index(state) for line, state in zip(lines, ['state', 'succeeded', 'running'])}) == 1
    assert [row['id'] for row in ask(tmp_path, 'ls')['jobs']] == [2]


def test_logs_come_whole_in_pieces(good, tmp_path):
    decoy(tmp_path, 'submit', 'mock', '--out', 'o')
    assert decoy(tmp_path, 'logs', 1).stdout == 'one\ntwo\nthree\n'
    assert decoy(tmp_path, 'logs', 1, '-f').stdout == 'one\ntwo\nthree\n'


def test_events_go_on_after_a_number(good, tmp_path):
    assert len(decoy(tmp_path, 'events').stdout.splitlines()) == 4
    assert ask(tmp_path, 'events', '--after-seq', 3)['event']['seq'] == 4


def test_wait_tells_the_outcome_and_times_out(fake, tmp_path):
    decoy(tmp_path, 'submit', 'mock', '--out', 'o')
    decoy(tmp_path, 'submit', 'audit', '--out', 'o', '--dataset', 'd')
    assert decoy(tmp_path, 'wait', 1).returncode == 0
    refused(decoy(tmp_path, 'wait', 1, 2, '--timeout', '0.1'), 5, 'the time is up')


def test_refusals_of_the_daemon_end_with_4(good, tmp_path):
    for verb in ('show', 'cancel', 'release', 'logs', 'verdict'):
        refused(decoy(tmp_path, verb, 99), 4, 'there is no job 99')
    decoy(tmp_path, 'submit', 'mock', '--out', 'o')
    refused(decoy(tmp_path, 'release', 1), 4, 'not held')
    refused(decoy(tmp_path, 'verdict', 1), 2, 'job 1 is of kind mock')
    assert ask(tmp_path, 'show', 99, code=4)['error']['code'] == 'refused'


def test_verdict_before_the_end_is_no(fake, tmp_path):
    fake.outcome = {'evaluate': 'running'}
    fake.result = None
    decoy(tmp_path, 'submit', 'evaluate', '--out', 'o', '--model', 'm', '--dataset', 'd')
    refused(decoy(tmp_path, 'verdict', 1), 1, 'job 1 has no verdict: it is running')


def test_daemon_of_another_protocol_is_named(tmp_path):
    for broken in ({'protocol': 2}, {'frame': b'decoy2'}):
        with FakeDaemon(str(tmp_path), **broken):
            refused(decoy(tmp_path, 'ls'), 4, 'does not speak protocol 1')
            refused(decoy(tmp_path, 'up'), 4, 'does not speak protocol 1')


def test_daemon_that_does_not_answer_times_out(tmp_path):
    with FakeDaemon(str(tmp_path), mute=('hello',)):
        refused(decoy(tmp_path, 'ls'), 5, 'does not answer')


def test_up_says_that_one_runs_already(good, tmp_path):
    done = decoy(tmp_path, 'up')
    assert done.returncode == 0 and 'was up already' in done.stdout
    assert ask(tmp_path, 'up')['started'] is False


def until_asked(daemon, verb, seconds=30):
    end = time.monotonic() + seconds
    while verb not in (asked for asked, _ in daemon.asked):
        assert time.monotonic() < end, f'{verb} was not asked in {seconds} s'
        time.sleep(0.02)


def test_follower_notices_that_the_daemon_went_away(tmp_path):
    with FakeDaemon(str(tmp_path), outcome={'audit': 'running'}) as daemon:
        decoy(tmp_path, 'submit', 'audit', '--out', 'o', '--dataset', 'd')
        waiting = subprocess.Popen([DECOY, 'wait', '1'], env=environment(tmp_path, DECOY_RECONNECT='0'), stderr=subprocess.PIPE, text=True)
        until_asked(daemon, 'wait')
    _, text = waiting.communicate(timeout=30)
    assert waiting.returncode == 3 and 'went away' in text and '`decoy up`' in text


@pytest.mark.parametrize('words', [['watch', 1], ['wait', 1]], ids=str)
def test_interrupt_detaches(fake, tmp_path, words):
    decoy(tmp_path, 'submit', 'audit', '--out', 'o', '--dataset', 'd')
    following = subprocess.Popen([DECOY, *map(str, words)], env=environment(tmp_path), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
    until_asked(fake, words[0])
    following.send_signal(signal.SIGINT)
    _, text = following.communicate(timeout=10)
    assert following.returncode == 130 and 'the jobs go on; come back with `decoy watch 1`' in text


def test_closed_pipe_ends_it_quietly(good, tmp_path):
    decoy(tmp_path, 'submit', 'mock', '--out', 'o')
    line = f'{DECOY} logs 1 -f | head -n 1'
    done = subprocess.run(['sh', '-c', line], env=environment(tmp_path), capture_output=True, text=True, timeout=10)
    assert done.stdout == 'one\n' and not done.stderr


def test_terminal_gets_bars_that_fit_and_are_taken_away(fake, tmp_path):
    decoy(tmp_path, 'submit', 'audit', '--out', 'o', '--dataset', 'd', '--name', 'a rather long name for a job')
    for columns in (40, 80, 200):
        code, text = on_terminal(tmp_path, 'watch', 1, columns=columns, keys=b'\x03', until=b'47 %', LANG='C.UTF-8')
        assert code == 130 and '━' in text and '47 %' in text and 'detached' in text
        plain = re.sub(r'\033\[[0-9;]*[A-Za-z]', '', text)
        assert max(len(line) for line in re.split(r'[\r\n]+', plain) if 'come back' not in line) <= columns


def test_color_is_for_terminals_without_no_color(good, tmp_path):
    decoy(tmp_path, 'submit', 'mock', '--out', 'o')
    assert '\033[32m' in on_terminal(tmp_path, 'wait', 1)[1]
    assert '\033[3' not in on_terminal(tmp_path, 'wait', 1, NO_COLOR='1')[1]


def test_pipeline_beyond_one_message_is_refused_here(good, tmp_path):
    stages = ''.join(f'  s{i}: {{kind: mock, out: "/${{long}}{i}"}}\n' for i in range(400))
    (tmp_path / 'big.yaml').write_text(f'params: {{long: {"x" * 3000}}}\nstages:\n{stages}')
    refused(decoy(tmp_path, 'run', './big.yaml', cwd=tmp_path), 2, 'longer than the 1 MiB')
    assert 'submit' not in [verb for verb, _ in good.asked]
