"""The closing line of a test run: how many test programs passed, failed and were skipped.

  count.py BUILD/meson-logs/testlog.json
"""
import collections
import json
import sys

outcomes = collections.Counter()
with open(sys.argv[1]) as lines:
    for line in lines:
        result = json.loads(line)['result']
        outcomes['passed' if result in ('OK', 'EXPECTEDFAIL') else 'skipped' if result == 'SKIP' else 'failed'] += 1
print(f"{outcomes['passed']} passed, {outcomes['failed']} failed, {outcomes['skipped']} skipped")
