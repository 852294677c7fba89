from types import SimpleNamespace

import numpy as np
import pytest

from keras_s2s.recipes.write_card import limits


@pytest.mark.parametrize(
    ["length", "texts", "count", "expected"],
    [
        (100, ["a b c d", "x y z"], lambda t: 2 * len(t.split()), "99 pieces, about 50 words"),
        (31, ["a b c d"], lambda t: 2 * len(t.split()), "30 pieces, about 15 words"),
        (201, ["你好吗？", "好。"], len, "200 pieces, about 200 characters"),
    ],
)
def test_limits_are_in_pieces_and_words(length, texts, count, expected):
    preprocessor = SimpleNamespace(
        raw=SimpleNamespace(
            length=length,
            text_length=length,
            count_text_ids=lambda texts: np.array([count(text) + 1 for text in texts]),
        ),
        target_length=50,
    )
    model = SimpleNamespace(preprocessor=preprocessor, is_sentence_by_sentence=False)
    text = limits(model, texts)
    assert text.startswith(f"Inputs of up to {expected}: ")
    assert "on_long" not in text
    model.is_sentence_by_sentence = True
    assert '`on_long="split"` goes through them sentence by sentence' in limits(model, texts)
    assert text.endswith("Outputs have at most 49 pieces.")
    preprocessor.raw.length = None
    assert limits(model, texts) == "Outputs have at most 49 pieces."
