"""Batches of pairs of token ids."""

from keras_s2s.data import Batches, ExamplesPerBatch, TokensPerBatch


def pair_batches(
    sources,
    targets,
    tokens_per_batch=4096,
    max_buckets="auto",
    batch_size=None,
    lengths=(None, None),
    resample=None,
    kind=Batches,
    **options,
):
    """`Batches` of sources and targets; with a `batch_size` of as many pairs each."""
    plan = TokensPerBatch(tokens_per_batch, max_buckets)
    if batch_size is not None:
        plan = ExamplesPerBatch(batch_size, max_buckets)

    def named(pair):
        return dict(zip(("encoder_token_ids", "decoder_token_ids"), pair))

    if resample is not None:
        options["resample"] = lambda epoch: named(resample(epoch))
    return kind(named((sources, targets)), plan, lengths=named(lengths), **options)
