"""Puts clips together to longer ones."""

import numpy as np

from keras_s2s._checks import check_int


def join_clips(clips, texts, groups, count, longest=5, gap=(0.1, 0.5), noise=1e-3, seed=0):
    """Makes clips of several, with silence between them, such as strings of digits.

    Args:
        clips: List of tuples of int16 samples and their rate, as `read_speech_archive` returns
            them.
        texts: List of their transcripts.
        groups: List of values; only clips of the same value are put together, such as those of a
            speaker.
        count: Integer, how many to make.
        longest: Integer, the most clips of one; the number is drawn from 1 on.
        gap: Tuple of floats: the shortest and the longest silence before, between and behind
            clips, in seconds.
        noise: Float, the largest deviation of the noise that fills the silence, as a share of the
            largest sample; it is drawn anew for each made clip, from 0 on.
        seed: Integer.

    Returns:
        Tuple of a list of clips, tuples of int16 samples and their rate; a list of transcripts; and
        for each a list of tuples `(begin, end)`, when each part is said, in seconds.

    Raises:
        TypeError: If the samples are not int16.
        ValueError: If there are no clips, or lists of unequal length, or rates differ.

    Example:
    ```python
    import numpy as np

    from keras_s2s.data import join_clips

    clips = [(np.full(800, value, "int16"), 8000) for value in (1, 2)]
    [(samples, rate)], [text], [spans] = join_clips(clips, ["one", "two"], ["ann", "ann"], 1)
    assert len(text.split()) == len(spans)
    ```
    """
    if not clips or not len(clips) == len(texts) == len(groups):
        raise ValueError(
            "`clips`, `texts` and `groups` must be lists of the same length, at least 1. Received "
            f"{len(clips)}, {len(texts)} and {len(groups)}."
        )
    if any(np.asarray(samples).dtype != "int16" for samples, _ in clips):
        raise TypeError("The samples of `clips` must be int16.")
    check_int("longest", longest, 1)
    rates = {rate for _, rate in clips}
    if len(rates) > 1:
        raise ValueError(f"All clips must have one sample rate. Received: {sorted(rates)}")
    [rate] = rates
    rng = np.random.default_rng(seed)
    members = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    made, transcripts, spans = [], [], []
    for _ in range(count):
        # As likely as the group is large.
        of_group = members[groups[rng.integers(len(groups))]]
        rows = rng.choice(of_group, rng.integers(1, longest + 1))
        level = rng.uniform(0, noise) * 2**15
        parts, said, at = [], [], 0
        for row in [*rows, None]:
            parts.append(rng.normal(0, 1, int(rng.uniform(*gap) * rate)) * level)
            at += len(parts[-1])
            if row is not None:
                samples, _ = clips[row]
                parts.append(samples)
                said.append((at / rate, (at + len(samples)) / rate))
                at += len(samples)
        samples = np.clip(np.rint(np.concatenate(parts)), -(2**15), 2**15 - 1)
        made.append((samples.astype("int16"), rate))
        transcripts.append(" ".join(texts[row] for row in rows))
        spans.append(said)
    return made, transcripts, spans
