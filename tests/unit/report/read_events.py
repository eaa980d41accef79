"""An independent reader of the event file and the trace that test_events.c wrote: frames by struct, crc32c
by its polynomial, protobuf by an own varint parser. Exits with an error where anything differs."""
import glob
import json
import struct
import sys


def crc32c_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = (i >> 1) ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    return table


TABLE = crc32c_table()


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """{number: [value...]} of a message; values as integers or bytes."""
    at, found = 0, {}
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(kind) or varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size
        found.setdefault(key >> 3, []).append(value)
    return found


def records(path):
    data = open(path, "rb").read()
    at = 0
    while at < len(data):
        size, = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked_crc(data[at:at + 8])
        payload = data[at + 12:at + 12 + size]
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == masked_crc(payload)
        yield fields(payload)
        at += 16 + size


def check_graph(graph):
    nodes = [fields(node) for node in graph[1]]
    assert [n[1][0] for n in nodes] == [b"input", b"conv1"]
    assert [n[2][0] for n in nodes] == [b"Placeholder", b"Conv2D"]
    assert 3 not in nodes[0] and nodes[1][3] == [b"input"]
    entry = fields(nodes[1][5][0])
    assert entry[1] == [b"_output_shapes"]
    shape = fields(fields(fields(entry[2][0])[1][0])[7][0])
    assert [fields(d)[1][0] for d in shape[2]] == [16, 64, 64, 18]
    assert fields(graph[4][0])[1][0] > 0


def doubles(message, number):
    data = b"".join(message[number])
    return list(struct.unpack(f"<{len(data) // 8}d", data))


def check_histogram(histogram):
    """Of -3, -2.5 ... 2.5 and two that are not numbers."""
    values = [i / 2 for i in range(-6, 6)]
    told = [doubles(histogram, number)[0] for number in range(1, 6)]
    assert told == [-3, 2.5, 12, sum(values), sum(v * v for v in values)]
    limits, counts = doubles(histogram, 6), doubles(histogram, 7)
    assert len(limits) == len(counts) > 12 and limits == sorted(limits) and limits[-1] == 2.5 and sum(counts) == 12
    for value in values:
        place = next(i for i, limit in enumerate(limits) if value < limit or limit == limits[-1])
        assert counts[place] == 1


def check_events(directory):
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF
    path, = glob.glob(directory + "/events.out.tfevents.*")
    events = list(records(path))
    assert events[0][3] == [b"brain.Event:2"]
    assert all(1.7e9 < struct.unpack("<d", e[1][0])[0] < 1e11 for e in events)
    check_graph(fields(events[1][4][0]))
    scalars = events[2:302]
    for step, event in enumerate(scalars):
        assert event.get(2, [0])[0] == step
        value = fields(fields(event[5][0])[1][0])
        assert value[1] == [b"loss/train"]
        assert value[2][0] == struct.pack("<f", 1 / (step + 1))
    image = fields(fields(fields(events[302][5][0])[1][0])[4][0])
    assert (image[1], image[2], image[3]) == ([80], [120], [3])
    assert image[4][0] == bytes(i * 7 & 255 for i in range(70000))
    check_histogram(fields(fields(fields(events[303][5][0])[1][0])[5][0]))
    assert len(events) == 304


def check_trace(directory):
    trace = json.load(open(directory + "/trace.json"))
    events = trace["traceEvents"]
    names = {e["name"]: e["args"]["name"] for e in events if e["ph"] == "M"}
    assert names == {"process_name": 'node "three"', "thread_name": "rank 1"}
    slices = [e for e in events if e["ph"] == "X"]
    assert len(slices) == 3000 and all((e["pid"], e["tid"]) == (3, 1) for e in slices)
    ns = [(round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)) for e in slices]
    for step, first, second in zip(ns[::3], ns[1::3], ns[2::3]):
        assert step[0] == first[0] < first[1] == second[0] < second[1] == step[1]


if __name__ == "__main__":
    check_events(sys.argv[1])
    check_trace(sys.argv[1])
