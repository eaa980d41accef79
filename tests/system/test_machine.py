"""decoyd as a unit of systemd: its hardening, and a real service manager that starts, watches and ends it."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest
from client import BUILD, DECOY
from protocol import DECOYD, WORKER

BUILD = pathlib.Path(BUILD).resolve()
SOURCE = pathlib.Path(__file__).resolve().parents[2]
MANAGER = SOURCE / 'tests' / 'harness' / 'systemd_user.sh'
LOOSEST = 1.5

def can_manage():
    """A service manager of one's own needs systemd, root, and both cgroup hierarchies."""
    return os.geteuid() == 0 and os.path.exists('/lib/systemd/systemd') and all(os.access(f'/sys/fs/cgroup/{name}', os.W_OK) for name in ['systemd', 'unified'])


needs_manager = pytest.mark.skipif(not can_manage(), reason='no service manager can be run here (it needs root, systemd and both kinds of cgroups)')


def exposure(unit):
    done = subprocess.run(['systemd-analyze', 'security', '--offline=true', '--no-pager', unit], capture_output=True, text=True, check=False)
    return float(re.search(r'exposure level for \S+ ([0-9.]+)', done.stdout.replace(':', '')).group(1))


def test_the_unit_is_hardened():
    unit = BUILD / 'systemd' / 'decoyd.service'
    score = exposure(unit)
    print(f'\nS4 exposure of decoyd.service: {score}, at most {LOOSEST}')
    assert score <= LOOSEST
    with tempfile.TemporaryDirectory() as directory:
        bare = pathlib.Path(directory) / 'decoyd.service'
        bare.write_text(re.sub(r'(?m)^(System|Restrict|Protect|Private|IPAddress|Capability)\w*=.*\n', '', unit.read_text()))
        assert exposure(bare) > LOOSEST


@pytest.mark.parametrize('abstract', [False, True])
def test_systemd_is_told(abstract):
    """Ready, alive twice in the span that it waits for, and ending."""
    with tempfile.TemporaryDirectory(prefix='decoy-', dir='/tmp') as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f'@decoy-{os.getpid()}' if abstract else f'{directory}/notify'
        listener.bind(name.replace('@', '\0') if abstract else name)
        listener.settimeout(20)
        process = subprocess.Popen([DECOYD, '--state', f'{directory}/s', '--foreground'], stderr=subprocess.DEVNULL,
                                   env=dict(os.environ, NOTIFY_SOCKET=name, WATCHDOG_USEC='400000', DECOY_WORKER=str(WORKER)))
        try:
            assert listener.recv(999).decode().split('\n')[:2] == ['READY=1', f'MAINPID={process.pid}']
            began = time.monotonic()
            assert [listener.recv(999) for _ in range(5)] == [b'WATCHDOG=1'] * 5
            assert 0.8 < time.monotonic() - began
            process.terminate()
            said = b'WATCHDOG=1'
            while said == b'WATCHDOG=1':
                said = listener.recv(999)
            assert said.startswith(b'STOPPING=1\n') and process.wait(20) == 0
        finally:
            process.kill()


def test_the_journal_gets_priorities():
    with tempfile.TemporaryDirectory(prefix='decoy-', dir='/tmp') as directory:
        ours, theirs = socket.socketpair()
        status = os.fstat(theirs.fileno())
        for stream, expected in [(f'{status.st_dev}:{status.st_ino}', rb'<6>decoyd '), ('1:2', rb'\d{4}-\d\d-\d\dT[0-9:]+Z info: decoyd ')]:
            process = subprocess.Popen([DECOYD, '--state', f'{directory}/s', '--foreground'], stderr=theirs, env=dict(os.environ, JOURNAL_STREAM=stream, DECOY_WORKER=str(WORKER)))
            said = ours.recv(9999)
            process.terminate()
            process.wait(20)
            assert re.match(expected, said), said
            ours.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    ours.recv(9999)
            ours.setblocking(True)


SCRIPT = '''set -e
show() { systemctl --user show -P "$1" decoyd; }
until_is() { for i in $(seq 200); do [ "$(show $1)" = "$2" ] && return; sleep 0.1; done; echo "$1 is $(show $1), not $2"; systemctl --user status decoyd; cat "$HOME/manager.log"; exit 1; }
systemctl --user start decoyd
until_is ActiveState active
"$DECOY" submit mock --ranks 2 --bricks 2 --size 256 --out "$STATE/made" --follow
first=$(show MainPID)
echo "filters $(sed -n 's/^Seccomp://p' /proc/$first/status)"
kill -STOP $first
until_is NRestarts 1
until_is ActiveState active
[ "$(show MainPID)" != "$first" ]
"$DECOY" ls --all
systemctl --user stop decoyd
until_is ActiveState inactive
[ "$(show Result)" = success ]
echo all is well
'''


def run_unit(lines):
    """The script with a service of these lines, under a real manager."""
    with tempfile.TemporaryDirectory(prefix='decoy-', dir='/tmp') as directory:
        units = pathlib.Path(directory) / 'units'
        units.mkdir()
        (units / 'decoyd.service').write_text(lines.replace('@state@', f'{directory}/s'))
        return subprocess.run([MANAGER, units, 'bash', '-c', SCRIPT], capture_output=True, text=True, timeout=110, check=False, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, DECOY=DECOY, STATE=directory, DECOY_STATE=f'{directory}/s', LC_ALL='C'))


def unit_text(path, keep=lambda line: True):
    text = '\n'.join(line for line in (BUILD / 'systemd' / path).read_text().split('\n') if keep(line))
    text = re.sub('ExecStart=.*', f'ExecStart={DECOYD} --foreground --state @state@\nEnvironment=DECOY_SLOTS=2 ASAN_OPTIONS=detect_leaks=0', text)
    return text.replace('WatchdogSec=30', 'WatchdogSec=2')


@needs_manager
def test_a_manager_starts_watches_and_ends_the_users_unit():
    done = run_unit(unit_text('user/decoyd.service'))
    assert done.returncode == 0 and 'all is well' in done.stdout, done.stdout + done.stderr


@needs_manager
def test_ranks_work_under_the_system_units_filters():
    """Of the hardening, what a manager of a user can apply: system calls, address families and the like."""
    def keep(line):
        return not re.match(r'User=|Group=|StateDirectory|ProtectHome|PrivateTmp|PrivateUsers|IPAddress|Capability|Ambient|After|Wants=|DevicePolicy|ProtectSystem|PrivateMounts|PrivateDevices|Protect|ProcSubset|KeyringMode', line)
    done = run_unit(unit_text('decoyd.service', keep))
    assert done.returncode == 0 and 'all is well' in done.stdout, done.stdout + done.stderr
    assert 'filters \t2\n' in done.stdout, done.stdout  # they were on: 2 is SECCOMP_MODE_FILTER
