"""Submitting to decoyd: one transaction, one job a key, a sentence for what is refused."""
import json
import pathlib

import pytest
from protocol import JOB, Refused, refused


def test_a_job_runs_and_its_result_is_kept(daemon):
    job = daemon.submit('result', name='first')
    assert daemon.finish(job) == ['succeeded']
    row = daemon.show(job)
    assert row['result']['auc'] == 0.75 and row['name'] == 'first' and row['attempt'] == 1
    assert row['spec']['fields']['bricks'] == 12 and row['attempts'][0]['outcome'] == 'succeeded'
    assert 0 < row['submitted_us'] <= row['started_us'] <= row['ended_us']
    assert daemon.names(job) == ['submitted', 'ready', 'started', 'succeeded']


def test_a_worker_sees_only_what_it_should(daemon):
    job = daemon.submit('result', threads=2)
    daemon.finish(job)
    result = daemon.show(job)['result']
    directory = pathlib.Path(daemon.show(job)['attempts'][0]['directory'])
    assert 'UNLISTED' not in result['environment'] and 'OMP_NUM_THREADS' in result['environment']
    assert result['cwd'] == str(directory)
    assert json.loads((directory / 'spec.json').read_text())['threads'] == 2


def test_all_jobs_of_a_submit_are_made_or_none(daemon):
    with pytest.raises(Refused) as caught:
        daemon.peer.ask('submit', jobs=[JOB, dict(JOB, fields={'out': 'relative'})])
    assert caught.value.code == 'bad_spec' and 'jobs[1]' in caught.value.text and 'absolute' in caught.value.text
    assert daemon.peer.ask('list', all=True)['jobs'] == [] and daemon.events() == []


@pytest.mark.parametrize('code, part, jobs', [
    ('bad_request', 'jobs must be an array', []),
    ('bad_request', 'jobs must be an array', None),
    ('bad_request', 'must be an object', [7]),
    ('bad_spec', 'did you mean mock', [{'kind': 'mok', 'fields': {}}]),
    ('bad_spec', 'brciks', [{'kind': 'mock', 'fields': {'out': '/x', 'brciks': 3}}]),
    ('refused', '3 ranks x 1 threads = 3 slots, but decoyd has 2', [dict(JOB, options={'ranks': 3})]),
    ('no_job', 'no job 77', [dict(JOB, after=[77])]),
    ('bad_request', 'after[0]', [dict(JOB, after=['#0'])]),
])
def test_a_bad_submit_is_refused_with_a_sentence(daemon, code, part, jobs):
    refused(daemon, code, part, 'submit', jobs=jobs)


def test_the_same_key_is_the_same_job_and_another_body_a_conflict(daemon):
    first = daemon.submit('quick', key='k1')
    assert daemon.submit('quick', key='k1') == first
    with pytest.raises(Refused) as caught:
        daemon.submit('slow', key='k1')
    assert caught.value.code == 'conflict' and f'job {first}' in caught.value.text
    daemon.finish(first)
    daemon.kill()
    daemon.start()
    assert daemon.submit('quick', key='k1') == first
    assert len(daemon.peer.ask('list', all=True)['jobs']) == 1


def test_a_repeated_pipeline_is_not_made_twice(daemon):
    jobs = [dict(JOB, key='a'), dict(JOB, key='b', after=['#0']), dict(JOB, after=['#1'])]
    one, two = daemon.peer.ask('submit', jobs=jobs)['ids'], daemon.peer.ask('submit', jobs=jobs)['ids']
    assert one[:2] == two[:2] and one[2] != two[2]
