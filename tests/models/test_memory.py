"""Training reads images while it needs them, and keeps none."""

import os
import sys

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.data import TarImages
from tests.captioners import small_captioner
from tests.data.test_captions import write_tar
from tests.pictures import encoded, picture
from tests.word_layers import WordDecoder

pytest.importorskip("tensorflow_text")
COUNT, SIZE, BATCH = 1500, (144, 128), 25


def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Watch(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(megabytes())


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory in use from /proc")
def test_memory_stays_flat_over_an_epoch_of_many_images(tmp_path):
    kinds = [encoded(picture(96, 80, seed), "JPEG") for seed in range(20)]
    path = write_tar(tmp_path / "images.tar", {f"{i}.jpg": kinds[i % 20] for i in range(COUNT)})
    backbone = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Conv2D(2, 64, strides=64)])
    small = small_captioner()
    model = keras_s2s.models.ImageCaptioner(
        keras_s2s.layers.ImageEncoder(8, backbone, image_size=SIZE),
        WordDecoder(17, 8),
        keras_s2s.preprocessing.ImageTextPreprocessor(
            small.preprocessor.target_tokenizer, SIZE, target_length=6
        ),
    )
    watch = Watch()
    captions = [["red", "blue and green"]] * COUNT
    model.fit(TarImages(path), captions, batch_size=BATCH, verbose=0, callbacks=[watch])
    assert len(watch.seen) == COUNT // BATCH
    # As pixels the images would take 330 MB, and a fifth of them is behind the first look.
    early, late = np.median(watch.seen[10:20]), np.median(watch.seen[-10:])
    assert late - early < 60, watch.seen
