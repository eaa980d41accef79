"""The protocol as proto/README.md and proto/schema tell it to those who write a client: what they say is what is sent."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import jsonschema
import pytest
import zmq
from protocol import SCHEMAS, Refused, check_message, refused

SOURCE = pathlib.Path(__file__).resolve().parents[2]
README = (SOURCE / 'proto' / 'README.md').read_text()
WORKER = pathlib.Path(os.environ['DECOY_BUILD']) / 'daemon' / 'worker' / 'decoy-worker'
SILENT = {'progress', 'metrics', 'note', 'warning', 'alive'}


def verbs_of_the_daemon():
    text = (SOURCE / 'daemon' / 'service.c').read_text()
    return set(re.findall(r'^    \{"(\w+)", verb_', text, re.M)) | {'submit'}


def definitions(name):
    return set(json.loads((SCHEMAS / f'{name}.json').read_text())['$defs'])


def test_the_example_of_the_readme_runs_as_it_stands(daemon, tmp_path):
    example = re.search(r'```python\n(.*?)```', README, re.S).group(1)
    assert len(example.splitlines()) <= 40
    (tmp_path / 'example.py').write_text(example)
    done = subprocess.run([sys.executable, tmp_path / 'example.py', '/x/result,note=hello'], env=dict(os.environ, DECOY_STATE=str(daemon.state)),
                          text=True, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    names = [line.split()[1] for line in done.stdout.splitlines()]
    assert names == ['submitted', 'ready', 'started', 'progress_note', 'succeeded']
    refused_ = subprocess.run([sys.executable, tmp_path / 'example.py', 'relative'], env=dict(os.environ, DECOY_STATE=str(daemon.state)),
                              text=True, capture_output=True, timeout=30, check=False)
    assert refused_.returncode != 0 and 'bad_spec' in refused_.stderr and 'absolute path' in refused_.stderr


def test_every_verb_has_its_schemas_and_its_line_in_the_readme():
    verbs = verbs_of_the_daemon()
    assert definitions('request') == verbs
    assert definitions('reply') - {'error', 'shown'} == verbs - SILENT
    assert definitions('event') == {'events', 'wait', 'watch'}
    rows = set(re.findall(r'^\| (\w+) \|', README, re.M))
    assert verbs <= rows, verbs - rows


def test_every_event_code_and_member_is_in_the_readme():
    names = re.findall(r'"(\w+)"', (SOURCE / 'proto' / 'state.c').read_text().split('EVENT_NAMES')[1].split(';')[0])
    event = json.loads((SCHEMAS / 'event.json').read_text())['$defs']['events']['oneOf']
    assert sorted(one['properties']['name']['const'] for one in event) == sorted(names)
    reply = json.loads((SCHEMAS / 'reply.json').read_text())['$defs']
    members = list(json.loads((SCHEMAS / 'row.json').read_text())['properties'])
    for word in names + members + reply['error']['properties']['code']['enum'] + reply['explain']['properties']['code']['enum']:
        assert re.search(rf'\b{word}\b', README), word


def test_the_check_of_messages_has_teeth():
    good = {'forgotten': 1}
    check_message('reply', 'forget', good)
    for bad in ({}, {'forgotten': 'one'}, {'forgotten': 1, 'undocumented': 2}):
        with pytest.raises(jsonschema.ValidationError):
            check_message('reply', 'forget', bad)
    with pytest.raises(KeyError):
        check_message('reply', 'dance', good)


def test_the_protocol_is_agreed_on_at_hello(daemon):
    for protocols in ({}, {'protocols': [1]}, {'protocols': [7, 1]}):
        assert daemon.peer.ask('hello', **protocols)['protocol'] == 1
    refused(daemon, 'bad_version', 'speaks protocol 1', 'hello', protocols=[2, 3])
    refused(daemon, 'bad_version', 'speaks protocol 1', 'hello', protocols=[])


def test_fields_of_a_later_version_are_ignored_and_verbs_refused(daemon):
    daemon.peer.socket.send_multipart([b'decoy1', b'hello', b'', b'{"later": [1], "protocols": [1]}'])
    assert daemon.peer.receive()[0] == 'ok'
    job = {'kind': 'mock', 'fields': {'out': '/x/quick'}, 'options': {'hold': True}, 'colour': 'blue'}
    daemon.peer.socket.send_multipart([b'decoy1', b'submit', b'', json.dumps({'jobs': [job], 'later': {}}).encode()])
    assert daemon.peer.receive()[2] == {'ids': [1]}
    with pytest.raises(Refused) as caught:
        daemon.peer.ask('dance')
    assert caught.value.code == 'unknown_verb'


def test_a_real_worker_speaks_as_its_schemas_say(tmp_path):
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    endpoint = f'ipc://{tmp_path}/s' if len(str(tmp_path)) < 80 else f'ipc:///tmp/decoy-{os.getpid()}.sock'
    router.bind(endpoint)
    spec = {'kind': 'mock', 'fields': {'out': str(tmp_path / 'out'), 'bricks': 2, 'size': 128}, 'threads': 1, 'job': 3, 'attempt': 2}
    (tmp_path / 'spec.json').write_text(json.dumps(spec))
    environment = dict(os.environ, DECOY_ENDPOINT=endpoint, DECOY_JOB='3', DECOY_ATTEMPT='2', DECOY_TOKEN='t', DECOY_ATTEMPT_DIR=str(tmp_path), OMP_NUM_THREADS='1')
    done = subprocess.run([WORKER, '--spec', tmp_path / 'spec.json'], env=environment, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    time.sleep(0.2)
    said = []
    while router.poll(200):
        _, frame, verb, _, body = router.recv_multipart()
        assert frame == b'decoy1'
        check_message('request', verb.decode(), json.loads(body))
        said.append(verb.decode())
    context.destroy(linger=0)
    assert {'progress', 'alive'} <= set(said) <= SILENT
