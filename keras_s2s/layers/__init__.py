"""Encoders, attentions and decoders: the layers around the memory."""

from keras_s2s.layers.attention import Attention as Attention
from keras_s2s.layers.attention_losses import AttentionLoss as AttentionLoss
from keras_s2s.layers.attention_losses import CoverageLoss as CoverageLoss
from keras_s2s.layers.attention_losses import DoublyStochastic as DoublyStochastic
from keras_s2s.layers.bahdanau_attention import BahdanauAttention as BahdanauAttention
from keras_s2s.layers.bridge import Bridge as Bridge
from keras_s2s.layers.check_attention import check_attention as check_attention
from keras_s2s.layers.check_decoder import check_decoder as check_decoder
from keras_s2s.layers.check_encoder import check_encoder as check_encoder
from keras_s2s.layers.copy_head import CopyHead as CopyHead
from keras_s2s.layers.coverage_attention import CoverageAttention as CoverageAttention
from keras_s2s.layers.ctc import CTC as CTC
from keras_s2s.layers.ctc_prefix_scorer import CTCPrefixScorer as CTCPrefixScorer
from keras_s2s.layers.decoder import Decoder as Decoder
from keras_s2s.layers.encoder import Encoder as Encoder
from keras_s2s.layers.ensemble_ctc import EnsembleCTC as EnsembleCTC
from keras_s2s.layers.ensemble_decoder import EnsembleDecoder as EnsembleDecoder
from keras_s2s.layers.ensemble_encoder import EnsembleEncoder as EnsembleEncoder
from keras_s2s.layers.heads import Head as Head
from keras_s2s.layers.heads import VocabularyHead as VocabularyHead
from keras_s2s.layers.image_encoder import ImageEncoder as ImageEncoder
from keras_s2s.layers.local_attention import LocalAttention as LocalAttention
from keras_s2s.layers.location_aware_attention import (
    LocationAwareAttention as LocationAwareAttention,
)
from keras_s2s.layers.luong_attention import LuongAttention as LuongAttention
from keras_s2s.layers.multi_head_attention import MultiHeadAttention as MultiHeadAttention
from keras_s2s.layers.multi_source_encoder import MultiSourceEncoder as MultiSourceEncoder
from keras_s2s.layers.rnn_decoder import RNNDecoder as RNNDecoder
from keras_s2s.layers.rnn_encoder import RNNEncoder as RNNEncoder
from keras_s2s.layers.scheduled_sampling import ScheduledSampling as ScheduledSampling
from keras_s2s.layers.spec_augment import SpecAugment as SpecAugment
from keras_s2s.layers.speech_encoder import SpeechEncoder as SpeechEncoder
