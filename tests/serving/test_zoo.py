import pytest

import keras_s2s
from tests.serving.conftest import in_new_process


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(keras_s2s.zoo.list()))
def test_preset_serves_the_examples_of_its_card(name, tmp_path, tmp_path_factory):
    model = keras_s2s.zoo.load(name)
    model.export(tmp_path / "1")
    # The weights lie beside the graph, once, whatever the number of signatures.
    size = sum(file.stat().st_size for file in (tmp_path / "1" / "variables").iterdir())
    assert 1.0 <= size / (4 * model.count_params()) <= 1.05
    assert (tmp_path / "1" / "saved_model.pb").stat().st_size < 4_000_000
    examples = keras_s2s.zoo.card(name)["examples"]
    inputs = {"text": [example["input"] for example in examples]}
    (found,) = in_new_process([(tmp_path / "1", "serving_default", inputs)], tmp_path_factory)
    assert [text.decode() for text in found["text"]] == [e["output"] for e in examples]
