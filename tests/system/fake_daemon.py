"""A decoyd of a few lines, for what the real one cannot be brought to: it answers by the script it is given.

FakeDaemon(state) binds state/decoyd.sock and serves proto/README.md from a thread. Jobs are kept in memory;
submit finishes each at once, unless `outcome` names another state for its kind ('running' never ends).
"""
import json
import os
import threading
import time

import jsonschema
import zmq
from protocol import check_message

EVENT_US = 1_700_000_000_000_000


class FakeDaemon:
    def __init__(self, state, frame=b'decoy1', protocol=1, mute=(), outcome=None, result=None):
        os.makedirs(state, mode=0o700, exist_ok=True)
        self.frame, self.protocol, self.mute = frame, protocol, mute
        self.outcome, self.result = outcome or {}, result or {}
        self.jobs, self.asked, self.bad, self.stopped = {}, [], [], False
        self.path = os.path.join(state, 'decoyd.sock')
        self.state = state
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind('ipc://' + self.path)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()
        self.socket.close()
        self.context.term()
        assert not self.bad, self.bad  # the client's requests are as proto/schema says

    def serve(self):
        while not self.stopped:
            if not self.socket.poll(20):
                continue
            peer, frame, verb, request, body = self.socket.recv_multipart()
            verb, body = verb.decode(), json.loads(body)
            self.asked.append((verb, body))
            try:
                check_message('request', verb, body)
            except (KeyError, jsonschema.ValidationError) as error:
                self.bad.append(str(error))
            if verb in self.mute:
                continue
            self.reply = lambda kind, value: self.socket.send_multipart(
                [peer, self.frame, kind, request, json.dumps(value).encode()])
            if frame != self.frame:
                self.reply(b'error', {'code': 'bad_version', 'text': 'another protocol'})
                continue
            handler = getattr(self, 'on_' + verb, None)
            if handler is None:
                self.reply(b'error', {'code': 'unknown_verb', 'text': f'there is no verb {verb}'})
            else:
                handler(body)

    def job(self, body, name='job'):
        row = self.jobs.get(body[name])
        if row is None:
            self.reply(b'error', {'code': 'no_job', 'text': f'there is no job {body[name]}'})
        return row

    def on_hello(self, body):
        self.reply(b'ok', {'version': '0.0.1', 'protocol': self.protocol, 'pid': os.getpid(), 'state': self.state,
                           'host': 'here'})

    def on_status(self, body):
        self.reply(b'ok', {'version': '0.0.1', 'pid': os.getpid(), 'host': 'here', 'state': self.state, 'uptime_s': 61,
                           'slots': 4, 'slots_used': 0, 'counts': {'succeeded': len(self.jobs), 'failed': 0},
                           'clients': 1, 'ending': False, 'drained': None, 'recovered': [], 'keep_days': 0, 'until_us': 0, 'closes_us': 0, 'hosts': [{'name': 'here', 'slots': 4, 'used': 0, 'lost': False}],
                           'reach': {'uid': 0, 'address': None, 'keys': 0, 'refused': 0, 'refused_by': {'user': 0, 'key': 0, 'curve': 0}}})

    def on_submit(self, body):
        first = len(self.jobs) + 1
        ids = list(range(first, first + len(body['jobs'])))
        for number, job in zip(ids, body['jobs']):
            state = self.outcome.get(job['kind'], 'succeeded')
            self.jobs[number] = {
                'id': number, 'kind': job['kind'], 'name': job['options'].get('name'), 'group': job['group'],
                'state': state, 'attempt': 1, 'priority': 0, 'ranks': job['options'].get('ranks', 1), 'threads': 1,
                'submitted_us': EVENT_US, 'started_us': EVENT_US, 'ended_us': 0 if state == 'running' else EVENT_US + 12_000_000,
                'reason': 'the disk is full' if state == 'failed' else None, 'out': job['fields'].get('out'),
                'after': [ids[int(a[1:])] if isinstance(a, str) else a for a in job['after']],
                'progress': {'done': 8, 'total': 17, 'unit': 'bricks', 'rate': 1.5, 'left_s': 6.0},
                'metrics': None, 'result': self.result if job['kind'] == 'evaluate' else {'bricks': 17}}
        self.reply(b'ok', {'ids': ids})

    def on_list(self, body):
        ended = ('succeeded', 'failed', 'cancelled', 'skipped')
        rows = [row for row in self.jobs.values() if body['all'] or row['state'] not in ended]
        self.reply(b'ok', {'jobs': [row for row in rows if body['group'] in (None, row['group'])]})

    def on_show(self, body):
        row = self.job(body)
        if row:
            attempt = {'attempt': 1, 'started_us': EVENT_US, 'ended_us': EVENT_US + 12_000_000, 'outcome': row['state'],
                       'exit_status': 0, 'signal': 0, 'directory': '/state/jobs/1/1'}
            self.reply(b'ok', {'job': dict(row, spec={'seed': 1, 'prior': None}, attempts=[attempt])})

    def follow(self, body):
        rows = [self.jobs[number] for number in body['jobs']] or list(self.jobs.values())
        self.reply(b'event', {'jobs': rows})
        if body['jobs'] and all(row['state'] != 'running' for row in rows):
            self.reply(b'ok', {'jobs': rows})

    on_watch = on_wait = follow

    def on_events(self, body):
        for seq, name in enumerate(['submitted', 'ready', 'started', 'succeeded'], start=1):
            if seq > body['after_seq']:
                self.reply(b'event', {'job': body['job'] or 1, 'seq': seq, 'time_us': EVENT_US + seq, 'name': name,
                                      'state': 'ready', 'attempt': int(seq > 2), 'context': {'reason': 'as asked'}})
        if not (body['follow'] and body['job'] == 0):
            self.reply(b'ok', {})

    def on_cancel(self, body):
        row = self.job(body)
        if row:
            row.update(state='cancelled', reason=body.get('reason'))
            self.reply(b'ok', {'job': row})

    def on_release(self, body):
        row = self.job(body)
        if row and row['state'] != 'held':
            self.reply(b'error', {'code': 'refused', 'text': f'job {row["id"]} is {row["state"]}, not held'})
        elif row:
            row['state'] = 'ready'
            self.reply(b'ok', {'job': row})

    def on_logs(self, body):
        if self.job(body):
            text = 'one\ntwo\nthree\n'
            piece = text[body['offset']:body['offset'] + 5]
            self.reply(b'ok', {'attempt': body['attempt'] or 1, 'path': '/state/jobs/1/1/stderr', 'text': piece,
                               'next': body['offset'] + len(piece), 'ended': True})
