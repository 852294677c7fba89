"""Reads files of data sets into lists, and makes training batches of lists. Plain NumPy."""

from keras_s2s.data.batch_columns import Features, Ids, SeveralIds
from keras_s2s.data.batch_plans import ExamplesPerBatch, Plan, SimilarLengths, TokensPerBatch
from keras_s2s.data.batches import Batches
from keras_s2s.data.caption_readers import (
    read_caption_tar,
    read_captions,
    read_coco_captions,
    read_flickr8k,
)
from keras_s2s.data.feature_cache import cached_features
from keras_s2s.data.joined_clips import join_clips
from keras_s2s.data.name_substitution import substitute_names
from keras_s2s.data.number_substitution import substitute_numbers
from keras_s2s.data.readers import read_pairs, read_parallel, read_tsv
from keras_s2s.data.speech_readers import read_clips, read_librispeech, read_speech_archive
from keras_s2s.data.summary_readers import read_jsonl, read_stories
from keras_s2s.data.tar_images import TarImages

__all__ = [
    "Batches",
    "ExamplesPerBatch",
    "Features",
    "Ids",
    "Plan",
    "SeveralIds",
    "SimilarLengths",
    "TarImages",
    "TokensPerBatch",
    "cached_features",
    "join_clips",
    "read_caption_tar",
    "read_captions",
    "read_clips",
    "read_coco_captions",
    "read_flickr8k",
    "read_jsonl",
    "read_librispeech",
    "read_pairs",
    "read_parallel",
    "read_speech_archive",
    "read_stories",
    "read_tsv",
    "substitute_names",
    "substitute_numbers",
]
