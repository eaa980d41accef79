"""The train job from outside: ranks, kills, stops, damaged checkpoints, what it leaves behind.
argv: decoy-worker, mpirun or '' (then several ranks are left out), a model file."""
import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(missing)
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'ref'))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'report'))
import read_events
import synthetic
from safetensors_file import read_whole

WORKER, MPIRUN, MODEL = sys.argv[1:4]
MPI = ['--oversubscribe', '--bind-to', 'none', '--mca', 'pml', 'ob1', '--mca', 'mpi_yield_when_idle', '1']
ENVIRONMENT = {**os.environ, 'OMPI_ALLOW_RUN_AS_ROOT': '1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1', 'OMP_NUM_THREADS': '1'}


class Train(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix='decoy-test-')
        cls.data = cls.root + '/data'
        synthetic.write(cls.data, train=200, valid=40, side=16, shard=64)
        cls.plain = cls.root + '/plain'
        cls.finish(cls.plain)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    @classmethod
    def start(cls, out, ranks=1, environment=None, before=(), **fields):
        spec = f'{out}.spec.json'
        given = dict(out=out, dataset=cls.data, model=MODEL, epochs=3, batch=24, micro_batch=4, trace_from=4, trace_steps=3, seed=5)
        given.update(fields)
        with open(spec, 'w') as file:
            json.dump({'kind': 'train', 'threads': 1, 'fields': given}, file)
        command = [*before, WORKER, '--spec', spec]
        if ranks > 1:
            command = [MPIRUN, '-n', str(ranks)] + MPI + command
        environment = {**ENVIRONMENT, **(environment or {})}
        if ranks > 1:
            environment['ASAN_OPTIONS'] = 'detect_leaks=0'  # Open MPI's own
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    @classmethod
    def finish(cls, out, ranks=1, status=0, **fields):
        process = cls.start(out, ranks, **fields)
        output, errors = process.communicate(timeout=100)
        assert process.returncode == status, (process.returncode, errors[:3000])
        return output, errors

    @staticmethod
    def kill_all(process):
        """mpirun's ranks too: they would outlive it for a moment, and write beside the next attempt."""
        for children in glob.glob(f'/proc/{process.pid}/task/*/children'):
            try:
                with open(children) as file:
                    ranks = [int(pid) for pid in file.read().split()]
            except OSError:
                ranks = []
            for pid in ranks:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        process.kill()
        process.communicate()

    def write(self, name, **parts):
        directory = f'{self.root}/{name}'
        synthetic.write(directory, **{**dict(train=48, side=16), **parts})
        return directory

    def rows(self, out):
        with open(out + '/metrics.jsonl') as file:
            rows = [json.loads(line) for line in file]
        return [{k: v for k, v in row.items() if k not in ('img_per_s', 'input_share')} for row in rows]

    def newest(self, out):
        return max(glob.glob(out + '/ckpts/ckpt-*.h5'), key=lambda p: int(p.split('-')[-1][:-3]))

    def assert_same_run(self, out, plain=None):
        """Bit for bit what the undisturbed run left."""
        plain = plain or self.plain
        with h5py.File(self.newest(plain)) as a, h5py.File(self.newest(out)) as b:
            self.assertEqual(a.attrs['step'], b.attrs['step'])
            for name in 'parameters', 'moments/first', 'moments/second':
                self.assertEqual(a[name][...].tobytes(), b[name][...].tobytes(), name)
        for name in 'model.safetensors', 'best.safetensors', 'model.yaml', 'input.json':
            with open(f'{plain}/{name}', 'rb') as a, open(f'{out}/{name}', 'rb') as b:
                self.assertEqual(a.read(), b.read(), name)
        self.assertEqual(self.rows(plain), self.rows(out))

    def test_outputs_are_complete(self):
        rows = self.rows(self.plain)
        steps = [r['step'] for r in rows if 'loss' in r]
        self.assertEqual(steps, [8, 10, 16, 20, 24])  # 200 // 24 = 8 steps an epoch
        self.assertEqual([r['epoch'] for r in rows if 'valid_loss' in r], [1, 2, 3])
        self.assertTrue(glob.glob(self.plain + '/logs/events.out.tfevents.*'))
        with open(self.plain + '/prof/trace-0.json') as file:
            slices = [e for e in json.load(file)['traceEvents'] if e['ph'] == 'X']
        kinds = {(e['name'], e['cat']) for e in slices}
        for layer in 'conv1', 'avgpool1', 'conv2', 'maxpool1', 'dense1', 'dense2':
            self.assertLessEqual({(layer, 'forward'), (layer, 'backward')}, kinds)
        self.assertLessEqual({('input', 'input'), ('reduce', 'reduce'), ('adam', 'update')}, kinds)
        self.assertEqual(sum(e['name'] == 'adam' for e in slices), 3)
        with h5py.File(self.newest(self.plain)) as file:
            attributes = dict(file.attrs)
        self.assertEqual((attributes['step'], attributes['epoch'], attributes['cursor']), (24, 3, 0))
        self.assertIn('oneDNN', str(attributes['library']))
        self.assertEqual(attributes['threads'], 1)

    def events(self, out):
        """TensorBoard's: (step, tag, kind, value), and the graph's nodes by name."""
        values, nodes = [], {}
        for path in sorted(glob.glob(out + '/logs/events.out.tfevents.*')):
            for event in read_events.records(path):
                for value in read_events.fields(event[5][0])[1] if 5 in event else []:
                    value = read_events.fields(value)
                    kind = max(set(value) - {1})
                    values.append((event.get(2, [0])[0], value[1][0].decode(), kind, value[kind][0]))
                for node in read_events.fields(event[4][0])[1] if 4 in event else []:
                    node = read_events.fields(node)
                    nodes[node[1][0].decode()] = [name.decode() for name in node.get(3, [])]
        return values, nodes

    def test_the_log_has_a_line_an_epoch(self):
        _, log = self.finish(self.root + '/logged')
        told = re.findall(r'info: epoch (\d) of 3: loss ([\d.]+), accuracy ([\d.]+); validation: loss ([\d.]+), accuracy ([\d.]+), AUC ([\d.]+)', log)
        with open(self.root + '/logged/metrics.jsonl') as file:
            rows = [row for row in map(json.loads, file) if 'epoch_loss' in row]
        names = 'epoch', 'epoch_loss', 'epoch_accuracy', 'valid_loss', 'valid_accuracy', 'valid_auc'
        self.assertEqual(len(told), 3)
        np.testing.assert_allclose(np.array(told, float), [[row[name] for name in names] for row in rows], atol=5.1e-5)

    def test_graph_has_the_branches_of_a_residual_block(self):
        _, nodes = self.events(self.plain)
        self.assertEqual(nodes['input'], [])
        self.assertEqual(nodes['residual1.in/Identity'], ['avgpool1/AvgPool'])
        self.assertEqual(nodes['residual1.projection/Conv2D'], nodes['conv2/Conv2D'])
        self.assertEqual(nodes['conv2/Conv2D'], ['residual1.in/Identity'])
        self.assertEqual(nodes['residual1/AddV2'], ['gelu1/Gelu', 'residual1.projection/Conv2D'])
        self.assertEqual(nodes['residual1/relu'], ['residual1/AddV2'])
        self.assertEqual(nodes['maxpool1/MaxPool'], ['residual1/relu'])
        self.assertEqual(nodes['softmax'], ['dense2/MatMul'])
        # TensorBoard would show numbered nodes that are in no namespace as one series
        self.assertEqual([name for name in nodes if '/' not in name], ['input', 'softmax'])

    def test_epochs_have_histograms_of_the_weights_and_pictures(self):
        values, _ = self.events(self.plain)
        _, tensors = read_whole(self.plain + '/model.safetensors')
        by_tag = {}
        for step, tag, kind, value in values:
            by_tag.setdefault((tag, kind), []).append((step, value))
        for name, tensor in tensors.items():
            rows = by_tag[name[::-1].replace('.', '/', 1)[::-1], 5]
            self.assertEqual([step for step, _ in rows], [8, 16, 24])
            least, most, count, total = (read_events.doubles(read_events.fields(rows[-1][1]), n)[0] if n in read_events.fields(rows[-1][1]) else 0 for n in (1, 2, 3, 4))
            self.assertEqual((least, most, count), (tensor.min(), tensor.max(), tensor.size))
            self.assertAlmostEqual(total, tensor.sum(dtype='f8'), places=6)
        for tag in 'filters', 'gallery/giveaways', 'gallery/passed':
            self.assertEqual([step for step, _ in by_tag[tag, 4]], [8, 16, 24])

    def test_table_tells_where_a_steps_time_goes(self):
        with open(self.plain + '/prof/layers.txt') as file:
            text = file.read()
        self.assertIn('mean of 3 steps up to step 7', text)
        lines = [line for line in text.split('\n\n')[1].splitlines()[1:] if line]
        rows = {re.sub(r'\s+[-\d. ]+$', '', line): [float(word) for word in re.search(r'[-\d. ]+$', line)[0].split()] for line in lines}
        self.assertLessEqual({'conv1 forward', 'conv1 backward', 'residual1.projection backward', 'input', 'reduce', 'adam', 'the rest', 'all'}, set(rows))
        parts = [row for name, row in rows.items() if name != 'all']
        self.assertAlmostEqual(sum(row[0] for row in parts), rows['all'][0], delta=0.001 * len(parts))
        self.assertAlmostEqual(sum(row[1] for row in parts), 100, delta=0.05 * len(parts))
        flops = 2 * 5 * 5 * 6 * 6 * 16 * 16 * 24  # of conv1 in a batch of 24: 5 x 5 px, 6 channels to 6, 16 x 16 px
        ms, _, rate = rows['conv1 forward'][:3]
        self.assertAlmostEqual(rate * ms * 1e6, flops, delta=flops * (0.0006 / ms + 0.06 / rate))

    def test_trace_has_the_first_checkpoint_after_its_steps(self):
        with open(self.plain + '/prof/trace-0.json') as file:
            slices = [e for e in json.load(file)['traceEvents'] if e['ph'] == 'X']
        self.assertEqual([e['cat'] for e in slices].count('checkpoint'), 1)
        self.assertEqual(slices[-1]['cat'], 'checkpoint')

    def test_rates_follow_one_cycle(self):
        rates = [r['rate'] for r in self.rows(self.plain) if 'rate' in r]
        self.assertAlmostEqual(max(rates), 0.002, delta=0.0001)
        self.assertLess(rates[-1], 1e-7)

    def test_safetensors_read_by_another_reader(self):
        with open(self.plain + '/model.safetensors', 'rb') as file:
            data = file.read()
        length = int.from_bytes(data[:8], 'little')
        header = json.loads(data[8:8 + length])
        self.assertEqual(header.pop('__metadata__')['format'], 'pt')
        tensors = {k: np.frombuffer(data[8 + length:][slice(*v['data_offsets'])], '<f4').reshape(v['shape']) for k, v in header.items()}
        self.assertEqual({k: t.shape for k, t in tensors.items()}, {
            'conv1.weight': (6, 6, 5, 5), 'conv1.bias': (6,), 'conv2.weight': (8, 6, 3, 3), 'conv2.bias': (8,),
            'batchnorm1.weight': (8,), 'batchnorm1.bias': (8,), 'batchnorm1.running_mean': (8,), 'batchnorm1.running_var': (8,),
            'residual1.projection.weight': (8, 6, 1, 1), 'residual1.projection.bias': (8,),
            'dense1.weight': (12, 4 * 4 * 8), 'dense1.bias': (12,), 'dense2.weight': (2, 12), 'dense2.bias': (2,)})
        self.assertEqual((len(data) - 8 - length), sum(t.nbytes for t in tensors.values()))
        with h5py.File(self.newest(self.plain)) as file:
            self.assertEqual(file['parameters'][...].tobytes(), data[8 + length:])

    def test_ranks_give_the_same_bits(self):
        if not MPIRUN:
            self.skipTest('no mpirun')
        for ranks in 2, 3, 4:
            _, errors = self.finish(f'{self.root}/ranks{ranks}', ranks)
            self.assert_same_run(f'{self.root}/ranks{ranks}')
            self.assertFalse(re.search('Read -1.*', errors), 'Open MPI reads memory of other ranks, which the kernel refuses')

    def test_kill_and_resume_gives_the_same_bits(self):
        """Chains of kills, each attempt on 1, 2 or 4 ranks: one in four at its start, one after the first step, two after
        another checkpoint."""
        chains, kills = int(os.environ.get('DECOY_CHAINS', 10)), int(os.environ.get('DECOY_KILLS', 3))
        seed, epochs = int(os.environ.get('DECOY_SEED', 3)), kills
        draw, struck, resumed, plain = random.Random(seed), 0, 0, self.root + '/plain-of-chains'
        self.finish(plain, epochs=epochs)
        for chain in range(chains):
            out = f'{self.root}/kill{chain}'
            for _ in range(kills):
                ranks = draw.choice([1, 2, 4]) if MPIRUN and chain % 3 == 2 else 1
                seen = draw.choice(['/', '/logs/*', '/ckpts/ckpt-*.h5', '/ckpts/ckpt-*.h5'])
                before, delay = set(glob.glob(out + seen)), draw.uniform(0, 0.1)
                resumed += bool(glob.glob(out + '/ckpts/ckpt-*.h5'))
                process = self.start(out, ranks, epochs=epochs, checkpoint_every=1)
                while seen != '/' and process.poll() is None and set(glob.glob(out + seen)) <= before:
                    time.sleep(0.002)
                time.sleep(delay)
                struck += process.poll() is None
                self.kill_all(process)
            self.finish(out, 2 if MPIRUN and chain % 3 == 1 else 1, epochs=epochs, checkpoint_every=1)
            self.assert_same_run(out, plain)
            self.assertEqual(glob.glob(out + '/ckpts/.*'), [])
            shutil.rmtree(out)
        self.assertGreater(struck, chains * kills // 2)
        self.assertGreater(resumed, chains * kills // 4)
        print(f'RECORD\tT1 kill-and-resume chains\t{chains}\t{seed}\t{struck} kills of a running training, {resumed} attempts '
              f'began from a checkpoint; {epochs} epochs a chain, on 1, 2 and 4 ranks; weights, moments and metrics other than undisturbed: 0')

    def test_stop_leaves_a_checkpoint_and_more_ranks_go_on(self):
        out = self.root + '/stop'
        stopped = 0
        for _ in range(40):
            begun = len(glob.glob(out + '/logs/*'))
            process = self.start(out)
            while process.poll() is None and len(glob.glob(out + '/logs/*')) == begun:
                time.sleep(0.002)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
            if process.returncode == 0:
                break
            self.assertEqual(process.returncode, 75, errors)
            self.assertIn('stopped as asked', errors)
            stopped += 1
            if stopped == 3:
                self.finish(out, 2 if MPIRUN else 1)
                break
        self.assertGreater(stopped, 0)
        self.assert_same_run(out)

    def test_stop_is_heard_while_the_disk_hangs(self):
        """A checkpoint is written at once, whichever of the epoch's batches, or of the validation's, does not come."""
        hangs = self.root + '/hangs'
        environment = {'LD_PRELOAD': os.environ['SLOW_DISK_MODULE'], 'SLOW_DISK': hangs, 'ASAN_OPTIONS': 'detect_leaks=0:verify_asan_link_order=0'}
        self.finish(self.root + '/plain-of-hangs', epochs=16)
        for n in range(2):
            out = f'{self.root}/hang{n}'
            process = self.start(out, environment=environment, epochs=16)
            self.addCleanup(process.kill)
            while len(glob.glob(out + '/ckpts/ckpt-*.h5')) < 1 + n:
                time.sleep(0.002)
            with open(hangs, 'w'):
                pass
            size = -1
            while size != os.path.getsize(out + '/metrics.jsonl'):  # until it waits
                size = os.path.getsize(out + '/metrics.jsonl')
                time.sleep(0.5)
            begun, asked = self.newest(out), time.time() - 0.05
            self.assertIsNone(process.poll())
            process.send_signal(signal.SIGTERM)
            while max(os.stat(path).st_mtime for path in glob.glob(out + '/ckpts/ckpt-*.h5')) < asked and time.time() < asked + 5:
                time.sleep(0.005)
            written = max(os.stat(path).st_mtime for path in glob.glob(out + '/ckpts/ckpt-*.h5'))
            self.assertGreaterEqual(written, asked, f'no checkpoint in 5 s; the newest is {begun}')
            os.unlink(hangs)
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 75, errors)
            self.finish(out, 2 if MPIRUN and n else 1, epochs=16)
            self.assert_same_run(out, self.root + '/plain-of-hangs')

    def test_signal_asks_for_a_checkpoint(self):
        out = self.root + '/asked'
        process = self.start(out, epochs=400)
        while not glob.glob(out + '/metrics.jsonl'):
            time.sleep(0.005)
        process.send_signal(signal.SIGUSR1)
        deadline = time.time() + 30
        while time.time() < deadline and not glob.glob(out + '/ckpts/ckpt-*.h5'):
            time.sleep(0.005)
        process.kill()
        process.communicate()
        self.assertTrue(glob.glob(out + '/ckpts/ckpt-*.h5'))

    def test_an_attempt_that_comes_round_after_the_next_changes_nothing(self):
        """As one whose host was cut off, or that hung."""
        out = self.root + '/taken'
        process = self.start(out, epochs=60)
        self.addCleanup(process.kill)
        rows = ''
        while '{"step":10,' not in rows:  # an epoch has 9: it is far from its next checkpoint
            time.sleep(0.002)
            if os.path.exists(out + '/metrics.jsonl'):
                with open(out + '/metrics.jsonl') as file:
                    rows = file.read()
        process.send_signal(signal.SIGSTOP)
        self.assertIsNone(process.poll())
        self.finish(out, epochs=60)

        def outputs():
            paths = [path for path in glob.glob(out + '/**', recursive=True) if os.path.isfile(path)]
            return {path: (os.stat(path).st_ino, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in paths}
        left = outputs()
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn(f'another attempt writes to {out} since', errors)
        self.assertEqual(outputs(), left)

    def test_damaged_checkpoint_is_passed_over(self):
        out = self.root + '/damaged'
        self.finish(out)
        newest = self.newest(out)
        size = os.path.getsize(newest)
        with open(newest, 'rb') as file:
            good = file.read()
        draw = random.Random(7)
        damages = [good[:cut] for cut in (0, 7, 512, size // 2, size - 1)] + [good + b'x', good[:size // 2] + bytes(size - size // 2)]
        for _ in range(3):
            bad = bytearray(good)
            bad[draw.randrange(size)] ^= 1 << draw.randrange(8)
            damages.append(bytes(bad))
        with open(out + '/ckpts/ckpt-16.h5', 'rb') as file:
            damages.append(file.read())  # another step's under this name
        for bad in damages:
            with open(newest, 'wb') as file:
                file.write(bad)
            _, errors = self.finish(out)
            self.assertIn('passed over', errors)
            self.assertIn('after step 16 of 24', errors)
            self.assert_same_run(out)

    def test_keeps_the_last_and_the_best(self):
        out = self.root + '/keep'
        output, _ = self.finish(out, epochs=8, keep=2, rate=0.01, schedule='constant')
        best = json.loads(output)['best_step']
        steps = sorted(int(p.split('-')[-1][:-3]) for p in glob.glob(out + '/ckpts/ckpt-*.h5'))
        self.assertEqual(steps, sorted({56, 64, best}))

    def test_finished_run_is_left_as_it_is(self):
        output, _ = self.finish(self.plain)
        self.assertEqual(json.loads(output)['steps'], 24)
        self.assert_same_run(self.plain)

    def test_another_run_in_the_same_place_is_refused(self):
        for fields, words in (({'rate': 0.001}, 'its rate is 0.002, this job\'s is 0.001'), ({'epochs': 4}, 'its epochs is 3'),
                              ({'model': 'lenet-2x2'}, 'its model is'), ({'micro_batch': 8}, 'its micro_batch is 4')):
            _, errors = self.finish(self.plain, status=1, **fields)
            self.assertIn('is of another run', errors)
            self.assertIn(words, errors)
        other = self.root + '/other'
        synthetic.write(other, train=200, valid=40, side=16, seed=2)
        _, errors = self.finish(self.plain, status=1, dataset=other)
        self.assertIn('its dataset is', errors)
        self.assert_same_run(self.plain)

    def test_labels_drawn_by_lot_are_the_same_on_all_ranks_and_another_run(self):
        one, two = self.root + '/sham', self.root + '/sham2'
        self.finish(one, sham=True)
        with open(one + '/input.json') as file:
            self.assertEqual(json.load(file)['sham_seed'], 5)
        with open(one + '/best.safetensors', 'rb') as a, open(self.plain + '/best.safetensors', 'rb') as b:
            self.assertNotEqual(a.read(), b.read())
        if MPIRUN:
            self.finish(two, ranks=2, sham=True)
            self.assert_same_run(two, one)
        _, errors = self.finish(one, status=1)
        self.assertIn('is of another run: its sham is 1', errors)
        _, errors = self.finish(self.plain, status=1, sham=True)
        self.assertIn('is of another run: its sham is 0', errors)

    def refusal(self, **fields):
        spec = self.root + '/evaluate.json'
        with open(spec, 'w') as file:
            json.dump({'kind': 'evaluate', 'threads': 1, 'fields': dict(fields, out=self.root + '/evaluated')}, file)
        done = subprocess.run([WORKER, '--spec', spec], capture_output=True, text=True, env=ENVIRONMENT, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertFalse(os.path.exists(self.root + '/evaluated'))
        return done.stderr

    def test_model_is_evaluated_on_no_other_dataset(self):
        other = self.root + '/other-test'
        synthetic.write(other, train=200, valid=40, test=20, side=16, seed=2)
        refusal = self.refusal(model=self.plain, dataset=other)
        self.assertIn(f'the model in {self.plain} was trained on another dataset', refusal)

    def test_unfinished_model_is_not_evaluated(self):
        tested, model = self.root + '/tested', shutil.copytree(self.plain, self.root + '/unfinished')
        synthetic.write(tested, train=48, valid=0, test=20, side=16)
        os.remove(model + '/model.safetensors')
        self.assertIn(f'{model} is not the output of a train job that has ended', self.refusal(model=model, dataset=tested))
        self.assertIn('there is no directory ', self.refusal(model=model + '/nothing', dataset=tested))

    def test_bad_input_gives_a_sentence(self):
        out = self.root + '/bad'
        _, errors = self.finish(out, status=1, batch=201)
        self.assertIn('has 200 examples, fewer than a --batch of 201', errors)
        _, errors = self.finish(out, status=1, dataset=self.root)
        self.assertIn('manifest.json', errors)
        _, errors = self.finish(out, status=1, model='nothing')
        self.assertIn('nothing', errors)
        huge = self.root + '/huge'
        synthetic.write(huge, train=24, valid=0, side=16)
        pixels = np.load(huge + '/xtrain_1.npy')
        pixels[3, :, :, 0] = 3e38
        np.save(huge + '/xtrain_1.npy', pixels)
        _, errors = self.finish(out, status=1, dataset=huge, image_scale='none')
        self.assertRegex(errors, 'the (loss|gradient) is not a number any more at step 1 .*try a lower --rate')
        self.assertEqual(glob.glob(out + '/ckpts/*'), [])

    def test_augmentation_depends_on_neither_ranks_nor_kills(self):
        fields = dict(augment_symmetries=True, augment_shift=2, augment_noise=0.5, image_scale='standard', invvar_scale='standard')
        outs = [f'{self.root}/augment{i}' for i in range(3)]
        self.finish(outs[0], **fields)
        process = self.start(outs[1], **fields)
        while not glob.glob(outs[1] + '/ckpts/ckpt-*.h5'):
            time.sleep(0.002)
        process.kill()
        process.communicate()
        self.finish(outs[1], **fields)
        self.assert_same_run(outs[1], outs[0])
        if MPIRUN:
            self.finish(outs[2], 3, **fields)
            self.assert_same_run(outs[2], outs[0])
        losses = [[row['epoch_loss'] for row in self.rows(out) if 'epoch_loss' in row] for out in (self.plain, outs[0])]
        self.assertNotEqual(losses[0], losses[1])

    def test_checkpoints_are_listed_and_verified(self):
        spec, out = self.root + '/ckpt.json', shutil.copytree(self.plain, self.root + '/listed')

        def ckpt(action, status):
            with open(spec, 'w') as file:
                json.dump({'kind': 'ckpt', 'threads': 1, 'fields': {'action': action, 'run': out}}, file)
            done = subprocess.run([WORKER, '--spec', spec], capture_output=True, text=True, env=ENVIRONMENT, check=False)
            self.assertEqual(done.returncode, status, done.stderr)
            return done
        listed = json.loads(ckpt('verify', 0).stdout)
        self.assertEqual([c['step'] for c in listed['checkpoints']], [8, 16, 24])
        with open(out + '/ckpts/ckpt-16.h5', 'r+b') as file:
            file.truncate(3000)
        self.assertIn('1 of 3 checkpoints are damaged; the first: ' + out + '/ckpts/ckpt-16.h5', ckpt('verify', 1).stderr)
        listed = json.loads(ckpt('ls', 0).stdout)
        self.assertEqual([c['whole'] for c in listed['checkpoints']], [True, False, True])
        shutil.rmtree(out + '/ckpts')
        self.assertIn('there is no checkpoint in ' + out, ckpt('ls', 1).stderr)

    def test_every_optimiser_learns(self):
        for optimiser, schedule, rate in ('sgd', 'step', 0.05), ('adamw', 'cosine', 0.003), ('lamb', 'onecycle', 0.02):
            out = f'{self.root}/{optimiser}'
            output, _ = self.finish(out, epochs=8, optimiser=optimiser, schedule=schedule, rate=rate, step_epochs=6, warm_up=0.1, weight_decay=0.001,
                                    clip_norm=5, fake_weight=2, label_smoothing=0.05)
            result, rows = json.loads(output), self.rows(out)
            self.assertGreater(result['valid_accuracy'], 0.9, optimiser)
            self.assertTrue(all(row['gradient_norm'] > 0 for row in rows if 'loss' in row))
            rates = [row['rate'] for row in rows if 'rate' in row]
            self.assertLess(rates[-1], 0.11 * max(rates), schedule)

    def test_run_out_of_patience_ends_early_also_after_a_kill(self):
        outs = [f'{self.root}/{name}-patience' for name in ('no', 'kill')]
        fields = dict(epochs=300, patience=3, schedule='constant', rate=0.005)
        process = self.start(outs[1], **fields)
        while len(glob.glob(outs[1] + '/ckpts/ckpt-*.h5')) < 2:
            time.sleep(0.002)
        process.kill()
        process.communicate()
        results = [json.loads(self.finish(out, **fields)[0]) for out in outs]
        for result in results:
            self.assertEqual(result['ended'], 'early, out of patience')
            self.assertEqual(result['steps'], result['best_step'] + 3 * 8)
            self.assertLess(result['steps'], 300 * 8)
        self.assertEqual(results[0]['best_valid_loss'], results[1]['best_valid_loss'])
        again = json.loads(self.finish(outs[0], **fields)[0])
        self.assertEqual(again['steps'], results[0]['steps'])
        _, errors = self.finish(self.root + '/blind', status=1, patience=2, dataset=self.write('blind-data', valid=0))
        self.assertIn('--patience looks at the validation part', errors)

    def need_bf16(self):
        with open('/proc/cpuinfo') as file:
            if 'avx512_bf16' not in file.read():
                self.skipTest('this processor multiplies no bfloat16 (avx512_bf16)')

    def test_bf16_learns_and_depends_on_neither_ranks_nor_kills(self):
        self.need_bf16()
        outs = [f'{self.root}/bf16-{i}' for i in range(4)]
        output, _ = self.finish(outs[0], precision='bf16')
        losses = [row['epoch_loss'] for row in self.rows(outs[0]) if 'epoch_loss' in row]
        self.assertLess(losses[-1], 0.95 * losses[0])
        for value, plain in zip(losses, (row['epoch_loss'] for row in self.rows(self.plain) if 'epoch_loss' in row)):
            self.assertNotEqual(value, plain)
            self.assertAlmostEqual(value, plain, delta=0.03 * plain)
        self.assertEqual(json.loads(output)['precision'], 'bf16')
        self.assertEqual(read_whole(outs[0] + '/model.safetensors')[0]['precision'], 'bf16')
        self.assertEqual(read_whole(self.plain + '/model.safetensors')[0]['precision'], 'f32')
        with open(outs[0] + '/prof/layers.txt') as file:
            self.assertIn('tiny in bf16, batch 24', file.read())
        process = self.start(outs[1], precision='auto')
        while not glob.glob(outs[1] + '/ckpts/ckpt-*.h5'):
            time.sleep(0.002)
        process.kill()
        process.communicate()
        self.finish(outs[1], precision='auto')
        self.assert_same_run(outs[1], outs[0])
        for ranks in (2, 3) if MPIRUN else ():
            self.finish(outs[ranks], ranks, precision='bf16')
            self.assert_same_run(outs[ranks], outs[0])

    def test_auto_is_f32_where_a_processor_has_no_bf16(self):
        out, lacking = self.root + '/auto', {'ONEDNN_MAX_CPU_ISA': 'AVX512_CORE'}
        plain = self.root + '/plain-lacking'
        self.finish(plain, environment=lacking)
        output, _ = self.finish(out, environment=lacking, precision='auto')
        self.assertEqual(json.loads(output)['precision'], 'f32')
        self.assert_same_run(out, plain)
        _, errors = self.finish(self.root + '/refused', status=1, environment=lacking, precision='bf16')
        self.assertIn('--precision bf16: a processor of this job multiplies no bfloat16 (avx512_bf16): give --precision f32, or auto', errors)
        self.assertEqual(glob.glob(self.root + '/refused/*/*'), [])
        self.need_bf16()
        _, errors = self.finish(out, precision='auto')  # on a better processor
        self.assertIn('goes on from the checkpoint after step 24', errors)
        self.assertEqual(json.loads(self.finish(out, precision='auto')[0])['precision'], 'f32')
        if MPIRUN:
            one_lacks = ['sh', '-c', '[ "$OMPI_COMM_WORLD_RANK" = 0 ] || export ONEDNN_MAX_CPU_ISA=AVX512_CORE; exec "$@"', 'sh']
            output, _ = self.finish(self.root + '/one-lacks', 2, before=one_lacks, precision='auto')
            self.assertEqual(json.loads(output)['precision'], 'f32')
            refused = self.start(self.root + '/refused', 2, before=one_lacks, precision='bf16')
            _, errors = refused.communicate(timeout=100)
            self.assertNotEqual(refused.returncode, 0)  # 1, or mpirun's own end: two ranks that abort at once have made it crash
            self.assertIn('--precision bf16: a processor of this job', errors)

    def test_run_in_bf16_goes_on_in_nothing_else(self):
        self.need_bf16()
        out = self.root + '/begun-in-bf16'
        self.finish(out, precision='auto')
        _, errors = self.finish(out, status=1, environment={'ONEDNN_MAX_CPU_ISA': 'AVX512_CORE'}, precision='auto')
        self.assertIn(f'--precision auto: the training in {out}/ckpts began in bf16, which a processor of this job has not (avx512_bf16): '
                      'go on where there is one, or give another --out', errors)
        _, errors = self.finish(out, status=1, precision='f32')
        self.assertIn('its precision is "bf16", this job\'s is "f32"', errors)

    def test_no_validation_part_is_fine(self):
        data, out = self.root + '/novalid-data', self.root + '/novalid'
        synthetic.write(data, train=48, valid=0, side=16)
        output, _ = self.finish(out, dataset=data)
        self.assertNotIn('valid_loss', json.loads(output))
        self.assertFalse(os.path.exists(out + '/best.safetensors'))
        self.assertEqual([r['epoch'] for r in self.rows(out) if 'epoch_loss' in r], [1, 2, 3])


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
