"""SavedModels: strings in, strings out, the search inside, and nothing but TensorFlow to run them.

`keras_s2s.models.Seq2Seq.export` writes them. They are loaded with TensorFlow and TensorFlow Text
alone, as stock TensorFlow Serving has them.
"""

from keras_s2s.serving.allowed_ops import ALLOWED_OPS as ALLOWED_OPS
from keras_s2s.serving.allowed_ops import ops as ops
from keras_s2s.serving.saved_model import export as export
