"""Copies of shards on the host's own disk: argv as test_train.py's."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError as missing:
    print(missing)
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'ref'))
import synthetic

WORKER, MPIRUN, MODEL = sys.argv[1:4]
MPI = [MPIRUN, '-n', '2', '--oversubscribe', '--bind-to', 'none', '--mca', 'pml', 'ob1', '--mca', 'mpi_yield_when_idle', '1']
ENVIRONMENT = {**os.environ, 'OMPI_ALLOW_RUN_AS_ROOT': '1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1', 'OMP_NUM_THREADS': '1', 'ASAN_OPTIONS': 'detect_leaks=0'}
SHARDS = 6  # 5 of training, 1 of validation
SHARD = 40 * 16 * 16 * 6 * 4 + 128


class Cache(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix='decoy-test-')
        self.data, self.cache = self.root + '/data', self.root + '/own'
        synthetic.write(self.data, train=200, valid=40, test=40, side=16, shard=40)

    def tearDown(self):
        shutil.rmtree(self.root)

    def train(self, name, ranks=1, before=(), status=0, **fields):
        """Its weights (as bytes) and what it said."""
        out = f'{self.root}/{name}'
        given = dict(out=out, dataset=self.data, model=MODEL, epochs=2, batch=20, micro_batch=10, seed=5, **fields)
        with open(out + '.json', 'w') as file:
            json.dump({'kind': 'train', 'threads': 1, 'fields': given}, file)
        command = (MPI if ranks > 1 else []) + [*before, WORKER, '--spec', out + '.json']
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=100)
        self.assertEqual(done.returncode, status, done.stderr)
        with open(out + '/model.safetensors', 'rb') if status == 0 else open(os.devnull, 'rb') as file:
            return file.read(), done.stderr

    def copies(self):
        return {name: f'{directory}/{name}' for directory, _, names in os.walk(self.cache) for name in names}

    def spoil(self, name):
        """Other pixels in a shard of the dataset, of the same size."""
        path = f'{self.data}/{name}'
        np.save(path, np.load(path) + 1)

    def test_ranks_copy_together_and_then_read_the_copies(self):
        plain, _ = self.train('plain')
        cached, said = self.train('first', ranks=2, cache=self.cache)
        self.assertEqual(cached, plain)
        self.assertIn(f'{SHARDS} of {SHARDS} shards are in {self.cache}', said)
        copies = self.copies()
        self.assertEqual(sorted(copies), sorted(f'x{part}_{k}.npy' for part, n in (('train', 5), ('valid', 1)) for k in range(1, n + 1)))
        times = {name: os.stat(path).st_mtime_ns for name, path in copies.items()}
        for name in copies:
            self.spoil(name)
        again, _ = self.train('second', cache=self.cache)
        self.assertEqual(again, plain, 'the copies were not read')
        self.assertEqual({name: os.stat(path).st_mtime_ns for name, path in self.copies().items()}, times, 'copied again')
        self.assertNotEqual(self.train('spoilt')[0], plain, 'the check above shows nothing')

    def test_a_copy_that_was_cut_short_is_made_anew(self):
        plain, _ = self.train('plain', cache=self.cache)
        path = self.copies()['xtrain_3.npy']
        os.truncate(path, 5000)
        self.assertEqual(self.train('again', cache=self.cache)[0], plain)
        self.assertEqual(os.path.getsize(path), os.path.getsize(self.data + '/xtrain_3.npy'))

    def test_what_split_did_not_write_is_not_copied(self):
        checksum = subprocess.check_output(['xxhsum', '-H3', self.data + '/xtrain_2.npy'], text=True)
        with open(self.data + '/manifest.json') as file:
            manifest = json.load(file)
        manifest['shards'][1]['x']['xxh3'] = checksum.split()[-1]
        with open(self.data + '/manifest.json', 'w') as file:
            json.dump(manifest, file)
        self.train('whole', cache=self.root + '/other')
        self.spoil('xtrain_2.npy')
        _, said = self.train('none', status=1, cache=self.cache)
        self.assertRegex(said, r'xtrain_2\.npy is not the file that split wrote: its checksum differs')
        self.assertEqual(list(self.copies()), ['xtrain_1.npy'])

    def test_a_full_disk_takes_what_fits(self):
        if subprocess.run(['unshare', '-rm', 'true'], stderr=subprocess.DEVNULL).returncode:
            self.skipTest('this kernel gives no mount namespaces to users')
        plain, _ = self.train('plain')
        os.mkdir(self.cache)
        mount = f'mount -t tmpfs -o size={3 * SHARD} tmpfs {self.cache} && exec "$@"'
        cached, said = self.train('full', before=['unshare', '-rm', 'bash', '-c', mount, 'x'], cache=self.cache)
        self.assertEqual(cached, plain)
        self.assertRegex(said, f'[12] of {SHARDS} shards are in')

    def test_a_dataset_of_another_program_is_refused(self):
        folder = self.root + '/foreign/130/1300m012'
        os.makedirs(folder)
        for part in 'train', 'test':
            np.save(f'{folder}/x{part}_1.npy', np.zeros((40, 16, 16, 6), 'f4'))
            np.save(f'{folder}/y{part}_1.npy', np.arange(40) % 2.)
        self.data = self.root + '/foreign'
        _, said = self.train('none', status=1, cache=self.cache)
        self.assertIn('--cache: ' + self.data + ' was not written by split', said)
        self.assertFalse(os.path.exists(self.cache), 'a refused job leaves something')


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
