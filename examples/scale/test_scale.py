"""Both engines, with an executor or actor killed in mid-job: every picture once, with the caption it has without them.

SOLI_SCALE says how many pictures, 10,000 for `cargo xtask scale`.
"""

import collections
import os
import pathlib
import signal
import subprocess
import sys
import time

import make_pictures
import pyarrow.parquet
import pytest
from soli_captioner import Captioner

HERE = pathlib.Path(__file__).resolve().parent
COUNT = int(os.environ.get("SOLI_SCALE", "400"))
#: Seconds after which a job hangs.
LIMIT = 1200 + COUNT


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale") / "pictures"
    make_pictures.write(folder, COUNT, max(8, COUNT // 250))
    return folder


def processes(words, mark):
    """Processes with all `words` in their command line that a job with `mark` in its environment has started."""
    parents, marked, commands = {}, set(), {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        process = int(entry.name)
        try:
            commands[process] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parents[process] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if f"SOLI_SCALE_RUN={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                marked.add(process)
        except (OSError, ValueError):
            # It ended, or is not ours.
            continue

    def ours(process):
        # Workers of Ray's write their title over their environment; what started them does not.
        while process and process not in marked:
            process = parents.get(process)
        return bool(process)

    return sorted(
        process for process, command in commands.items() if all(word in command for word in words) and ours(process)
    )


def rows(files):
    """How many rows are in files that are whole; others may go away meanwhile."""
    total = 0
    for file in files:
        try:
            total += pyarrow.parquet.read_metadata(file).num_rows
        except (OSError, pyarrow.ArrowInvalid):
            continue
    return total


def run(script, arguments, victim, written, tmp_path):
    """Runs a script, and kills the first process `victim` that there is once there are rows: `written()` of them."""
    mark = f"{os.getpid()}-{script}"
    log = tmp_path / "log.txt"
    started = time.monotonic()
    environment = {**os.environ, "SOLI_SCALE_RUN": mark, "RAY_DEDUP_LOGS": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    with open(log, "w") as output:
        job = subprocess.Popen(
            [sys.executable, HERE / script, *map(str, arguments)], stdout=output, stderr=output, env=environment, cwd=tmp_path
        )
    killed = None
    try:
        while job.poll() is None:
            assert time.monotonic() - started < LIMIT, log.read_text()[-4000:]
            if killed is None and (done := written()) and (found := processes(victim, mark)):
                os.kill(found[0], signal.SIGKILL)
                killed = found
                print(f"{script}: process {found[0]} of {found} killed with {done} of {COUNT} rows written", file=sys.__stderr__)
                assert done < COUNT, "the job was over but for its end when a process was killed"
            time.sleep(0.02)
        assert job.returncode == 0, log.read_text()[-4000:]
    finally:
        job.kill()
        job.wait()
        for process in processes([], mark):
            os.kill(process, signal.SIGKILL)
    assert killed is not None, "the job was over before anything could be killed"
    print(f"{script}: {COUNT} pictures in {time.monotonic() - started:.1f} s", file=sys.__stderr__)


def check(folder):
    table = pyarrow.parquet.read_table(folder)
    assert table.column_names == ["id", "text", "kind", "confidence", "certainty", "words", "partial", "error"]
    times = collections.Counter(table["id"].to_pylist())
    expected = [f"{number:08}" for number in range(COUNT)]
    assert sorted(times) == expected
    assert set(times.values()) == {1}
    assert table["error"].null_count == COUNT
    captions = dict(zip(table["id"].to_pylist(), table["text"].to_pylist()))
    captioner = Captioner.load()
    for name, data in list(make_pictures.pictures(min(COUNT, 12))):
        assert captions[name] == captioner.caption(data)["text"]


def test_spark_with_an_executor_killed(pictures, tmp_path):
    captions = tmp_path / "captions"

    run(
        "spark_captions.py",
        [pictures, captions, "--master", "local-cluster[2,1,1024]"],
        ["CoarseGrainedExecutorBackend"],
        # Of tasks that have ended; others have not.
        lambda: rows(captions.glob("_temporary/*/task_*/*.parquet")),
        tmp_path,
    )
    check(captions)


def test_ray_with_an_actor_killed(pictures, tmp_path):
    captions = tmp_path / "captions"
    run(
        "ray_captions.py",
        [pictures, captions, "--nodes", 2],
        ["ray::", "MapWorker"],
        lambda: rows(captions.glob("*.parquet")),
        tmp_path,
    )
    check(captions)
