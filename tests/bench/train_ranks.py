"""What a second rank is worth: the train job on one core (on each of two in turn: the mean), twice at once on a core
each, and once as two ranks of a thread on a core each. Part of train.py; the four take turns, since a shared machine is
not the same twice.

Two trainings that know nothing of each other show what the machine gives to a second core (its memory, its clock); what
two ranks stay behind that is the price of being one training. Their traces say of which kind: in a step, what the rank
that waits least spends on the sum of gradients is the exchange; what the other spends beyond that, it waits for the
slower. A rank binds itself as under decoyd (daemon/worker/bind.c)."""
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'ref'))
import synthetic

EXAMPLES, BATCH, MICRO, EPOCHS, SKIPPED_ROWS = 2560, 64, 16, 2, 1
MPI = ['mpirun', '--oversubscribe', '--bind-to', 'none', '--quiet', '--mca', 'pml', 'ob1', '--mca', 'btl', 'self,vader,tcp', '--mca', 'mpi_yield_when_idle', '1']
ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS='1', OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1')


def make_dataset(directory):
    path = os.path.abspath(os.path.join(directory, f'dataset-{EXAMPLES}'))
    if not os.path.exists(os.path.join(path, 'manifest.json')):
        synthetic.write(path, train=EXAMPLES, valid=64, side=64)
    return path


def start(options, dataset, work, name, ranks, cores):
    """A training of so many ranks, on these of the cores that this process may use."""
    fields = dict(dataset=dataset, out=os.path.join(work, name), model='lenet-2x2', epochs=EPOCHS, batch=BATCH, micro_batch=MICRO, trace_from=10,
                  trace_steps=EPOCHS * EXAMPLES // BATCH - 10)
    shutil.rmtree(fields['out'], ignore_errors=True)
    path = os.path.join(work, f'{name}.json')
    with open(path, 'w') as stream:
        json.dump({'kind': 'train', 'threads': 1, 'fields': {key: str(value) for key, value in fields.items()}}, stream)
    bound = f"{platform.node()}/{len(os.sched_getaffinity(0))}:{','.join(map(str, cores))}"
    launcher = MPI + ['-n', str(ranks)] if ranks > 1 else []
    command = launcher + [os.path.join(options.build, 'daemon', 'worker', 'decoy-worker'), '--spec', path]
    return fields['out'], subprocess.Popen(command, env=dict(ENVIRONMENT, DECOY_CPUS=bound), stdout=subprocess.DEVNULL)


def end(training):
    """Images a second and the share of its time that rank 0 waits for input: medians over rows of ten steps."""
    out, process = training
    if process.wait():
        sys.exit(f'the training of {out} failed')
    with open(os.path.join(out, 'metrics.jsonl')) as stream:
        rows = [row for row in map(json.loads, stream) if 'img_per_s' in row][SKIPPED_ROWS:]
    return statistics.median(row['img_per_s'] for row in rows), statistics.median(row['input_share'] for row in rows)


def steps_of(out, rank):
    """(start of its first micro-batch, its end, time spent on the sum) of each traced step, in microseconds."""
    with open(os.path.join(out, 'prof', f'trace-{rank}.json')) as stream:
        events = sorted((event for event in json.load(stream)['traceEvents'] if event['ph'] == 'X'), key=lambda event: event['ts'])
    steps, begun, spent = [], None, 0
    for event in events:
        begun = event['ts'] if begun is None else begun
        spent += event['dur'] if event['cat'] == 'reduce' else 0
        if event['cat'] == 'update':
            steps.append((begun, event['ts'] + event['dur'], spent))
            begun, spent = None, 0
    return steps


def price(out):
    """Shares of the traced steps: (exchange, waiting for the slower rank)."""
    pairs = list(zip(steps_of(out, 0), steps_of(out, 1)))
    whole = pairs[-1][0][1] - pairs[0][0][0]
    exchange = sum(min(a[2], b[2]) for a, b in pairs)
    return exchange / whole, sum(max(a[2], b[2]) for a, b in pairs) / whole - exchange / whole


def one_round(options, dataset, work):
    alone = [end(start(options, dataset, work, 'one', 1, [core])) for core in (0, 1)]
    one = statistics.mean(row[0] for row in alone)
    apart = [end(training) for training in [start(options, dataset, work, f'apart{core}', 1, [core]) for core in (0, 1)]]
    two = start(options, dataset, work, 'two', 2, [0, 1])
    rate, waiting = end(two)
    exchange, slower = price(two[0])
    both = sum(row[0] for row in apart)
    return {'one': one, 'one_input': max(row[1] for row in alone), 'apart': both, 'apart_ratio': both / one, 'two': rate, 'two_ratio': rate / one,
            'two_input': waiting, 'exchange': exchange, 'slower': slower}


def say(rows, name, scale=1, digits=2):
    values = [scale * row[name] for row in rows]
    return f'{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})'


def run(options):
    """The rounds' figures; None on a machine of one core."""
    if len(os.sched_getaffinity(0)) < 2:
        print('\none core only: nothing to say of two ranks')
        return None
    os.makedirs(options.dir, exist_ok=True)
    dataset = make_dataset(options.dir)
    work = tempfile.mkdtemp(prefix='decoy-bench-', dir='/dev/shm' if os.path.isdir('/dev/shm') else None)
    try:
        rows = [one_round(options, dataset, work) for _ in range(options.rank_rounds)]
    finally:
        shutil.rmtree(work)
    print(f'\nranks of one thread, each bound to a core; lenet-2x2, batch {BATCH} in micro-batches of {MICRO}; median of {len(rows)} rounds (least to most)')
    print(f"    one rank                   {say(rows, 'one', digits=0)} img/s, waits for input {say(rows, 'one_input', 100, 1)} %")
    print(f"    two trainings of one rank  {say(rows, 'apart', digits=0)} img/s, {say(rows, 'apart_ratio')} times one")
    print(f"    one training of two ranks  {say(rows, 'two', digits=0)} img/s, {say(rows, 'two_ratio')} times one, waits for input {say(rows, 'two_input', 100, 1)} %")
    print(f"        of a step: the exchange {say(rows, 'exchange', 100, 1)} %, waiting for the slower rank {say(rows, 'slower', 100, 1)} %")
    return rows
