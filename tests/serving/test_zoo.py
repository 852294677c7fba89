import pytest

import keras_s2s
from tests.serving.conftest import in_new_process


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(keras_s2s.zoo.list()))
def test_preset_serves_the_examples_of_its_card(name, tmp_path, tmp_path_factory):
    keras_s2s.zoo.load(name).export(tmp_path / "1")
    examples = keras_s2s.zoo.card(name)["examples"]
    inputs = {"text": [example["input"] for example in examples]}
    (found,) = in_new_process([(tmp_path / "1", "serving_default", inputs)], tmp_path_factory)
    assert [text.decode() for text in found["text"]] == [e["output"] for e in examples]
