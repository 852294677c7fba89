import things_named


def test_things_that_all_references_name(tmp_path):
    path = tmp_path / "things.txt"
    path.write_text("# things\ncat cats kitten\nbus buses\nsheep\n")
    things = things_named.read_things(path)
    references = [
        ["A cat on a bus.", "Two kittens, a kitten!", "cats"],
        ["a bus", "Buses"],
        ["sheep"],
    ]
    captions = ["A kitten sits on grass.", "a red train", "Sheep on a hill"]
    asked, named = things_named.count(things, captions, references)
    assert asked == {"cat": 1, "bus": 1, "sheep": 1}
    assert named == {"cat": 1, "bus": 0, "sheep": 1}
