"""Where the time of a benchmark's case goes, by kind of operation. For TensorFlow on a CPU.

    python tools/benchmark_profile.py train-gru-bahdanau
    python tools/benchmark_profile.py beam-5 --data DATA --dtype mixed_bfloat16

One operation runs at a time, on all threads, so that times add up; what `benchmark.py` measures
is shorter where operations overlap.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import tensorflow as tf

from benchmarks import corpus, report
from benchmarks.cases import CASES, Decode, Setting, Train


def operations(run, folder):
    """Profiles `run()`: seconds and number of the operations of each kind, two `Counter`s."""
    # TensorFlow comes with this reader of its profiles.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    tf.profiler.experimental.start(str(folder))
    run()
    tf.profiler.experimental.stop()
    (path,) = folder.glob("**/*.xplane.pb")
    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    seconds, number = Counter(), Counter()
    for plane in space.planes:
        if plane.name != "/host:CPU":
            continue
        for line in plane.lines:
            for event in line.events:
                name, colon, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                # Operations of a graph are called "scope/name:Kind"; other events enclose them.
                if not colon or name.endswith(":") or " " in kind:
                    continue
                seconds[_plain(kind)] += event.duration_ps / 1e12
                number[_plain(kind)] += 1
    return seconds, number


def _plain(kind):
    """The plain kind, such as `MatMul` for oneDNN's `_MklMatMul`."""
    return kind.removeprefix("_Mkl").removeprefix("Native").removesuffix("V2")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = [name for name, case in CASES.items() if isinstance(case, (Train, Decode))]
    parser.add_argument("case", choices=names)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--dtype", default="float32", help="dtype policy of the model")
    parser.add_argument("--top", type=int, default=20, help="how many kinds to show")
    arguments = parser.parse_args()
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        try:
            tf.keras.config.set_dtype_policy(arguments.dtype)
            corpus.prepare(workspace, arguments.data)
        except (OSError, ValueError) as error:
            sys.exit(f"benchmark_profile: {error}")
        case = CASES[arguments.case]
        case.prepare(Setting(folder, arguments.batch_size, arguments.dtype))
        report.show_operations(*operations(case.window, workspace / "profile"), arguments.top)


if __name__ == "__main__":
    main()
