"""How quick decoyd is: `./run bench daemon`. Prints each figure with its n, and beside it what it is to be below (or
above). Everything is measured from outside, by the protocol; the daemon is the one of the build, with its real worker
and FULL durability."""
import argparse
import multiprocessing
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'system'))
HELD = {'kind': 'mock', 'fields': {'out': '/x'}, 'options': {'hold': True}}


def report(name, value, unit, bound, n, spread=''):
    print(f'{name:44} {value:9.3g} {unit:6} {bound:12} n={n}{spread}', flush=True)


def percentiles(times, scale):
    ordered = sorted(times)
    return f'  (p5 {scale * ordered[len(ordered) // 20]:.3g}, p99 {scale * ordered[len(ordered) * 99 // 100]:.3g})'


def timed(action, count):
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return times


def one_fsync(daemon, n=300):
    """What the disk asks for each commit, by whoever: the bound of the next figure."""
    with open(daemon.directory / 'fsync', 'ab', buffering=0) as file:
        def append():
            file.write(b'x' * 4096)
            os.fdatasync(file.fileno())
        times = timed(append, n)
    report('an append of 4 KiB and its fdatasync, alone', 1e3 * statistics.median(times), 'ms', '', n, percentiles(times, 1e3))


def submit_to_acknowledgement(daemon, n=2000):
    times = timed(lambda: daemon.peer.ask('submit', jobs=[HELD]), n)
    report('submit to acknowledgement', 1e3 * statistics.median(times), 'ms', '< 1', n, percentiles(times, 1e3))


def submit_many(state, count, gate):
    from protocol import Peer
    peer = Peer(state)
    peer.ask('hello')
    gate.wait()
    for _ in range(count):
        peer.ask('submit', jobs=[HELD])
    peer.close()


def submits_from_eight(daemon, clients=8, each=500):
    gate = multiprocessing.Barrier(clients + 1)
    processes = [multiprocessing.Process(target=submit_many, args=(daemon.state, each, gate)) for _ in range(clients)]
    for process in processes:
        process.start()
    gate.wait()
    begun = time.perf_counter()
    for process in processes:
        process.join()
    report('submits a second, 8 clients', clients * each / (time.perf_counter() - begun), '/s', '> 2000', clients * each)


def event_to_waiting_client(daemon, n=500):
    from protocol import Peer
    follower = Peer(daemon.state)
    last = daemon.events()[-1]['seq']
    follower.send('events', job=0, after_seq=last, follow=True)
    time.sleep(0.2)
    times = []
    for _ in range(n):
        name = daemon.peer.send('submit', jobs=[HELD])
        event = follower.receive()[2]
        times.append(1e-6 * (1e6 * time.time() - event['time_us']))
        follower.receive()  # held
        assert daemon.peer.receive()[1] == name
    follower.close()
    report('event to a waiting client, commit included', 1e3 * statistics.median(times), 'ms', '< 5', n, percentiles(times, 1e3))


def list_ten_thousand(daemon, decoy, n=20):
    have = len(daemon.peer.ask('list', all=True)['jobs'])
    while have < 10000:
        count = min(1000, 10000 - have)
        daemon.peer.ask('submit', jobs=[HELD] * count)
        have += count
    environment = dict(os.environ, DECOY_STATE=str(daemon.state))
    for words in (['ls'], ['ls', '--all']):
        times = timed(lambda: subprocess.run([decoy, *words], env=environment, stdout=subprocess.DEVNULL, check=True), n)
        report(f'decoy {" ".join(words)} of {have} jobs, whole process', 1e3 * statistics.median(times), 'ms', '< 100', n, percentiles(times, 1e3))


def empty_job(ranks, bound, n=15):
    from protocol import Daemon
    daemon = Daemon(worker=pathlib.Path(os.environ['DECOY_BUILD']) / 'daemon' / 'worker' / 'decoy-worker')

    def once():
        out = tempfile.mkdtemp(dir=daemon.directory) + '/out'
        fields = {'out': out, 'bricks': 1, 'size': 128}
        job = daemon.peer.ask('submit', jobs=[{'kind': 'mock', 'fields': fields, 'options': {'ranks': ranks}}])['ids'][0]
        assert daemon.finish(job) == ['succeeded']
    try:
        once()
        times = timed(once, n)
        report(f'the smallest mock, submit to end, {ranks} rank{"s by mpirun" if ranks > 1 else ""}', statistics.median(times), 's', bound, n, percentiles(times, 1))
    finally:
        daemon.close()


def cpu_s(pid):
    return sum(map(int, pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[11:13])) / os.sysconf('SC_CLK_TCK')


def rss_mb(pid):
    return int(pathlib.Path(f'/proc/{pid}/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6


def idle(daemon, what, bound, seconds=10):
    pid = daemon.process.pid
    before = cpu_s(pid)
    time.sleep(seconds)
    report(f'CPU of an idle daemon, {what}', 100 * (cpu_s(pid) - before) / seconds, '%', '= 0', f'{seconds} s')
    report(f'memory of an idle daemon, {what}', rss_mb(pid), 'MB', bound, 1)


def a_thousand_wait(count=1000):
    """Its own daemon: nothing else has grown its memory."""
    from protocol import Daemon
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    daemon = Daemon()
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 2 * count + 10)
    try:
        idle(daemon, 'alone', '< 30')
        job = daemon.submit(hold=True)
        sockets = []
        for _ in range(count):
            socket = context.socket(zmq.DEALER)
            socket.linger = 0
            socket.connect(f'ipc://{daemon.state}/decoyd.sock')
            socket.send_multipart([b'decoy1', b'wait', b'w', b'{"jobs": [%d]}' % job])
            sockets.append(socket)
        daemon.until(lambda: daemon.peer.ask('status')['clients'] == count)
        idle(daemon, f'{count} wait', '< 60')
        daemon.peer.send('cancel', job=job)
        begun = time.perf_counter()
        for socket in sockets:
            assert socket.poll(10000)
            while socket.recv_multipart()[1] != b'ok':
                assert socket.poll(10000)
        report(f'all {count} have heard of the end', time.perf_counter() - begun, 's', '', 1)
    finally:
        context.destroy(linger=0)
        daemon.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', default='build')
    build = pathlib.Path(parser.parse_args().build).resolve()
    os.environ['DECOY_BUILD'] = str(build)
    from protocol import Daemon
    a_thousand_wait()
    daemon = Daemon()
    try:
        one_fsync(daemon)
        submit_to_acknowledgement(daemon)
        submits_from_eight(daemon)
        event_to_waiting_client(daemon)
        list_ten_thousand(daemon, build / 'client' / 'decoy')
    finally:
        daemon.close()
    empty_job(1, '< 0.15')
    empty_job(2, '< 0.6')


main()
