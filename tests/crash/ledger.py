"""What clients of a daemon were told, and whether the queue on disk agrees with it (promises Q1, Q3, Q4)."""
import collections
import pathlib
import shutil
import sqlite3
import tempfile

ENDS = ('succeeded', 'failed', 'cancelled', 'skipped')


class Ledger:
    """Acknowledged submits by key, and everything that was wrong."""

    def __init__(self):
        self.ids, self.wrong, self.answers = {}, [], collections.Counter()

    def acknowledge(self, key, job):
        self.answers[key] += 1
        if self.ids.setdefault(key, job) != job:
            self.wrong.append(f'key {key} is job {self.ids[key]} and job {job}')

    def repeated(self):
        return sum(count - 1 for count in self.answers.values())

    def check(self, state):
        """What is wrong with a dead daemon's queue; it is read from a copy, so that the next daemon finds it as it was left."""
        with tempfile.TemporaryDirectory(prefix='decoy-look-') as place:
            for path in pathlib.Path(state).glob('queue.db*'):
                shutil.copy(path, place)
            queue = sqlite3.connect(f'{place}/queue.db')
            try:
                return self.wrong + damage(queue) + self.lost(queue) + stories(queue)
            finally:
                queue.close()

    def lost(self, queue):
        kept = dict(queue.execute('SELECT key, id FROM jobs WHERE key IS NOT NULL'))
        return [f'key {key} was acknowledged as job {job}, the queue has {kept.get(key)}' for key, job in self.ids.items() if kept.get(key) != job]


def damage(queue):
    found = [row[0] for row in queue.execute('PRAGMA integrity_check') if row[0] != 'ok']
    return found + [f'foreign key: {row}' for row in queue.execute('PRAGMA foreign_key_check')]


def stories(queue):
    """Each job's events tell of one end at most for each time it was asked for, and lead to the state that its row has."""
    events, wrong = collections.defaultdict(list), []
    for job, name, state in queue.execute('SELECT job, name, state FROM events ORDER BY seq'):
        events[job].append((name, state))
    for job, state in queue.execute('SELECT id, state FROM jobs'):
        names = [name for name, _ in events[job]]
        ends, goes = sum(name in ENDS for name in names), 1 + names.count('reopened')
        if not names or names[0] != 'submitted' or names.count('submitted') != 1:
            wrong.append(f'job {job} begins with {names[:2]}')
        elif ends > goes or (state in ENDS) != (ends == goes) or events[job][-1][1] != state:
            wrong.append(f'job {job} is {state} after {names}')
    twice = queue.execute("SELECT job, count(*) FROM attempts WHERE ended_us = 0 GROUP BY job HAVING count(*) > 1").fetchall()
    return wrong + [f'job {job} has {count} attempts that run' for job, count in twice]
