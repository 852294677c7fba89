"""Callbacks for `fit`, beside Keras's own."""

from keras_s2s.callbacks.average_checkpoints import AverageCheckpoints as AverageCheckpoints
from keras_s2s.callbacks.export_best import ExportBest as ExportBest
from keras_s2s.callbacks.generation_metrics import GenerationMetrics as GenerationMetrics
from keras_s2s.callbacks.resume import Resume as Resume
from keras_s2s.callbacks.stop_on_nan import StopOnNaN as StopOnNaN
from keras_s2s.callbacks.tensorboard import TensorBoard as TensorBoard
