"""What adding up gradients over ranks costs: measured at 2, 4 and 8 ranks on this machine, the fixed tree beside
MPI_Allreduce; and a model of both up to 1,024 nodes.

The model, for n bytes in S segments over P nodes, a line of latency a and rate b, and additions at rate c:

    tree       one segment climbs log2 P levels and comes down as many; the others follow it, each a transfer (and,
               on the way up, an addition) behind the one before:
               (2 log2 P + S - 1) (a + n / S / b + n / S / c)
    allreduce  Rabenseifner's: reduce-scatter, then gather:
               2 log2 P a + 2 n (P - 1) / P / b + n (P - 1) / P / c

It holds for messages that nothing else slows down and for nodes that begin at the same time. Neither counts what
hides behind the backward pass: all but the first layer's segment may."""
import argparse
import json
import math
import os
import subprocess

parser = argparse.ArgumentParser()
parser.add_argument('--build', default='build')
parser.add_argument('--model', default='etc/models/lenet-2x2.yaml')
parser.add_argument('--rounds', type=int, default=200)
parser.add_argument('--latency-us', type=float, default=2, help='of the line between nodes that is modelled')
parser.add_argument('--rate-gb', type=float, default=10, help='GB/s of that line')
parser.add_argument('--step-ms', type=float, default=30, help='a step of one node without the sum')
arguments = parser.parse_args()

MPI = ['--oversubscribe', '--bind-to', 'none', '--mca', 'pml', 'ob1', '--mca', 'btl', 'self,vader,tcp', '--mca', 'mpi_yield_when_idle', '1']
environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'OMPI_ALLOW_RUN_AS_ROOT': '1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1'}
print(f'measured, {os.cpu_count()} cores, medians of {arguments.rounds} rounds in turn:')
print(' ranks   tree ms   allreduce ms   8 bytes us   all bytes ms')
for ranks in 2, 4, 8:
    done = subprocess.run(['mpirun', '-n', str(ranks)] + MPI + [f'{arguments.build}/tests/bench/reduce', arguments.model, str(arguments.rounds)],
                          stdout=subprocess.PIPE, env=environment, check=True)
    row = json.loads(done.stdout)
    print(f"{ranks:6d}{1e3 * row['tree_s']:10.3f}{1e3 * row['allreduce_s']:15.3f}{1e6 * row['small_s']:13.1f}{1e3 * row['large_s']:15.3f}")

size, segments, add = row['bytes'], 5, 5e9
latency, rate = arguments.latency_us * 1e-6, arguments.rate_gb * 1e9
print(f'\nmodelled: {size} bytes in {segments} segments, {arguments.latency_us} us and {arguments.rate_gb} GB/s between nodes, '
      f'additions at {add / 1e9:.0f} GB/s; share of a step of {arguments.step_ms} ms when nothing hides behind it:')
print(' nodes   tree ms   share   allreduce ms   share')
for nodes in 2, 4, 8, 16, 64, 256, 1024:
    levels = math.log2(nodes)
    tree = (2 * levels + segments - 1) * (latency + size / segments / rate + size / segments / add)
    allreduce = 2 * levels * latency + size * (nodes - 1) / nodes * (2 / rate + 1 / add)
    shares = [100 * t / (t + arguments.step_ms * 1e-3) for t in (tree, allreduce)]
    print(f'{nodes:6d}{1e3 * tree:10.3f}{shares[0]:7.1f} %{1e3 * allreduce:13.3f}{shares[1]:8.1f} %')
