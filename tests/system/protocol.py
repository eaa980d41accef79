"""decoyd with fake workers (fake_worker.py), spoken to by its protocol and nothing else."""
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import jsonschema
import pytest
import zmq
from waiting import Late, until

DECOYD = pathlib.Path(os.environ['DECOY_BUILD']) / 'daemon' / 'decoyd'
WORKER = pathlib.Path(__file__).resolve().parent / 'fake_worker.py'
JOB = {'kind': 'mock', 'fields': {'out': '/x/quick'}}


SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / 'proto' / 'schema'


def strict(schema):
    """What a schema lets pass for the sake of later versions must not be there today: it would be undocumented."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    hardened = {name: strict(part) for name, part in schema.items()}
    if 'properties' in schema and isinstance(schema['properties'], dict):
        hardened.setdefault('additionalProperties', False)
    return hardened


@functools.cache
def validator(name, verb, event=None):
    """Of a verb's body; of an event's that of its name alone, for the sake of speed."""
    read = {path.stem: strict(json.loads(path.read_text())) for path in SCHEMAS.glob('*.json')}
    resolver = jsonschema.RefResolver(read[name]['$id'], read[name], store={schema['$id']: schema for schema in read.values()})
    schema = read[name]['$defs'][verb]
    if event:
        schema = next(one for one in read[name]['$defs']['events']['oneOf'] if one['properties']['name']['const'] == event)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, resolver=resolver)


def check_message(name, verb, body):
    """A body is as proto/schema/NAME.json says."""
    validator(name, verb, body.get('name') if name == 'event' else None).validate(body)


class Refused(Exception):
    def __init__(self, body):
        super().__init__(body['text'])
        self.code, self.text = body['code'], body['text']


class Peer:
    """One connection."""

    def __init__(self, state):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.setsockopt(zmq.RECONNECT_IVL, 2)
        self.socket.connect(f'ipc://{state}/decoyd.sock')
        self.count = 0
        self.asked = {}  # {request id: (verb, body)}

    def send(self, verb, **body):
        self.count += 1
        name = b'r%d' % self.count
        self.asked[name] = verb, body
        self.socket.send_multipart([b'decoy1', verb.encode(), name, json.dumps(body).encode()])
        return name

    def receive(self, seconds=10):
        assert self.socket.poll(int(1000 * seconds)), f'no reply within {seconds} s'
        frames = self.socket.recv_multipart()
        assert len(frames) == 4 and frames[0] == b'decoy1'
        kind, name, body = frames[1].decode(), frames[2], json.loads(frames[3])
        verb, request = self.asked.get(name, (None, None))
        if kind == 'error':
            check_message('reply', 'error', body)
        elif verb:
            check_message('request', verb, request)  # what was not refused was a good request
            check_message('reply' if kind == 'ok' else 'event', verb, body)
        return kind, name, body

    def stream(self, verb, seconds=20, **body):
        """The bodies of events, then that of ok."""
        name = self.send(verb, **body)
        while True:
            kind, to, reply = self.receive(seconds)
            assert to == name
            if kind == 'error':
                raise Refused(reply)
            yield reply
            if kind == 'ok':
                return

    def ask(self, verb, **body):
        return list(self.stream(verb, **body))[-1]

    def close(self):
        self.context.destroy(linger=0)


class Daemon:
    def __init__(self, slots=2, grace=10, hang_after=60, worker=WORKER, state=None, **environment):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='decoyd-', dir='/tmp'))
        self.state = state or self.directory / 'state'
        self.environment = dict(os.environ, DECOY_WORKER=str(worker), DECOY_SLOTS=str(slots), DECOY_GRACE=str(grace), DECOY_HANG_AFTER=str(hang_after), UNLISTED='secret', **environment)
        self.process, self.before = None, []  # before: words to run decoyd by
        self.start()

    def command(self):
        return subprocess.run([DECOYD, '--state', self.state], env=self.environment, text=True, stderr=subprocess.PIPE, timeout=20, check=False)

    def start(self):
        self.launch()
        self.connect()

    def launch(self):
        log = open(self.directory / 'log', 'a')
        self.process = subprocess.Popen([*self.before, DECOYD, '--state', self.state, '--foreground'], env=self.environment, stderr=log)
        log.close()

    def connect(self):
        self.peer = Peer(self.state)
        self.peer.ask('hello')

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.peer.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        self.peer.close()
        return status

    def close(self):
        if self.process.poll() is None:
            self.kill()
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def left(self):
        """Processes that still work in one of our attempts' directories."""
        pids = []
        for link in pathlib.Path('/proc').glob('[0-9]*/cwd'):
            try:
                if os.readlink(link).startswith(f'{self.state}/jobs/'):
                    pids.append(int(link.parent.name))
            except OSError:
                pass  # gone, or not ours to look at
        return pids

    def log(self):
        return (self.directory / 'log').read_text()

    def submit(self, *words, after=(), after_any=(), key=None, group=None, kind='mock', **options):
        """One job that plays words (fake_worker.py)."""
        fields = {'out': '/x/' + ','.join(words or ('quick',))}
        if kind == 'train':
            fields['dataset'] = '/x'
        job = {'kind': kind, 'fields': fields, 'options': options, 'after': list(after), 'after_any': list(after_any), 'key': key, 'group': group}
        return self.peer.ask('submit', jobs=[job])['ids'][0]

    def show(self, job):
        return self.peer.ask('show', job=job)['job']

    def state_of(self, job):
        return self.show(job)['state']

    def finish(self, *jobs):
        return [row['state'] for row in self.peer.ask('wait', jobs=list(jobs))['jobs']]

    def events(self, job=0):
        return list(self.peer.stream('events', job=job))[:-1]

    def names(self, job):
        return [event['name'] for event in self.events(job)]

    def until(self, question, seconds=60):
        try:
            return until(question, seconds)
        except Late as late:
            raise AssertionError(f'{late}; the log:\n{self.log()[-4000:]}') from None

    def explain(self, job):
        why = self.peer.ask('explain', job=job)
        return why['code'], why['text']

    def pids(self, job, ranks=1):
        """Processes of the job's last attempt, once they run."""
        def look():
            path = pathlib.Path(self.show(job)['attempts'][-1]['directory']) / 'ran'
            lines = path.read_text().splitlines() if path.exists() else []
            return [int(line.split()[1]) for line in lines] if len(lines) >= ranks else None
        self.until(lambda: self.show(job)['attempts'])
        return self.until(look)


def alive(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def refused(daemon, code, part, verb, **body):
    """The verb is answered with an error of this code, whose sentence holds the part."""
    with pytest.raises(Refused) as caught:
        daemon.peer.ask(verb, **body)
    assert caught.value.code == code and part in caught.value.text
