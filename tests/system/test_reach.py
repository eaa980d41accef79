"""Who may connect to decoyd, by its local socket and by TCP, and that nobody else can."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import time

import pytest
import zmq
from client import decoy, refused
from protocol import DECOYD, JOB, Daemon, Peer

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can become another user')


@pytest.fixture(scope='module')
def listening():
    """A daemon that serves TCP on the loopback interface."""
    daemon = Daemon(DECOY_LISTEN='lo')
    yield daemon
    daemon.close()


def endpoint(daemon):
    return json.loads((daemon.state / 'endpoint.json').read_text())


def reach(daemon):
    return daemon.peer.ask('status')['reach']


def refused_more(daemon, before, seconds=5):
    """How many were refused since, once there is one."""
    end = time.monotonic() + seconds
    while reach(daemon)['refused'] == before and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.2)
    return reach(daemon)['refused'] - before


@contextlib.contextmanager
def stranger(address, **options):
    """A client with these socket options, which has asked for the status."""
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger, dealer.reconnect_ivl, dealer.sndtimeo = 0, -1, 2000
    for name, value in options.items():
        setattr(dealer, name, value)
    dealer.connect(address)
    with contextlib.suppress(zmq.Again):  # refused before it could ask
        dealer.send_multipart([b'decoy1', b'status', b'x', b'{}'])
    yield dealer
    context.destroy(linger=0)


def keys(daemon, server=None, client=None):
    pair = json.loads((daemon.state / 'client.key').read_text())
    public, secret = client or (pair['public'].encode(), pair['secret'].encode())
    return {'curve_serverkey': server or endpoint(daemon)['server_key'].encode(), 'curve_publickey': public, 'curve_secretkey': secret}


def test_keys_are_made_once_and_never_open_to_others(listening):
    names = ['server.key', 'client.key', 'authorized_keys']
    for name in names:
        assert stat.S_IMODE((listening.state / name).stat().st_mode) == 0o600, name
    before = {name: (listening.state / name).read_text() for name in names}
    listening.stop()
    listening.start()
    assert before == {name: (listening.state / name).read_text() for name in names}


def test_key_files_are_created_with_their_mode():
    """Not made open and closed afterwards: as the calls show."""
    with tempfile.TemporaryDirectory(prefix='decoy-', dir='/tmp') as directory:
        trace = pathlib.Path(directory) / 'trace'
        traced = subprocess.Popen(['strace', '-f', '-e', 'trace=openat,open,creat,chmod,fchmod,fchmodat', '-o', trace, DECOYD, '--state', f'{directory}/s',
                                   '--foreground', '--listen', 'lo'], stderr=subprocess.DEVNULL, env=dict(os.environ, ASAN_OPTIONS='detect_leaks=0'))  # ptrace is strace's here
        end = time.monotonic() + 30
        while not os.path.exists(f'{directory}/s/endpoint.json') and time.monotonic() < end:
            time.sleep(0.05)
        assert decoy(f'{directory}/s', 'down').returncode == 0
        assert traced.wait(30) == 0
        made = re.findall(r'"[^"]*\.(server\.key|client\.key|authorized_keys)\.[^"]*", ([A-Z_|]*O_CREAT[A-Z_|]*), (0\d+)', trace.read_text())
        assert sorted(name for name, _, _ in made) == ['authorized_keys', 'client.key', 'server.key']
        assert all('O_EXCL' in flags and mode == '0600' for _, flags, mode in made)
        assert 'chmod' not in trace.read_text()


def test_the_owner_is_let_in_by_tcp(listening):
    file = listening.state / 'endpoint.json'
    job, before = listening.submit(), reach(listening)['refused']
    done = decoy('/nonexistent', '--endpoint', file, 'wait', job)
    assert done.returncode == 0, done.stderr
    status = decoy('/nonexistent', 'status', '--endpoint', file).stdout
    assert decoy(listening.state, 'ls').returncode == 0
    assert reach(listening)['refused'] == before
    assert re.search(rf'reach   user {os.geteuid()} on its host; 1 key by tcp://127.0.0.1:\d+, .*{file}`; \d+ refused', status)
    with stranger(endpoint(listening)['address'], **keys(listening)) as peer:
        assert peer.poll(3000)  # the same keys from another language


def test_a_copied_endpoint_works_elsewhere(listening):
    """Where the home directory is not shared: endpoint.json and client.key, side by side."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ['endpoint.json', 'client.key']:
            shutil.copy(listening.state / name, directory)
        assert decoy('/nonexistent', '--endpoint', f'{directory}/endpoint.json', 'ls').returncode == 0
        os.chmod(f'{directory}/client.key', 0o640)
        refused(decoy('/nonexistent', '--endpoint', f'{directory}/endpoint.json', 'ls'), 4, 'client.key is open to other users')


@pytest.mark.parametrize('name, reason', [('unknown key', 'key'), ('no key', None), ('plain', None), ('another server key', 'curve')])
def test_others_are_refused_by_tcp_and_counted(listening, name, reason):
    options = {'unknown key': lambda: keys(listening, client=zmq.curve_keypair()), 'no key': dict, 'plain': lambda: {'plain_username': b'root', 'plain_password': b'x'},
               'another server key': lambda: keys(listening, server=zmq.curve_keypair()[0])}[name]()
    before = reach(listening)
    with stranger(endpoint(listening)['address'], **options) as peer:
        more = refused_more(listening, before['refused'], 5 if reason else 1)
        assert not reason or more == 1  # of another mechanism, ZeroMQ's own client may hang up by itself, before it is refused
        assert not reason or reach(listening)['refused_by'][reason] == before['refused_by'][reason] + 1
        assert not peer.poll(300)


def knock(listening, greeting):
    """A connection that says this; unless that is nothing, it then hears the other side out."""
    host, port = endpoint(listening)['address'].removeprefix('tcp://').rsplit(':', 1)
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(greeting)
        while greeting and line.recv(4096):
            pass


def greeting_of(mechanism):
    """The greeting of ZMTP 3.0 (rfc.zeromq.org/spec/23), by hand and whole, so that nobody hangs up first."""
    return b'\xff' + bytes(8) + b'\x7f\x03\x00' + mechanism.ljust(20, b'\0') + bytes(32)


@pytest.mark.parametrize('mechanism', [b'NULL', b'PLAIN', b'GSSAPI'])
def test_who_stays_without_curve_is_refused_and_counted(listening, mechanism):
    before = reach(listening)
    for _ in range(3):
        knock(listening, greeting_of(mechanism))
    listening.until(lambda: reach(listening)['refused'] == before['refused'] + 3, 5)
    assert reach(listening)['refused_by']['curve'] == before['refused_by']['curve'] + 3


def test_who_hangs_up_unheard_is_not_counted(listening):
    before = reach(listening)['refused']
    for _ in range(10):
        knock(listening, b'')
    knock(listening, greeting_of(b'NULL'))
    assert refused_more(listening, before) == 1


def test_the_list_of_keys_counts_at_once(listening):
    friend = zmq.curve_keypair()
    list_of_keys = listening.state / 'authorized_keys'
    kept = list_of_keys.read_text()
    list_of_keys.write_text(kept + f'{friend[0].decode()} a friend\n')
    assert reach(listening)['keys'] == 2
    with stranger(endpoint(listening)['address'], **keys(listening, client=friend)) as peer:
        assert peer.poll(3000)
    list_of_keys.write_text(kept)
    with stranger(endpoint(listening)['address'], **keys(listening, client=friend)) as peer:
        assert not peer.poll(500)


@pytest.mark.parametrize('spoil', ['open', 'link', 'nonsense', 'gone'])
def test_nobody_is_let_in_by_a_list_in_doubt(listening, spoil):
    list_of_keys = listening.state / 'authorized_keys'
    kept = list_of_keys.read_text()
    if spoil == 'open':
        list_of_keys.chmod(0o644)
    elif spoil == 'nonsense':
        list_of_keys.write_text(kept + 'ssh-rsa AAAA\n')
    else:
        list_of_keys.rename(listening.state / 'aside')
        if spoil == 'link':
            list_of_keys.symlink_to('aside')
    before = reach(listening)['refused']
    try:
        with stranger(endpoint(listening)['address'], **keys(listening)) as peer:
            assert not peer.poll(500)
        assert reach(listening)['refused'] == before + 1
        refused(decoy('/nonexistent', '--endpoint', listening.state / 'endpoint.json', 'ls'), 4, 'refuses the keys')
    finally:
        list_of_keys.unlink(missing_ok=True)
        if (listening.state / 'aside').exists():
            (listening.state / 'aside').rename(list_of_keys)
        list_of_keys.write_text(kept)
        list_of_keys.chmod(0o600)


def test_one_interface_only(listening):
    port = int(endpoint(listening)['address'].rsplit(':', 1)[1])
    listed = pathlib.Path('/proc/net/tcp').read_text().split('\n')[1:]
    bound = [line.split()[1].split(':')[0] for line in listed if line and line.split()[3] == '0A' and int(line.split()[1].split(':')[1], 16) == port]
    assert bound == ['0100007F']  # 127.0.0.1 in the kernel's words
    for where in ['0.0.0.0', '*', '*:7000', ':7000']:
        with tempfile.TemporaryDirectory(prefix='decoy-', dir='/tmp') as directory:
            done = subprocess.run([DECOYD, '--state', f'{directory}/s', '--listen', where], capture_output=True, text=True, timeout=20, check=False)
            assert done.returncode == 1 and 'name one interface' in done.stderr, done.stderr


@pytest.mark.parametrize('where, why', [('nosuch0', '--listen nosuch0'), ('lo:0', 'a port from 1'), ('lo:x', 'a port from 1'),
                                        ('::1', '[ADDRESS]:PORT'), ('[::1', '[ADDRESS]:PORT'), ('[::1]x', '[ADDRESS]:PORT'), ('[::1]:0', 'a port from 1'),
                                        ('[::]', 'name one interface'), ('[0:0::0]:7890', 'name one interface'), ('[::ffff:0.0.0.0]', 'name one interface')])
def test_a_bad_interface_is_one_sentence(where, why):
    with tempfile.TemporaryDirectory(prefix='decoy-', dir='/tmp') as directory:
        refused(decoy(f'{directory}/s', 'up', '--listen', where), 3, why)
        assert not (pathlib.Path(directory) / 's' / 'endpoint.json').exists()


def test_an_ipv6_address_serves_too():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
    except OSError:
        pytest.skip('there is no IPv6 here')
    daemon = Daemon(DECOY_LISTEN='[::1]')
    try:
        assert endpoint(daemon)['address'].startswith('tcp://[::1]:')
        assert decoy('/nonexistent', '--endpoint', daemon.state / 'endpoint.json', 'ls').stdout.startswith('no jobs')
        with stranger(endpoint(daemon)['address'], ipv6=1, **keys(daemon, client=zmq.curve_keypair())) as peer:
            assert refused_more(daemon, 0) == 1 and not peer.poll(200)
    finally:
        daemon.close()


@pytest.mark.parametrize('name', ['server.key', 'client.key', 'authorized_keys'])
def test_a_planted_key_is_not_used(name):
    with tempfile.TemporaryDirectory(prefix='decoy-', dir='/tmp') as directory:
        state = pathlib.Path(directory) / 's'
        state.mkdir(mode=0o700)
        (pathlib.Path(directory) / 'planted').write_text('{}')
        (state / name).symlink_to(pathlib.Path(directory) / 'planted')
        refused(decoy(state, 'up', '--listen', 'lo'), 3, name, 'symbolic link')


def test_without_listen_there_is_no_tcp(daemon):
    assert reach(daemon) == {'uid': os.geteuid(), 'address': None, 'keys': 0, 'refused': 0, 'refused_by': {'user': 0, 'key': 0, 'curve': 0}}
    assert not list(daemon.state.glob('*.key')) and not (daemon.state / 'endpoint.json').exists()


def test_an_endpoint_that_is_gone_is_told(listening):
    file = listening.state / 'endpoint.json'
    text = file.read_text()
    refused(decoy('/nonexistent', '--endpoint', '/nonexistent/endpoint.json', 'ls'), 2, 'there is no file')
    refused(decoy('/x', '--endpoint', file, '--state', '/x', 'ls'), 2, 'two daemons')
    refused(decoy('/x', '--endpoint', file, 'up'), 2, 'starts decoyd on this machine')
    with socket.socket() as free, tempfile.TemporaryDirectory() as directory:
        free.bind(('127.0.0.1', 0))
        shutil.copy(listening.state / 'client.key', directory)
        other = pathlib.Path(directory) / 'endpoint.json'
        other.write_text(re.sub(r'tcp://[^"]*', f'tcp://127.0.0.1:{free.getsockname()[1]}', text))
        refused(decoy('/nonexistent', '--endpoint', other, 'ls'), 3, 'no decoyd answers at tcp://127.0.0.1')


def test_a_daemon_is_ended_by_tcp():
    daemon = Daemon(DECOY_LISTEN='lo')
    try:
        done = decoy('/nonexistent', '--endpoint', daemon.state / 'endpoint.json', 'down')
        assert done.returncode == 0, done.stderr
        assert daemon.process.wait(10) == 0 and not (daemon.state / 'endpoint.json').exists()
    finally:
        daemon.close()


@as_root
def test_another_user_is_refused_at_the_socket(daemon):
    """Even where all directories on the way let him."""
    script = ('import zmq,os\nd=zmq.Context().socket(zmq.DEALER); d.linger=0; d.reconnect_ivl=-1; d.sndtimeo=2000; d.connect("ipc://%s/decoyd.sock")\n'
              'try: d.send_multipart([b"decoy1",b"status",b"x",b"{}"])\nexcept zmq.Again: os._exit(0)\nos._exit(bool(d.poll(1000)))' % daemon.state)
    become = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', '/usr/bin/python3', '-c', script]
    assert subprocess.run(['/usr/bin/python3', '-c', script], check=False).returncode == 1  # the owner is answered
    for path in [daemon.directory, daemon.state]:
        path.chmod(0o755)
    (daemon.state / 'decoyd.sock').chmod(0o777)
    before = reach(daemon)['refused']
    assert subprocess.run(become, check=False, timeout=60).returncode == 0
    assert reach(daemon)['refused'] == before + 1


@as_root
def test_a_stolen_socket_is_told_nothing():
    """Another user's process listens where ours should: the client hangs up before it says a word."""
    with tempfile.TemporaryDirectory(prefix='decoy-', dir='/tmp') as directory:
        os.chmod(directory, 0o777)
        script = f'import socket; s=socket.socket(socket.AF_UNIX); s.bind("{directory}/decoyd.sock"); s.listen(); c,_=s.accept(); print(len(c.recv(99)))'
        thief = subprocess.Popen(['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', '/usr/bin/python3', '-c', script], stdout=subprocess.PIPE, text=True)
        try:
            while not os.path.exists(f'{directory}/decoyd.sock'):
                time.sleep(0.02)
            time.sleep(0.1)
            refused(decoy(directory, 'ls'), 4, f'is served by user {NOBODY}')
            assert thief.communicate(timeout=10)[0] == '0\n'
        finally:
            thief.kill()


def test_a_link_in_the_sockets_place_is_replaced():
    daemon = Daemon()
    try:
        daemon.stop()
        target = daemon.directory / 'elsewhere'
        (daemon.state / 'decoyd.sock').symlink_to(target)
        daemon.start()
        assert not target.exists() and stat.S_ISSOCK((daemon.state / 'decoyd.sock').lstat().st_mode)
    finally:
        daemon.close()
