"""./run record [MINUTES [PROMISE...]]: runs the crash tests (those of Q1, E1, ... if any are named) over and over with ever new seeds, and adds
what each did to tests/RECORD.md, until the record holds what the promises name for a release. It may be ended at any time: the next run
goes on with the next seed."""
import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORD = ROOT / 'tests' / 'RECORD.md'
# Test, what it records first, trials a round, trials that a release wants.
PLAN = [('test_fuzzed_fits.py', 'T6 cutouts, spoilt files', 1000, 10000), ('test_kill.py', 'T5 cutouts, kills', 200, 12000),
        ('test_injection.py', 'S3 cutouts, hostile values', 100, 100000), ('test_rank_death.py', 'T7 cutouts, ranks killed', 1, 100),
        ('test_faults.py::test_every_fault_is_noticed_and_leaves_nothing_behind', 'T7 dead rank', 60, 800),
        ('test_daemon_kill.py::test_kills_under_eight_clients_lose_nothing_and_double_nothing', 'Q1 kills under submits', 1000, 100000),
        ('train/test_train.py', 'T1 kill-and-resume chains', 20, 200), ('test_save_killed', 'T3 saves killed', 2000, 50000),
        ('power_cut', 'Q2 power cuts, write-ahead log', 20000, 250000), ('interleave', 'Q3 interleavings', 20000, 10000000),
        ('test_daemon_calls.py', 'Q5 failing system calls', 500, 10000),
        ('test_daemon_kill.py::test_a_killed_daemon_of_many_jobs_serves_again_soon', 'Q6 restarts with 10,000 jobs', 100, 1000),
        ('test_daemon_disk.py', 'Q7 full disks of 1 MiB', 100, 1000), ('test_daemon_owner.py', 'Q8 starts at once', 500, 10000),
        ('test_daemon_garbage.py', 'S1 garbage on the socket', 100000, 10000000),
        ('test_daemon_soak.py', 'E1 soak, seconds', 1800, 86400)]
HEAD = '''# Record of trials

What `./run record` ran: each line is one round with a seed of its own, on the commit and machine it names. Zero failures in N trials bound
the rate of failure below 3/N at 95 %. A round that failed is here, too.

| date | commit | machine | what | trials | seed | what came of it |
| --- | --- | --- | --- | --- | --- | --- |
'''


def rows():
    lines = RECORD.read_text().splitlines() if RECORD.exists() else []
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines if line.startswith('| 2')]


def add(cells):
    if not RECORD.exists():
        RECORD.write_text(HEAD)
    with open(RECORD, 'a', encoding='utf-8') as file:
        file.write('| ' + ' | '.join(str(cell).replace('|', '/') for cell in cells) + ' |\n')


def command_of(test, trials, environment):
    if test == 'train/test_train.py':
        return ['/usr/bin/python3', str(ROOT / 'tests/unit' / test), environment['DECOY_WORKER'], shutil.which('mpirun') or '',
                str(ROOT / 'tests/unit/train/tiny.yaml'), 'Train.test_kill_and_resume_gives_the_same_bits']
    if '.py' in test:
        return ['/usr/bin/python3', '-m', 'pytest', '-q', '-s', '-p', 'no:cacheprovider', str(ROOT / 'tests/crash' / test)]
    return [environment['DECOY_BUILD'] + '/tests/crash/' + test, str(trials)]


def processor():
    """Its name, as /proc/cpuinfo has it."""
    found = re.search(r'^model name\s*: (.*)$', pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8'), re.M)
    return found.group(1) if found else platform.machine()


def round_of(test, what, trials, environment):
    """One round: its lines are added; False when it failed."""
    seed = 1000 + sum(row[3] == what for row in rows())
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    place = [datetime.date.today().isoformat(), commit, f'{os.cpu_count()} cores, {processor()}']
    more = dict(CRASH_N=str(trials), CRASH_SEED=str(seed), DECOY_CHAINS=str(trials), DECOY_KILLS='10', DECOY_SEED=str(seed))
    done = subprocess.run(command_of(test, trials, environment), env=dict(environment, **more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith('RECORD\t'):
            add(place + line.split('\t')[1:])
            print(line[7:])
    if done.returncode:
        add(place + [what, trials, seed, 'FAILED'])
        print(done.stdout[-4000:])
    return done.returncode == 0


def main():
    build, minutes = pathlib.Path(sys.argv[1]).resolve(), float(sys.argv[2]) if len(sys.argv) > 2 else float('inf')
    environment = dict(os.environ, DECOY_WORKER=str(build / 'daemon/worker/decoy-worker'), DECOY_BUILD=str(build), DECOY_ETC=str(ROOT / 'etc'),
                       DYING_READER_MODULE=str(build / 'tests/crash/libdying_reader.so'), FAILING_DISK_MODULE=str(build / 'tests/system/libfailing_disk.so'),
                       PRINT_SPEC=str(build / 'tests/crash/print_spec'))
    plan = [line for line in PLAN if not sys.argv[3:] or line[1].split()[0] in sys.argv[3:]]
    if not plan:
        sys.exit(f'run record: there are rounds of {", ".join(sorted({line[1].split()[0] for line in PLAN}))}')
    end, good, left = time.monotonic() + 60 * minutes, True, True
    while left and good:
        left = False
        for test, what, trials, wanted in plan:
            if sum(int(row[4]) for row in rows() if row[3] == what and row[6] != 'FAILED') >= wanted:
                continue
            if time.monotonic() > end:
                return 0
            left = True
            good = round_of(test, what, trials, environment) and good
    return 0 if good else 1


sys.exit(main())
