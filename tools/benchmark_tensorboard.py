"""What `keras_s2s.callbacks.TensorBoard` costs: epochs with it and without it in turn.

    python tools/benchmark_tensorboard.py --data DATA
    python tools/benchmark_tensorboard.py --data DATA --pairs 29000 --epochs 6

One training of the Multi30k preset in which the callback, at its default intervals and with four
examples and their references, sees every second epoch. The first two epochs, which build graphs,
are shown separately, and so is the work at the end of training.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import keras

import keras_s2s


class EverySecondEpoch(keras_s2s.callbacks.TensorBoard):
    """Does its work in the epochs 0, 2, 4 ... and nothing in the others, and times it."""

    is_on = True

    def _timed(self, hook, *arguments):
        if self.is_on:
            start = time.perf_counter()
            hook(*arguments)
            self.seconds[-1] += time.perf_counter() - start

    def on_train_begin(self, logs=None):
        self.seconds = []
        super().on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.is_on = epoch % 2 == 0
        self.seconds.append(0.0)
        self._timed(super().on_epoch_begin, epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._timed(super().on_train_batch_begin, batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._timed(super().on_train_batch_end, batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._timed(super().on_epoch_end, epoch, logs)


class Clock(keras.callbacks.Callback):
    """Times when training begins, epochs end, and training ends. Must be the last callback."""

    def on_train_begin(self, logs=None):
        self.times = [time.perf_counter()]

    def on_epoch_end(self, epoch, logs=None):
        self.times.append(time.perf_counter())

    def on_train_end(self, logs=None):
        self.times.append(time.perf_counter())


def measure(data, pairs, epochs):
    """Seconds of each epoch, of the callback in each, and of the end of training."""
    keras.utils.set_random_seed(1)
    folder = Path(data) / "multi30k"
    sources, targets = keras_s2s.data.read_parallel(folder / "train.de.gz", folder / "train.en.gz")
    model = keras_s2s.zoo.load("translation_multi30k_de_en")
    plan = keras_s2s.data.TokensPerBatch(3600)
    batches = keras_s2s.data.Batches.from_raw(
        model.preprocessor, sources[:pairs], targets[:pairs], plan, seed=1
    )
    with tempfile.TemporaryDirectory() as logs:
        board, clock = EverySecondEpoch(logs, sources[-4:], targets[-4:]), Clock()
        model.fit(batches, epochs=epochs, verbose=0, callbacks=[board, clock])
    seconds = [after - before for before, after in zip(clock.times, clock.times[1:])]
    return seconds[:-1], board.seconds, seconds[-1]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with multi30k/")
    parser.add_argument("--pairs", type=int, default=7250, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=12, help="an even number, 4 at least")
    arguments = parser.parse_args()
    if arguments.epochs < 4 or arguments.epochs % 2:
        parser.error("--epochs must be an even number, 4 at least")
    epochs, inside, end = measure(arguments.data, arguments.pairs, arguments.epochs)
    print("epoch    with without  in the callback, seconds")
    ratios, shares = [], []
    for i in range(0, len(epochs), 2):
        line = f"{i:5} {epochs[i]:7.2f} {epochs[i + 1]:7.2f} {inside[i]:8.2f}"
        print(line + ("" if i else "  builds graphs"))
        ratios.append(epochs[i] / epochs[i + 1])
        shares.append(inside[i] / epochs[i])
    for name, values in (("with / without", ratios[1:]), ("share of the callback", shares[1:])):
        print(f"{name}: {median(values):.3f} ({min(values):.3f} to {max(values):.3f})")
    print(f"once, at the end: {end:.2f} s")


if __name__ == "__main__":
    main()
