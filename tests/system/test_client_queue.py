"""The client's verbs that steer the queue, and job arrays, against the real daemon with fake workers."""
import json
import pathlib

import pytest
from running import Running

WORKER = pathlib.Path(__file__).with_name('fake_worker.py')


@pytest.fixture
def decoy(monkeypatch):
    monkeypatch.setenv('DECOY_WORKER', str(WORKER))
    running = Running(slots=1)
    yield running
    running.close()


def mock(decoy, does, *flags, **options):
    return decoy.submit('mock', '--out', decoy.directory / does, '--retries', 0, *flags, **options)


def states(decoy, *words):
    return {row['id']: row['state'] for row in decoy.json('ls', '--all', *words)['jobs']}


def test_hold_release_priority_and_explain(decoy):
    first, second, third = mock(decoy, 'sleep=60'), mock(decoy, 'exit=0'), mock(decoy, 'exit=0')
    assert decoy('hold', second).split() == [str(second), 'mock', 'held']
    assert decoy('explain', second) == f'job {second}: it is held; `decoy release {second}` lets it start\n'
    decoy('priority', third, -5, '--reason', 'not in a hurry')
    assert decoy.row(third)['priority'] == -5 and 'priority=-5, reason=not in a hurry' in decoy('events', third)
    decoy('priority', third, 'high', status=2)
    decoy('release', second)
    assert decoy.json('explain', third)['code'] == 'turn' and '1 job comes before it' in decoy('explain', third).replace('\n', ' ')
    decoy('cancel', first)
    decoy('wait', second, third)


def test_jobs_are_picked_by_tag_name_and_state(decoy):
    mock(decoy, 'sleep=60')
    night = [mock(decoy, 'exit=0', '--tag', 'night,elg', '--name', f'n{i}') for i in range(2)]
    other = mock(decoy, 'exit=0', '--name', 'other')
    assert list(states(decoy, '--tag', 'night')) == night and list(states(decoy, '--name', 'n?')) == night
    decoy('hold', '--tag', 'elg')
    assert [states(decoy)[job] for job in night + [other]] == ['held', 'held', 'ready']
    assert list(states(decoy, '--only', 'held')) == night
    decoy('cancel', '--only', 'held', '--reason', 'enough')
    assert decoy('hold', '--tag', 'elg') == 'no job to hold\n'
    decoy('retry', '--tag', 'night', '--only', 'cancelled')
    assert [states(decoy)[job] for job in night] == ['ready'] * 2
    decoy('cancel', status=2)
    assert 'needs ids, or --tag' in decoy.stderr
    decoy('cancel', 1, '--tag', 'elg', status=2)
    assert 'not both' in decoy.stderr


def test_retry_alone_takes_all_that_failed(decoy):
    flag = decoy.directory / 'fixed'
    bad, good = mock(decoy, 'failfirst=1'), mock(decoy, 'exit=0')
    after = mock(decoy, 'exit=0', '--after', bad)
    cleanup = mock(decoy, 'exit=0', '--after-any', bad)
    decoy('wait', bad, good, after, cleanup, status=1)
    assert states(decoy) == {bad: 'failed', good: 'succeeded', after: 'skipped', cleanup: 'succeeded'}
    decoy('retry', after, status=4)
    assert f'job {bad}, which it comes after, did not succeed' in decoy.stderr
    assert decoy('retry').split()[0] == str(bad)
    decoy('wait', bad, after)
    assert decoy('retry') == 'no job to retry\n'
    decoy('rerun', good)
    decoy('wait', good)
    assert decoy.row(good)['attempt'] == 2 and not flag.exists()


def test_an_array_is_one_submit_one_row_and_one_range(decoy):
    (decoy.directory / 'bricks').write_text('# two columns of sky\n0001p000\n\n 0002p000 \n0003p000\n')
    said = decoy('submit', 'mock', '--each', 'bricks', '--out', f'{decoy.directory}/{{}}/exit=0', '--name', 'b-{}', '--seed', '{n}', '--hold', '--key', 'k')
    assert said == '1-3\n'
    assert decoy('submit', 'mock', '--each', 'bricks', '--out', f'{decoy.directory}/{{}}/exit=0', '--name', 'b-{}', '--seed', '{n}', '--hold', '--key', 'k') == said
    assert [decoy.row(i)['spec']['fields']['seed'] for i in (1, 2, 3)] == [1, 2, 3]
    assert [row['name'] for row in decoy.json('ls')['jobs']] == ['b-0001p000', 'b-0002p000', 'b-0003p000']
    lines = decoy('ls').splitlines()
    assert len(lines) == 2 and lines[1].split()[0] == '1-3' and lines[1].endswith('0 of 3 done, 3 held')
    assert len(decoy('ls', '--flat').splitlines()) == 4
    decoy('release', '1-2')
    decoy('wait', '1-2')
    assert decoy('ls').splitlines()[1].endswith('2 of 3 done, 1 held')
    decoy('cancel', '3')
    assert decoy('ls', '--all').splitlines()[1].endswith('2 of 3 done, 1 cancelled')


def test_an_array_over_parts_of_a_list_writes_their_files(decoy):
    (decoy.directory / 'list').write_text(''.join(f'{i:04d}p000\n' for i in range(7)))
    decoy('submit', 'cutouts', '--each', 'list', '--per', 3, '--survey', '/s', '--bricks', '{file}', '--out', decoy.directory / '{n}', '--hold')
    paths = [pathlib.Path(decoy.row(i)['spec']['fields']['bricks']) for i in (1, 2, 3)]
    assert [path.name for path in paths] == ['1.txt', '2.txt', '3.txt']
    assert [len(path.read_text().split()) for path in paths] == [3, 3, 1]


@pytest.mark.parametrize('flags, part', [
    (['--each', 'none', '--out', '/x/{}'], 'none'),
    (['--each', 'empty', '--out', '/x/{}'], 'has no lines'),
    (['--each', 'two', '--out', '/x'], '--out /x is the same for several jobs: put {} or {n} into it'),
    (['--each', 'two', '--out', '/x/{}', '--per', 2], '--out: {} is one line, but --per'),
    (['--each', 'two', '--out', '/x/{}', '--seed', '{}'], 'seed must be an integer'),
    (['--out', '/x', '--per', 2], '--per says how many lines'),
])
def test_a_bad_array_is_refused_before_anything_is_made(decoy, flags, part):
    (decoy.directory / 'two').write_text('a\nb\n')
    (decoy.directory / 'empty').write_text('\n# nothing\n')
    decoy('submit', 'mock', *flags, status=2)
    assert part in decoy.stderr and decoy.stderr.count('\n') == 1
    assert decoy.json('ls', '--all')['jobs'] == []


def test_drain_is_said_wherever_it_matters(decoy):
    decoy('drain', '--reason', 'a disk is full')
    job = mock(decoy, 'exit=0')
    assert 'a disk is full' in decoy('status') and 'decoy resume' in decoy('explain', job)
    decoy('resume')
    decoy('wait', job)
    assert 'full' not in decoy('status')


def test_recover_starts_a_dead_daemon_and_tells_what_came_back(decoy):
    job = mock(decoy, 'sleep=0.5')
    decoy.until(lambda: decoy.row(job)['state'] == 'running')
    assert decoy('recover') == 'no job ran when the daemon before this one ended\n'
    decoy.kill_daemon()
    answer = decoy.json('recover')
    assert answer['started'] and answer['jobs'] == [job]
    decoy('wait', job)


def test_up_hands_its_flags_on_to_the_daemon(decoy):
    decoy('down')
    decoy.environment.pop('DECOY_SLOTS')
    assert json.loads(decoy('up', '--slots', 3, '--keep-days', '0.5', '--json'))['started']
    status = decoy.json('status')
    assert status['slots'] == 3 and status['keep_days'] == 0.5
    decoy('up', '--slots', 4)
    assert 'next start only' in decoy.stderr
    decoy('up', '--slots', 0, status=2)


def test_forget_takes_ended_jobs_out(decoy):
    one, two = mock(decoy, 'exit=0'), mock(decoy, 'exit=0', '--name', 'keep')
    decoy('wait', one, two)
    assert decoy('forget', one) == '1 job forgotten\n'
    decoy('show', one, status=4)
    assert decoy('forget', '--older', '1h') == '0 jobs forgotten\n'
    assert decoy('forget', '--only', 'succeeded') == '1 job forgotten\n'
    assert decoy('ls', '--all') == 'no jobs\n'
