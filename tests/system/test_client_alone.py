"""The client where no daemon serves: usage, help, and the ways in which a daemon can be missing."""
import json
import os
import socket
import subprocess
import time

import pytest

from client import DECOY, ask, decoy, refused

VERBS = ['up', 'down', 'submit', 'run', 'ls', 'show', 'watch', 'logs', 'events', 'wait', 'cancel', 'release', 'status',
         'verdict', 'version', 'help', 'recover', 'explain', 'hold', 'priority', 'checkpoint', 'retry', 'rerun', 'forget',
         'drain', 'resume', 'sweep', 'top', 'export', 'gallery', 'audit', 'model', 'ckpt']
KINDS = ['mock', 'inject', 'cutouts', 'split', 'audit', 'gallery', 'export', 'train', 'evaluate']


@pytest.mark.parametrize('verb', VERBS)
def test_verb_has_help_that_fits_the_terminal(tmp_path, verb):
    done = decoy(tmp_path, verb, '--help')
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith(f'usage: decoy {verb}')
    for part in ('--json', '--state', '{"v"' if verb not in ('help', 'top') else 'none'):
        assert part in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert '\033' not in done.stdout
    assert decoy(tmp_path, 'help', verb).stdout == done.stdout


@pytest.mark.parametrize('kind', KINDS)
def test_kind_has_help_that_fits_the_terminal(tmp_path, kind):
    done = decoy(tmp_path, 'submit', kind, '--help')
    assert done.returncode == 0 and '--out PATH' in done.stdout and '(required)' in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_decoy_alone_shows_its_verbs(tmp_path):
    done = decoy(tmp_path)
    assert done.returncode == 2 and not done.stdout
    for verb in VERBS:
        assert f'\n  {verb} ' in done.stderr
    assert max(map(len, done.stderr.splitlines())) <= 80
    assert decoy(tmp_path, '--help').stdout == done.stderr
    assert decoy(tmp_path, 'help').stdout == done.stderr


@pytest.mark.parametrize('words, part', [
    (['sumbit'], 'there is no verb sumbit; did you mean `decoy submit`?'),
    (['frobnicate'], 'there is no verb frobnicate\n'),
    (['train'], 'there is no verb train: it is a kind of job, for `decoy submit train`'),
    (['trian', '--out', 'x'], 'did you mean `decoy submit train`?'),
    (['gallry'], 'did you mean `decoy gallery`?'),
    (['--nonsense', 'ls'], '--nonsense is no flag of `decoy`'),
    (['up', 'now'], 'now is one word too many'),
    (['down', '--timeout', 'soon'], '--timeout must be a time span, not soon'),
    (['submit'], '`decoy submit` needs KIND'),
    (['submit', 'moc'], 'no job kind moc; did you mean mock?'),
    (['submit', 'mock'], 'mock needs --out PATH'),
    (['submit', 'mock', '--out', 'x', '--bricks', '0'], '--bricks must be between 1 and 1000000, not 0'),
    (['submit', 'mock', '--out', 'x', '--key', 'k' * 65], '--key has more than 64'),
    (['submit', 'mock', '--out', 'x', '--bricsk', '3'], 'did you mean --bricks?'),
    (['submit', 'mock', 'more', '--out', 'x'], 'more is one word too many'),
    (['submit', 'cutouts', '--out', 'x', '--survey', 's', '--class', 'false'], '--class must be one of both|real|fake'),
    (['run'], '`decoy run` needs FILE.yaml|NAME'),
    (['run', 'demoo'], 'no demoo.yaml in etc/pipelines, which has controls demo simulated spoils survey ('),
    (['run', './nope.yaml'], 'cannot read ./nope.yaml'),
    (['run', 'demo', '--set', 'sede=1'], 'did you mean seed?'),
    (['run', 'demo', '--key', 'k' * 37], '--key has more than 36'),
    (['run', 'survey'], 'needs --set survey=...'),
    (['ls', '--al'], 'did you mean --all?'),
    (['show'], '`decoy show` needs ID'),
    (['show', 'one'], "one is neither a job's id nor a directory"),
    (['show', '3-5'], '`decoy show` takes one job at a time, not 3-5'),
    (['explain', '3-5'], '`decoy explain` takes one job at a time'),
    (['logs', '3-5'], '`decoy logs` takes one job at a time'),
    (['events', '3-5'], '`decoy events` takes one job at a time'),
    (['watch', '-1'], "-1 is not a job's id"),
    (['watch', '-x'], '-x is no flag'),
    (['cancel', '9-7'], "9-7 is not a job's id"),
    (['watch', '0'], "0 is not a job's id"),
    (['logs', '1', '--attempt', 'x'], '--attempt must be an integer'),
    (['events', '1', '2'], '2 is one word too many'),
    (['wait'], '`decoy wait` needs ID...'),
    (['wait', '1', '--timeout', '1x'], '--timeout must be a time span'),
    (['cancel', '1', '--reason'], '--reason needs a value'),
    (['release', 'x'], "x is not a job's id"),
    (['status', 'now'], 'now is one word too many'),
    (['verdict', '/nonexistent'], 'neither a job\'s id nor a directory'),
    (['version', '--jsno'], 'did you mean --json?'),
    (['help', 'moock'], 'neither a verb nor a job kind'),
])
def test_wrong_usage_is_one_sentence(tmp_path, words, part):
    refused(decoy(tmp_path / 'state', *words), 2, part.strip('\n'))
    assert not (tmp_path / 'state').exists()


NEED_DAEMON = [['down'], ['submit', 'mock', '--out', 'x'], ['run', 'demo'], ['ls'], ['show', 1], ['watch'], ['watch', 1],
               ['logs', 1], ['events'], ['wait', 1], ['cancel', 1], ['release', 1], ['status'], ['verdict', 1]]


@pytest.mark.parametrize('words', NEED_DAEMON, ids=str)
def test_without_a_daemon_the_sentence_tells_to_start_one(tmp_path, words):
    refused(decoy(tmp_path, *words), 3, 'start it with `decoy up`', str(tmp_path))


def test_socket_of_a_dead_daemon_is_noticed_at_once(tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / 'decoyd.sock'))
    begun = time.monotonic()
    refused(decoy(tmp_path, 'ls'), 3, 'start it with `decoy up`')
    assert time.monotonic() - begun < 2


def test_errors_are_json_too(tmp_path):
    assert ask(tmp_path, 'ls', code=3)['error']['code'] == 'no_daemon'
    assert ask(tmp_path, 'ls', 'x', code=2)['error']['code'] == 'usage'
    assert ask(tmp_path, 'version')['protocol'] == 1


def test_state_too_long_for_a_socket_is_said(tmp_path):
    refused(decoy(tmp_path / ('x' * 120), 'ls'), 2, 'shorter --state')


def test_state_flag_goes_before_and_after_the_verb(tmp_path):
    for words in (['--state', tmp_path / 'other', 'ls'], ['ls', f'--state={tmp_path}/other']):
        refused(decoy(tmp_path, *words), 3, f'no decoyd serves {tmp_path}/other;')


def test_up_tells_what_a_daemon_said_that_did_not_start(tmp_path):
    bin_directory = tmp_path / 'bin'
    bin_directory.mkdir()
    fake = bin_directory / 'decoyd'
    fake.write_text('#!/bin/sh\necho "first"\necho "decoyd: the disk is on fire" >&2\nexit 1\n')
    fake.chmod(0o755)
    alone = bin_directory / 'decoy'
    alone.write_bytes(open(DECOY, 'rb').read())
    alone.chmod(0o755)
    done = subprocess.run([alone, 'up', '--state', tmp_path / 'state'], capture_output=True, text=True, timeout=20)
    refused(done, 3, 'decoyd did not start: the disk is on fire')


def test_up_tells_when_there_is_no_decoyd(tmp_path):
    alone = tmp_path / 'decoy'
    alone.write_bytes(open(DECOY, 'rb').read())
    alone.chmod(0o755)
    done = subprocess.run([alone, 'up', '--state', tmp_path / 'state'], capture_output=True, text=True, timeout=20,
                          env={'PATH': '/nonexistent'})
    refused(done, 3, 'cannot run decoyd')


def verdict_in(directory, verdict):
    directory.mkdir(parents=True)
    (directory / 'verdict.json').write_text(json.dumps({'verdict': verdict, 'sentence': f'{verdict}, as measured'}))
    (directory / 'report.html').write_text('<html>')


@pytest.mark.parametrize('verdict, code', [('representative', 0), ('distinguishable', 1), ('inconclusive', 1)])
def test_verdict_of_a_directory_needs_no_daemon(tmp_path, verdict, code):
    verdict_in(tmp_path / 'run' / 'out', verdict)
    for directory in ('run', 'run/out', 'run/out/'):
        done = decoy(tmp_path, 'verdict', directory, cwd=tmp_path)
        assert done.returncode == code
        assert done.stdout.splitlines()[0] == f'verdict: {verdict}, as measured'
        assert os.path.samefile(done.stdout.splitlines()[1], tmp_path / 'run' / 'out' / 'report.html')
    assert ask(tmp_path, 'verdict', tmp_path / 'run', code=code)['verdict'] == verdict


def test_verdict_refuses_what_is_none(tmp_path):
    refused(decoy(tmp_path, 'verdict', tmp_path), 2, 'no verdict.json in')
    verdict_in(tmp_path / 'run' / 'a', 'representative')
    verdict_in(tmp_path / 'run' / 'b', 'representative')
    refused(decoy(tmp_path, 'verdict', tmp_path / 'run'), 2, 'holds 2 verdicts')
    (tmp_path / 'run' / 'a' / 'verdict.json').write_text('{"verdict": ')
    refused(decoy(tmp_path, 'verdict', tmp_path / 'run' / 'a'), 2, 'a/verdict.json: line 1')
    (tmp_path / 'run' / 'a' / 'verdict.json').write_text('{}')
    refused(decoy(tmp_path, 'verdict', tmp_path / 'run' / 'a'), 2, 'no member "verdict"')


def test_show_of_a_training_prints_where_its_time_goes(tmp_path):
    (tmp_path / 'run/prof').mkdir(parents=True)
    (tmp_path / 'run/prof/layers.txt').write_text('a table\nof two lines\n')
    done = decoy(tmp_path, 'show', tmp_path / 'run')
    assert (done.returncode, done.stdout) == (0, 'a table\nof two lines\n')
    assert json.loads(decoy(tmp_path, 'show', tmp_path / 'run', '--json').stdout)['text'] == done.stdout
    refused(decoy(tmp_path, 'show', tmp_path), 2, 'nor a training whose steps were traced')
