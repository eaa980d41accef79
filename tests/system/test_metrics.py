"""What Prometheus is told, read by its own client's parser."""
import re
import shutil
import stat
import time

import pytest
from client import decoy, refused
from prometheus_client.parser import text_string_to_metric_families
from protocol import Daemon, alive


def lint(text):
    """What is against the format, or against prometheus.io/docs/practices/naming as promtool checks it."""
    families = list(text_string_to_metric_families(text))
    wrong = [] if text.endswith('\n') else ['the last line does not end']
    for family in families:
        if not re.fullmatch(r'decoy_[a-z_]+', family.name):
            wrong.append(f'{family.name}: not snake case')
        if family.type == 'unknown' or not family.documentation:
            wrong.append(f'{family.name}: no type or no help')
        once = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        if len(set(once)) != len(once) or text.count(f'# HELP {family.name} ') + text.count(f'# HELP {family.name}_total ') > 1:
            wrong.append(f'{family.name}: told twice')
        if re.search(r'_(ms|us|milliseconds|minutes|days|kb|mib|percent)(_|$)', family.name):
            wrong.append(f'{family.name}: not a base unit')
    for name, kind in re.findall('(?m)^# TYPE ([^ ]*) (.*)$', text):  # the parser mends names
        if (kind == 'counter') != name.endswith('_total') or re.search('_(count|sum|bucket)$', name):
            wrong.append(f'{name}: the name of another type')
    return families, wrong


def told(daemon):
    text = daemon.peer.ask('prometheus')['text']
    families, wrong = lint(text)
    assert not wrong
    return {(sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples}


def test_the_check_finds_what_is_wrong():
    good = '# HELP decoy_a_total A.\n# TYPE decoy_a_total counter\ndecoy_a_total 1\n'
    assert lint(good)[1] == []
    for bad in [good.replace('_total', ''), good.replace('counter', 'gauge'), good.replace('# HELP decoy_a_total A.\n', ''), good + good, good.replace('a_', 'a_ms_'), good.strip()]:
        assert lint(bad)[1], bad


def test_jobs_slots_and_what_became_of_them(daemon):
    before = time.time()
    daemon.finish(daemon.submit(), daemon.submit('exit=1', retries=1, backoff=0))
    daemon.submit(hold=True)
    job = daemon.submit('metrics,progress=200', name='a "quoted\\name')
    daemon.until(lambda: ('decoy_job_rate', ('job', str(job)), ('kind', 'mock'), ('unit', 'bricks')) in told(daemon))
    values = told(daemon)
    host = daemon.peer.ask('hello')['host']
    for state, count in {'held': 1, 'running': 1, 'succeeded': 1, 'failed': 1, 'waiting': 0}.items():
        assert values['decoy_jobs', ('state', state)] == count
    for event, count in {'submitted': 4, 'started': 4, 'retried': 1, 'failed': 1, 'succeeded': 1, 'cancelled': 0}.items():
        assert values['decoy_job_events_total', ('event', event)] == count
    assert values['decoy_slots', ('host', host)] == 2 and values['decoy_slots_used', ('host', host)] == 1
    mine = ('job', str(job)), ('kind', 'mock')
    assert values['decoy_job_info', *mine, ('name', 'a "quoted\\name'), ('run', '')] == 1
    assert values['decoy_job_step', *mine] == 7 and values['decoy_job_loss', *mine] == 0.5
    assert 0 < values['decoy_job_progress_ratio', *mine] < 1 and 0 < values['decoy_job_left_seconds', *mine] < 60
    assert 5 < values['decoy_job_rate', *mine, ('unit', 'bricks')] < 50
    assert before <= values['decoy_job_start_time_seconds', *mine] <= time.time()
    assert before <= values['decoy_last_event_time_seconds',] <= time.time()
    assert ('decoy_reservation_end_time_seconds',) not in values
    daemon.finish(daemon.peer.ask('cancel', job=job)['job']['id'])
    assert not [name for name, *labels in told(daemon) if name.startswith('decoy_job_') and ('job', str(job)) in labels]


def test_the_disk_its_commits_and_who_was_refused(daemon):
    first = told(daemon)
    daemon.submit(hold=True)
    values = told(daemon)
    assert values['decoy_commit_seconds_count',] == first['decoy_commit_seconds_count',] + 1
    assert values['decoy_commit_seconds_sum',] > first['decoy_commit_seconds_sum',]
    buckets = [value for (name, *_), value in values.items() if name == 'decoy_commit_seconds_bucket']
    assert buckets == sorted(buckets) and buckets[-1] == values['decoy_commit_seconds_count',]
    disk = shutil.disk_usage(daemon.state)
    assert values['decoy_state_size_bytes',] == disk.total and abs(values['decoy_state_free_bytes',] - disk.free) < 0.2 * disk.total
    assert values['decoy_queue_bytes',] == sum((daemon.state / name).stat().st_size for name in ['queue.db', 'queue.db-wal'])
    assert {label: values['decoy_clients_refused_total', ('reason', label)] for label in ['user', 'key', 'curve']} == {'user': 0, 'key': 0, 'curve': 0}
    assert 0 < values['decoy_cpu_seconds_total',] < 60 and 1e6 < values['decoy_resident_memory_bytes',] < 1e9


def test_the_last_event_is_known_after_a_restart_and_the_end_of_the_reservation():
    daemon = Daemon(DECOY_UNTIL='+2h')
    try:
        assert ('decoy_last_event_time_seconds',) not in told(daemon)
        daemon.submit(hold=True)
        last = told(daemon)['decoy_last_event_time_seconds',]
        daemon.stop()
        daemon.start()
        values = told(daemon)
        assert values['decoy_last_event_time_seconds',] == last and values['decoy_job_events_total', ('event', 'submitted')] == 0
        assert 7100 < values['decoy_reservation_left_seconds',] < 7200 and abs(values['decoy_reservation_end_time_seconds',] - time.time() - 7200) < 60
        assert values['decoy_reservation_end_time_seconds',] - values['decoy_queue_close_time_seconds',] == pytest.approx(60)
    finally:
        daemon.close()


def test_the_verb_prints_the_same(daemon):
    done = decoy(daemon.state, 'status', '--metrics')
    assert done.returncode == 0 and lint(done.stdout)[1] == []
    assert 'decoy_build_info{version="' in done.stdout


def test_a_file_is_kept_for_others_to_read_and_goes_with_the_daemon(tmp_path):
    folder = tmp_path / 'collector'
    folder.mkdir()
    path = folder / 'decoyd.prom'
    daemon = Daemon(DECOY_METRICS_FILE=str(path), DECOY_METRICS_EVERY='0.1')
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        daemon.submit(hold=True)
        daemon.until(lambda: 'decoy_jobs{state="held"} 1\n' in path.read_text(), 5)
        for _ in range(200):  # never half of it
            assert lint(path.read_text())[1] == []
        folder.rename(tmp_path / 'gone')  # at once: decoyd is writing into it
        daemon.until(lambda: 'cannot write' in daemon.log(), 5)
        time.sleep(0.5)
        assert daemon.log().count('cannot write') == 1 and alive(daemon.process.pid)
        folder.mkdir()
        daemon.until(path.exists, 5)
        assert daemon.stop() == 0
        assert list(folder.iterdir()) == []
    finally:
        daemon.close()


def test_a_file_that_cannot_be_is_said_at_the_start(tmp_path):
    refused(decoy(tmp_path / 's', 'up', '--metrics-file', 'here.txt', cwd=tmp_path), 3, f'{tmp_path}/here.txt', '.prom')
    refused(decoy(tmp_path / 's', 'up', '--metrics-file', '/nonexistent/x.prom'), 3, 'metrics_file', '/nonexistent')
