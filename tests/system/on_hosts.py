"""Runs on the first host of tests/harness/netns_cluster.sh or netns_slurm.sh: on_hosts.py SCENARIO DIRECTORY [flags of the training].
Prints what it saw as JSON."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from waiting import until

BUILD = pathlib.Path(os.environ['DECOY_BUILD'])
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / 'etc' / 'slurm' / 'decoyd.sbatch'
PLACE, TRAINING = pathlib.Path(sys.argv[2]), sys.argv[3:]
os.environ['PATH'] = f'{BUILD}/client:{BUILD}/daemon:{os.environ["PATH"]}'


def tell(*words, timeout=120):
    """The standard output of a command; None when it fails."""
    done = subprocess.run(list(map(str, words)), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=timeout)
    if done.returncode:
        print(words, done.stdout, done.stderr, file=sys.stderr)
    return None if done.returncode else done.stdout


def status():
    answer = subprocess.run(['decoy', 'status', '--json'], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def row(job):
    return json.loads(tell('decoy', 'show', job, '--json'))['job']


def done(job, attempt=1):
    """Examples that the running attempt is at."""
    shown = row(job)
    assert shown['state'] in ('waiting', 'ready', 'running'), shown
    return shown['attempt'] == attempt and shown.get('progress') and shown['progress']['done']


def submit(name, ranks, training=TRAINING):
    return int(tell('decoy', 'submit', 'train', '--dataset', PLACE / 'undisturbed' / 'dataset', '--out', PLACE / name, '--ranks', ranks, *training).split()[-1])


def run(name, ranks):
    """The ids of the stages of a pipeline (test_slurm.py)."""
    return json.loads(tell('decoy', 'run', PLACE / 'pipeline.yaml', '--dir', PLACE / name, '--set', f'ranks={ranks}', '--detach', '--json'))['ids']


def ranks_of(attempt=None):
    """{pid: (job, host's namespace, its CPUs)} of the worker ranks that run on all the hosts."""
    found = {}
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if (folder / 'comm').read_text().strip() != 'decoy-worker' or '\nState:\tZ' in (folder / 'status').read_text():
                continue
            environment = dict(item.split('=', 1) for item in (folder / 'environ').read_text().split('\0') if '=' in item)
            cpus = re.search(r'^Cpus_allowed_list:\t(.*)$', (folder / 'status').read_text(), re.M).group(1)
            if attempt is None or environment['DECOY_ATTEMPT'] == str(attempt):
                found[int(folder.name)] = environment['DECOY_JOB'], os.readlink(folder / 'ns' / 'net'), cpus
        except (OSError, KeyError):
            continue
    return found


def lose(host, job):
    """Pulls the host's cable: how long until the job is put back, and until the ranks cut off are gone."""
    attempt, here = row(job)['attempt'], os.readlink('/proc/self/ns/net')
    away = {pid for pid, (_, host_of, _) in ranks_of().items() if host_of != here}
    tell('nlink', host, 'down')
    began = time.monotonic()
    until(lambda: row(job)['attempts'][attempt - 1]['outcome'], what='the notice of the lost host')
    noticed = time.monotonic() - began
    lost = [h['name'] for h in status()['hosts'] if h['lost']]
    return {'noticed_s': noticed, 'lost': lost, 'away': away, 'began': began}


def gone(loss):
    """Seconds until those who were cut off have ended."""
    until(lambda: not loss['away'] & set(ranks_of()), 60, 'the end of the ranks cut off')
    return time.monotonic() - loss['began']


def ended(job):
    tell('decoy', 'wait', job, timeout=400)
    return [attempt['outcome'] for attempt in row(job)['attempts']]


def resumed_at(job, attempt):
    """The step of the checkpoint from which the attempt went on; None: from none."""
    events = [json.loads(line)['event'] for line in tell('decoy', 'events', job, '--json').splitlines()]
    found = [re.search('goes on from the checkpoint after step ([0-9]+)', event['context'].get('text', '')) for event in events if event['attempt'] == attempt]
    return next((int(match.group(1)) for match in found if match), None)


def lost_host():
    tell('ndelay', 'all', 1000, 0, 0)  # to the switch's every port: 2 ms there and back
    tell('decoy', 'up', '--hosts', 'h1:1,h2:1,h3:1')
    job = submit('lost_host', 3)
    before = until(lambda: list((PLACE / 'lost_host').glob('ckpts/ckpt-*')) and done(job), what='a checkpoint')
    loss = lose('h3', job)
    running = until(lambda: len(ranks_of(2)), what='the second attempt')
    gone_s = gone({**loss, 'away': loss['away'] - set(ranks_of(2))})
    ranks = until(lambda: len(ranks_of(2)) == 2 and 2) if running else 0
    outcomes, refused, resumed = ended(job), status()['reach']['refused'], resumed_at(job, 2)
    tell('decoy', 'down')
    return {'refused': refused, 'resumed_at': resumed, 'noticed_s': loss['noticed_s'], 'lost': loss['lost'], 'gone_s': gone_s, 'ranks': ranks, 'steps_before': before, 'outcomes': outcomes}


def pids_on(host, *names):
    """The programs of these names on the host."""
    of_host, found = os.stat(f'/run/netns/{host}').st_ino, set()
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if (folder / 'comm').read_text().strip() in names and os.stat(folder / 'ns' / 'net').st_ino == of_host:
                found.add(int(folder.name))
        except OSError:
            continue
    return found


def stop(pid):
    """Hosts of the harness see each other's processes: decoyd must not know this one for its own, and kill it."""
    os.kill(pid, signal.SIGSTOP)
    tell('mount', '--bind', '/dev/null', f'/proc/{pid}/environ')


def ticks(pid):
    """What it used of a processor; None when it has ended."""
    try:
        fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
        return None if fields[0] in 'ZX' else int(fields[11]) + int(fields[12])
    except OSError:
        return None


def sizes(folder):
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def cut_off_writer():
    """The host of the rank that writes is cut off and hangs; the rank comes round while the next attempt is under way elsewhere."""
    out = PLACE / 'cut_off_writer'
    tell('decoy', 'up', '--hosts', 'h1:1,h2:1,h3:1')
    submit('in_the_way', 1, ['--epochs', 1000])  # on the first host
    job = submit('cut_off_writer', 1)
    until(lambda: list(out.glob('ckpts/ckpt-*')), what='a checkpoint')
    (launcher,), (rank,) = pids_on('h2', 'orted'), pids_on('h2', 'decoy-worker')
    stop(launcher)  # else it ends its rank as soon as it notices
    stop(rank)
    loss, before, logs = lose('h2', job), ticks(rank), sizes(out / 'logs')
    resumed = until(lambda: [name for name in sizes(out / 'logs') if name not in logs], what='logs of the second attempt')
    os.kill(rank, signal.SIGCONT)
    outcomes, after = ended(job), ticks(rank)
    grown = [name for name, size in logs.items() if sizes(out / 'logs')[name] != size]
    os.kill(launcher, signal.SIGCONT)
    until(lambda: ticks(rank) is None, 60, 'the end of the rank that was cut off')
    tell('decoy', 'down')
    return {'noticed_s': loss['noticed_s'], 'lost': loss['lost'], 'logs_after': len(resumed), 'awake': after is None or after > before, 'grown': grown, 'outcomes': outcomes}


def two_hosts():
    short = ['--epochs', 1, '--batch', 40, '--micro-batch', 8]  # five micro-batches for four ranks
    tell('decoy', 'up', '--hosts', 'h1:2,h2:2')
    job = submit('two_hosts', 4, short)
    found = until(lambda: (ranks := ranks_of()) and len(ranks) == 4 and ranks, what='four ranks')
    hosts = [host for _, host, _ in found.values()]
    outcomes = ended(job) + ended(submit('one_rank', 1, short))
    tell('decoy', 'down')
    return {'ranks': [hosts.count(host) for host in set(hosts)], 'outcomes': outcomes}


def queue():
    return tell('squeue', '--noheader', '--format', '%i %T').split('\n')[:-1]


def start_service(launcher):
    """decoyd.sbatch for two nodes and a short time."""
    text = SCRIPT.read_text().replace('--nodes=1', '--nodes=2').replace('--time=04:00:00', '--time=10')
    script = PLACE / 'decoyd.sbatch'
    script.write_text(text)
    pathlib.Path(os.environ['DECOY_STATE']).mkdir(mode=0o700)
    set_launcher(launcher)
    return tell('sbatch', '--chdir', PLACE, script).split()[-1]


def set_launcher(launcher):
    (pathlib.Path(os.environ['DECOY_STATE']) / 'decoyd.yaml').write_text(f'launcher: {launcher}\n')


def first_allocation(service, job):
    """Until Slurm's warning has ended it: its end, as Slurm saw it."""
    until(lambda: (done(job) or 0) > 300, 180, 'progress of the training, after cutouts and split')
    set_launcher('mpirun')
    tell('scancel', '--batch', '--signal', 'USR1', service)
    began = time.monotonic()
    shown = until(lambda: re.search(r'JobState=(COMPLETED|FAILED|CANCELLED|NODE_FAIL)\b.* ExitCode=(\S+)', tell('scontrol', '--oneliner', 'show', 'job', service)),
                  what='the end of the allocation')
    return list(shown.groups()), time.monotonic() - began


def watch_cores(jobs, ranks):
    """All ranks of the jobs side by side: who shares a core, and how many are bound to one."""
    def look():
        found = ranks_of()
        bound = [cpus for _, _, cpus in found.values() if cpus.isdigit()]
        return len({job for job, _, _ in found.values()}) == jobs and len(found) == ranks and len(bound) == ranks and found
    found = until(look, 30, f'{ranks} bound ranks of {jobs} jobs, not {ranks_of()}')
    cores = [(host, cpus) for _, host, cpus in found.values()]
    return {'shared_cores': [core for core in cores if cores.count(core) > 1], 'bound': len(cores), 'ranks_running': len(found)}


def allocations():
    cpus = os.cpu_count() if not hasattr(os, 'sched_getaffinity') else len(os.sched_getaffinity(0))
    service = start_service('srun')
    until(status, what='the daemon in the first allocation')
    stages = run('allocations', cpus + 1)  # one more than a node has cores
    job, seen = stages['model'], {}
    seen['exit'], seen['left_s'] = first_allocation(service, job)
    began = time.monotonic()
    until(status, what='the daemon in the second allocation')
    seen['next_s'] = time.monotonic() - began
    beside = submit('beside', 1)
    seen['resumed_at'] = until(lambda: done(job, 2), what='the second attempt')
    seen['total'] = row(job)['progress']['total']
    seen.update(watch_cores(2, cpus + 2))
    loss = lose('h2', job)
    seen.update(noticed_s=loss['noticed_s'], lost=loss['lost'], gone_s=gone({**loss, 'away': loss['away'] - set(ranks_of(3))}))
    seen['outcomes'] = ended(job)
    seen['resumed_steps'] = [resumed_at(job, attempt) for attempt in (1, 2, 3)]
    seen['beside'] = ended(beside)
    tell('decoy', 'wait', stages['verdict'])
    seen['pipeline'] = {name: [row(id)['state'], row(id)['attempt']] for name, id in stages.items()}
    seen['refused'] = status()['reach']['refused']
    shown = row(job)
    seen.update(first_exit=shown['attempts'][0]['exit_status'], failures=len([a for a in shown['attempts'] if a['outcome'] in ('failed', 'retried')]))
    tell('decoy', 'down')
    until(lambda: not queue(), 30, 'the end of the service')
    seen['after_down'] = ' '.join(queue())
    return seen


os.environ['DECOY_STATE'] = str(PLACE / f'state-{sys.argv[1]}')
print(json.dumps({'lost_host': lost_host, 'cut_off_writer': cut_off_writer, 'two_hosts': two_hosts, 'allocations': allocations}[sys.argv[1]]()))
