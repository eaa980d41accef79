"""Verbs that run a job kind here and now: what they hand to decoy-worker, what they show of it, how they end."""
import json
import os
import pty
import signal
import subprocess
import time

import pytest

from client import BUILD, DECOY, ask, decoy, environment, refused

FAKE = """#!/usr/bin/python3
import json, os, signal, sys, time
here = os.environ['DECOY_ATTEMPT_DIR']
def report(**body):
    os.write(int(os.environ['DECOY_REPORTS']), (json.dumps(body) + '\\n').encode())
def finish(**result):
    json.dump(result, open(here + '/result.json', 'w'))
job = json.load(open(sys.argv[2]))
"""


@pytest.fixture
def worker(tmp_path):
    """Makes a decoy-worker of these lines; every tool of the test then runs it, with a temporary place of its own."""
    (tmp_path / 'tmp').mkdir()

    def make(*lines):
        (tmp_path / 'worker').write_text(FAKE + '\n'.join(lines))
        (tmp_path / 'worker').chmod(0o755)
        return {'DECOY_WORKER': str(tmp_path / 'worker'), 'TMPDIR': str(tmp_path / 'tmp')}
    yield make
    assert os.listdir(tmp_path / 'tmp') == [], 'what a tool made aside is gone'


def test_tool_resolves_words_and_flags_to_the_fields_of_its_kind(tmp_path, worker):
    more = worker("finish(job=job, text='two lines\\nof text\\n')")
    done = decoy(tmp_path, 'audit', 'data', '--out', 'made/here', cwd=tmp_path, **more)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'two lines\nof text\n', '')
    job = ask(tmp_path, 'audit', '--dataset', 'data', '--out=made/here', cwd=tmp_path, **more)['job']
    assert job['kind'] == 'audit' and job['threads'] == 1
    assert job['fields'] == {'dataset': f'{tmp_path}/data', 'out': f'{tmp_path}/made/here'}


@pytest.mark.parametrize('words, part', [
    (['audit', '--out', 'x'], 'audit needs --dataset PATH'),
    (['audit', 'd', '--dataset', 'd', '--out', 'x'], 'dataset is given twice'),
    (['audit', 'd', 'e', '--out', 'x'], 'e is one word too many'),
    (['audit', 'd', '--uot', 'x'], 'did you mean --out?'),
    (['audti', 'd'], 'did you mean `decoy audit`?'),
    (['mock', '--out', 'x'], 'there is no verb mock'),
])
def test_wrong_usage_starts_no_worker(tmp_path, worker, words, part):
    more = worker(f"open({str(tmp_path)!r} + '/started', 'w')")
    refused(decoy(tmp_path, *words, **more), 2, part)
    assert not (tmp_path / 'started').exists()


@pytest.mark.parametrize('end, code, sentence', [
    ("print('2026-01-01T00:00:00Z error: b.h5: no stamps', file=sys.stderr); sys.exit(1)", 1, 'decoy: b.h5: no stamps'),
    ("print('2026-01-01T00:00:00Z error: spec.json: no', file=sys.stderr); sys.exit(2)", 2, 'decoy: spec.json: no'),
    ("print('free text', file=sys.stderr); sys.exit(1)", 1, 'decoy: free text'),
    ("sys.exit(1)", 1, 'decoy: decoy-worker ended with status 1 and said nothing'),
    ("os.kill(os.getpid(), signal.SIGSEGV)", 1, 'decoy: decoy-worker was ended by signal 11'),
    ("sys.exit(75)", 130, 'decoy: stopped; what was finished is kept'),
])
def test_failure_is_one_sentence_and_an_exit_code(tmp_path, worker, end, code, sentence):
    more = worker(end)
    done = decoy(tmp_path, 'audit', 'd', '--out', 'x', **more)
    assert done.returncode == code and done.stderr.startswith(sentence) and done.stderr.count('\n') == 1
    error = ask(tmp_path, 'audit', 'd', '--out', 'x', code=code, **more)['error']
    assert 'decoy: ' + error['text'] == done.stderr.strip()


def test_worker_that_is_missing_is_named(tmp_path):
    refused(decoy(tmp_path, 'audit', 'd', '--out', 'x', DECOY_WORKER='/nonexistent/w'), 2, 'DECOY_WORKER=/nonexistent/w')
    alone = tmp_path / 'decoy'
    alone.write_bytes(open(DECOY, 'rb').read())
    alone.chmod(0o755)
    done = subprocess.run([alone, 'audit', 'd', '--out', 'x'], capture_output=True, text=True, timeout=20, env={'PATH': '/nonexistent'})
    refused(done, 2, 'there is no decoy-worker in')


def test_worker_is_found_by_path(tmp_path):
    alone = tmp_path / 'bin' / 'decoy'
    alone.parent.mkdir()
    alone.write_bytes(open(DECOY, 'rb').read())
    alone.chmod(0o755)
    place = os.path.join(BUILD, 'daemon', 'worker')
    done = subprocess.run([alone, 'audit', tmp_path / 'no', '--out', tmp_path / 'x'], capture_output=True, text=True, timeout=20,
                          env={'PATH': place})
    refused(done, 1, f'{tmp_path}/no')


def test_warnings_and_notes_go_to_standard_error(tmp_path, worker):
    more = worker("report(verb='note', text='reading')", "report(verb='progress', done=1, total=2, unit='stamps')",
                  "report(verb='warning', text='it is old')", "finish(text='done\\n')")
    done = decoy(tmp_path, 'audit', 'd', '--out', 'x', **more)
    assert (done.stdout, done.stderr) == ('done\n', 'audit: reading\naudit: warning: it is old\n')


def test_progress_is_shown_on_a_terminal_and_cleared(tmp_path, worker):
    more = worker("for i in range(5):", "    report(verb='progress', done=i * 100, total=400, unit='stamps')", "finish(text='ready\\n')")
    ours, theirs = pty.openpty()
    process = subprocess.Popen([DECOY, 'audit', 'd', '--out', 'x'], env=environment(tmp_path, TERM='xterm', **more), stdout=theirs)
    os.close(theirs)
    shown = b''
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(10) == 0
    assert b'200/400 stamps' in shown and shown.endswith(b'\033[Jready\r\n')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupt_lets_the_worker_finish_its_piece(tmp_path, worker, number):
    more = worker("def stop(*_):", "    open(job['fields']['out'], 'w').write('kept')", "    sys.exit(75)",
                  "signal.signal(signal.SIGTERM, stop)", "open(job['fields']['dataset'], 'w')", "[time.sleep(0.1) for _ in range(600)]")
    process = subprocess.Popen([DECOY, 'audit', tmp_path / 'begun', '--out', tmp_path / 'kept'], env=environment(tmp_path, **more),
                               stderr=subprocess.PIPE, text=True)
    while not (tmp_path / 'begun').exists():
        time.sleep(0.02)
    process.send_signal(number)
    assert process.communicate(timeout=10)[1] == 'decoy: stopped; what was finished is kept\n' and process.returncode == 130
    assert (tmp_path / 'kept').read_text() == 'kept'


def test_second_interrupt_kills(tmp_path, worker):
    more = worker("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "open(job['fields']['dataset'], 'w').write(str(os.getpid()))", "time.sleep(60)")
    process = subprocess.Popen([DECOY, 'audit', tmp_path / 'begun', '--out', 'x'], env=environment(tmp_path, **more), stderr=subprocess.PIPE, text=True)
    while not (tmp_path / 'begun').exists() or not (tmp_path / 'begun').read_text():
        time.sleep(0.02)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert process.communicate(timeout=10)[1] == 'decoy: killed\n' and process.returncode == 130
    assert not os.path.exists(f"/proc/{(tmp_path / 'begun').read_text()}")


def test_worker_ends_when_the_client_is_killed(tmp_path):
    (tmp_path / 'worker').write_text(FAKE + "open(job['fields']['dataset'], 'w').write(str(os.getpid())); time.sleep(60)")
    (tmp_path / 'worker').chmod(0o755)
    process = subprocess.Popen([DECOY, 'audit', tmp_path / 'begun', '--out', 'x'],
                               env=environment(tmp_path, DECOY_WORKER=str(tmp_path / 'worker'), TMPDIR=str(tmp_path)))
    while not (tmp_path / 'begun').exists() or not (tmp_path / 'begun').read_text():
        time.sleep(0.02)
    process.kill()
    process.wait(10)
    path, end = f"/proc/{(tmp_path / 'begun').read_text()}/stat", time.monotonic() + 5
    while os.path.exists(path) and open(path).read().split()[2] != 'Z':
        assert time.monotonic() < end, 'the worker goes on alone'
        time.sleep(0.05)


def test_tools_have_help_that_fits_the_terminal(tmp_path):
    done = decoy(tmp_path, 'audit', '--help')
    assert done.returncode == 0 and done.stdout.startswith('usage: decoy audit [DATASET] [--flags]\n')
    assert '--dataset PATH' in done.stdout and '`decoy submit audit` queues it' in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert '\n  audit ' in decoy(tmp_path, 'help').stdout
