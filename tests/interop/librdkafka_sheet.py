"""The score sheet of librdkafka's tests: docs/interop/librdkafka.md, made of librdkafka.txt and of the outcomes of a run.

librdkafka_sheet.py RESULTS, where RESULTS are the lines of JSON that librdkafka_test.py wrote.
"""
import collections
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = os.path.join(HERE, "librdkafka.txt")
SHEET = os.path.join(HERE, "..", "..", "docs", "interop", "librdkafka.md")

# One test number: its name, Apache Kafka's outcome, "in" or "out" of scope, and the reason or a remark.
Row = collections.namedtuple("Row", "number name apache scope reason")

HEAD = """# librdkafka's own tests, against Pessoa

librdkafka {version} brings {tests} tests in its package for Node.js; {local} need no broker. Below is every other one: what it does on Apache
Kafka {apache} and on Pessoa, each number in a process of its own, not in quick mode, topics made by themselves when first
written to. `scripts/interop librdkafka` fetches, builds and runs those in scope (`--tests N` any of them); this file is made from
its results by `tests/interop/librdkafka_sheet.py`, and the reasons stand in `tests/interop/librdkafka.txt`.

In scope is what needs ApiVersions, Metadata, Produce, Fetch, ListOffsets, CreateTopics, DeleteTopics, DescribeConfigs and
InitProducerId without transactions. What a test asks of a broker was found by recording the requests it sent to Apache Kafka.

**{passed} of {scope} in scope pass.** Out of scope: {out}.

| Test | Apache Kafka | Pessoa | Reason, remark |
|---|---|---|---|
"""


def read_rows():
    """Number -> Row, of librdkafka.txt."""
    rows = {}
    with open(ROWS, encoding="utf-8") as file:
        for line in file:
            if line[:1].isdigit():
                name, apache, scope, *reason = line.split(None, 3)
                rows[name[:4]] = Row(name[:4], name, apache, scope, reason[0].strip() if reason else "")
    return rows


def read_outcomes(path):
    with open(path, encoding="utf-8") as file:
        return {told["test"]: told["outcome"] for told in map(json.loads, file)}


def main(results):
    rows, outcomes = read_rows(), read_outcomes(results)
    inside = [row for row in rows.values() if row.scope == "in"]
    text = HEAD.format(version="2.15.1", tests=198, local=75, apache="4.0.1", scope=len(inside), out=len(rows) - len(inside),
                       passed=sum(outcomes.get(row.number) == "passed" for row in inside))
    for row in rows.values():
        ours = outcomes.get(row.number, "not run") if row.scope == "in" else "excluded"
        text += f"| {row.name} | {row.apache} | {ours} | {row.reason} |\n"
    os.makedirs(os.path.dirname(SHEET), exist_ok=True)
    with open(SHEET, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1])
