"""Layouts of transcribed speech, and clips put together."""

import numpy as np
import pytest

from keras_s2s.data import join_clips, read_clips, read_librispeech, read_speech_archive


def archive(path, **arrays):
    """Three clips of 10, 20 and 30 samples, whose codes are 0, 1 and 2."""
    arrays = {
        "audio_mulaw": np.repeat([0, 1, 2], [10, 20, 30]).astype("uint8"),
        "mulaw_table": np.arange(-100, 156, dtype="int16"),
        "offsets": np.array([0, 10, 30, 60]),
        "sample_rate": np.int32(8000),
        "text": np.array(["YES", "NO", "GO"]),
        "label": np.array([7, 0, 9], "int8"),
        "speaker": np.array([3, 3, 11]),
        "split": np.array(["train", "test", "test"]),
        **arrays,
    }
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_archive(tmp_path):
    path = archive(tmp_path / "clips.npz")
    clips, texts = read_speech_archive(path)
    assert texts == ["YES", "NO", "GO"]
    assert [(len(samples), set(samples), rate) for samples, rate in clips] == [
        (10, {-100}, 8000),
        (20, {-99}, 8000),
        (30, {-98}, 8000),
    ]
    clips, texts = read_speech_archive(path, {"split": "test"}, "label")
    assert texts == ["zero", "nine"] and [len(samples) for samples, _ in clips] == [20, 30]
    assert read_speech_archive(path, {"split": ["test"], "speaker": [3]})[1] == ["NO"]
    assert read_speech_archive(path, text="speaker")[1] == ["3", "3", "11"]


def test_bad_archives(tmp_path):
    path = archive(tmp_path / "clips.npz", text=None)
    with pytest.raises(ValueError, match="no array 'text'. It has audio_mulaw"):
        read_speech_archive(path)
    with pytest.raises(ValueError, match="no clip with .*'dev'.*There are: .*'test', 'train'"):
        read_speech_archive(path, {"split": "dev"}, "label")
    with pytest.raises(FileNotFoundError):
        read_speech_archive(tmp_path / "none.npz")


def test_librispeech(tmp_path):
    for chapter, suffix in (("1-10", "flac"), ("2-20", "wav")):
        folder = tmp_path / chapter.replace("-", "/")
        folder.mkdir(parents=True)
        lines = [f"{chapter}-{i:04} TEXT {i}\n" for i in range(3)]
        (folder / f"{chapter}.trans.txt").write_text("".join(lines))
        for i in range(2):
            (folder / f"{chapter}-{i:04}.{suffix}").touch()
    with pytest.warns(UserWarning, match="2 lines of transcripts left out, without text or"):
        clips, texts = read_librispeech(tmp_path)
    assert [clip.removeprefix(f"{tmp_path}/") for clip in clips] == [
        "1/10/1-10-0000.flac",
        "1/10/1-10-0001.flac",
        "2/20/2-20-0000.wav",
        "2/20/2-20-0001.wav",
    ]
    assert texts == ["TEXT 0", "TEXT 1"] * 2
    for clip in clips:
        (tmp_path / clip).unlink()
    with pytest.raises(ValueError, match="has transcripts, but none of their clips"):
        read_librispeech(tmp_path)
    with pytest.raises(FileNotFoundError, match="is no folder with transcripts"):
        read_librispeech(tmp_path / "none")


def test_tables(tmp_path):
    path = tmp_path / "validated.tsv"
    path.write_text("client_id\tpath\tsentence\na\t1.mp3\tYes .\nb\t2.mp3\tNo\n")
    clips, texts = read_clips(path, None, "path", "sentence")
    assert clips == [str(tmp_path / "1.mp3"), str(tmp_path / "2.mp3")] and texts == ["Yes .", "No"]
    path.write_text("Yes .\t1.mp3\nNo\t2.mp3\n")
    assert read_clips(path, "clips", 1, 0)[0] == ["clips/1.mp3", "clips/2.mp3"]


def test_joined_clips_are_those_of_one_group_at_the_times_told():
    rng = np.random.default_rng(0)
    clips = [(rng.integers(2000, 3000, 400 + 8 * i).astype("int16"), 8000) for i in range(6)]
    texts, groups = list("abcdef"), ["x", "y", "x", "y", "x", "y"]
    made, transcripts, spans = join_clips(clips, texts, groups, 20, longest=4, noise=1e-2)
    assert {len(text.split()) for text in transcripts} == {1, 2, 3, 4}
    for (samples, rate), transcript, said in zip(made, transcripts, spans):
        words = transcript.split()
        assert len({groups[texts.index(word)] for word in words}) == 1 and rate == 8000
        silence = np.full(len(samples), True)
        for word, (begin, end) in zip(words, said, strict=True):
            part = slice(round(begin * rate), round(end * rate))
            np.testing.assert_array_equal(samples[part], clips[texts.index(word)][0])
            silence[part] = False
        assert np.abs(samples[silence]).max() < 1700
        gaps = np.diff(np.ravel([(0, 0), *said, (len(samples) / rate,) * 2])[1:-1])[::2]
        assert ((gaps > 0.099) & (gaps < 0.501)).all()
    again = join_clips(clips, texts, groups, 20, longest=4, noise=1e-2)
    np.testing.assert_array_equal(again[0][7][0], made[7][0])


def test_bad_clips_to_join():
    clip = (np.zeros(10, "int16"), 8000)
    with pytest.raises(ValueError, match="must be lists of the same length, at least 1"):
        join_clips([], [], [], 1)
    with pytest.raises(ValueError, match=r"must have one sample rate. Received: \[8000, 16000\]"):
        join_clips([clip, (clip[0], 16000)], ["a", "b"], ["x", "x"], 1)
