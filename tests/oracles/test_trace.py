"""The Chrome traces: slices of a track nest, and a step holds every layer forward and backward."""
import json


def tracks(path):
    found = {}
    for event in json.load(open(path))["traceEvents"]:
        if event["ph"] == "X":
            start = round(event["ts"] * 1000)
            found.setdefault((event["pid"], event["tid"]), []).append((start, start + round(event["dur"] * 1000), event))
    return found


def test_slices_of_a_track_nest(model):
    paths = sorted((model / "prof").glob("trace-*.json"))
    assert paths
    for path in paths:
        for slices in tracks(path).values():
            open_ends = []
            for start, end, event in sorted(slices, key=lambda s: (s[0], -s[1])):
                while open_ends and open_ends[-1] <= start:
                    open_ends.pop()
                assert not open_ends or end <= open_ends[-1], (path, event)
                open_ends.append(end)


def test_layers_have_slices_forward_and_backward(model):
    for path in (model / "prof").glob("trace-*.json"):
        for slices in tracks(path).values():
            names = {kind: {e["name"] for _, _, e in slices if e.get("cat") == kind} for kind in ("forward", "backward")}
            assert len(names["forward"]) > 5 and len(names["backward"]) > 5, path
