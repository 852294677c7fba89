"""Files of parallel text to lists, and lists of ids to training batches. Plain NumPy."""

from keras_s2s.data.bucketed_batches import BucketedBatches
from keras_s2s.data.readers import read_parallel, read_tsv

__all__ = ["BucketedBatches", "read_parallel", "read_tsv"]
