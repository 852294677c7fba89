"""Sequence-to-sequence layers and trained models for Keras.

Importing it registers every class with Keras, so that `keras.models.load_model` finds them. It
takes little time beside Keras itself, and does not import TensorFlow on the other backends.
"""

import sys

if sys.argv[:1] == ["-m"] and {"keras_s2s", "-mkeras_s2s"} & set(sys.orig_argv):
    # `python -m keras_s2s` imports this package before `__main__` could silence TensorFlow.
    import keras_s2s_cli

    keras_s2s_cli._library()

from keras_s2s import callbacks as callbacks
from keras_s2s import data as data
from keras_s2s import decoding as decoding
from keras_s2s import evaluation as evaluation
from keras_s2s import layers as layers
from keras_s2s import models as models
from keras_s2s import preprocessing as preprocessing
from keras_s2s import recipes as recipes
from keras_s2s import serving as serving
from keras_s2s import visualize as visualize
from keras_s2s import zoo as zoo
from keras_s2s._version import __version__ as __version__
from keras_s2s.training import losses as losses
from keras_s2s.training import metrics as metrics
from keras_s2s.training import optimizers as optimizers
from keras_s2s.training import schedules as schedules
