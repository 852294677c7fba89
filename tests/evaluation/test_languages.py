"""What counts as a word follows the script of the references."""

import re
import sys

import jiwer
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from keras_s2s import evaluation
from keras_s2s.evaluation import score, tokenizer, words
from tests.java import JAVA

CHINESE = [
    "一只狗在草地上跑。",
    "两个男人在踢足球。",
    "我们用 TensorFlow 和 Transformer 训练模型。",
]
CHINESE_GUESSES = ["一只狗在地上跑。", "两个男人在打球。", "我们用 TensorFlow 训练模型。"]
JAPANESE = ["犬が草の上を走っている。", "二人の男がサッカーをしている。"]
JAPANESE_GUESSES = ["犬が草の上を走る。", "二人がサッカーをしている。"]
THAI = ["สุนัขกำลังวิ่งบนหญ้า", "ชายสองคนกำลังเล่นฟุตบอล"]
RUSSIAN = ["Собака бежит по траве.", "Двое мужчин играют в футбол."]
RUSSIAN_GUESSES = ["Собака идёт по траве.", "Двое мужчин играют."]
HINDI = ["कुत्ता घास पर दौड़ रहा है।"]


@pytest.fixture
def without_mecab(monkeypatch):
    for language in ("ja", "ko"):
        monkeypatch.setattr(f"sacrebleu.tokenizers.tokenizer_{language}_mecab.MeCab", None)
    words._make.cache_clear()
    yield
    words._make.cache_clear()


def values(found):
    return {key: figure.value for key, figure in found.items()}


@pytest.mark.parametrize(
    "texts, expected",
    [
        (["A dog runs."], "13a"),
        (["Größe, naïve, Đà Nẵng"], "13a"),
        (RUSSIAN, "13a"),
        (["الكلب يجري على العشب", "מה שלומך"], "13a"),
        (HINDI, "13a"),
        (["123 ...", ""], "13a"),
        (CHINESE, "zh"),
        (["我们使用 TensorFlow 和 JAX 训练 Transformer 模型"], "zh"),  # More Latin letters.
        (["這是「の」字的招牌，很多人喜歡它"], "zh"),
        (["He wrote 你好 on the wall, which means hello"], "13a"),
        (THAI, "char"),
        (["ຫມາແລ່ນ"], "char"),
        (["ឆ្កែរត់"], "char"),
        (["ခွေးပြေးနေတယ်"], "char"),
        (["ཁྱི་རྒྱུག་"], "char"),
    ],
)
def test_tokenizer_of_a_script(texts, expected):
    assert tokenizer(texts) == expected
    assert tokenizer([texts, texts[::-1]]) == expected
    assert tokenizer(texts, "intl") == "intl"


@pytest.mark.parametrize(
    "texts, language, package",
    [
        (JAPANESE, "Japanese", "ja"),
        (["犬 が 草 の 上 を 走 っ て い る 。"], "Japanese", "ja"),
        (["ﾃﾚﾋﾞを見る"], "Japanese", "ja"),  # Of half width.
        (["강아지가 풀밭에서 뛰어요."], "Korean", "ko"),
    ],
)
def test_without_mecab_characters_count_and_it_is_told(texts, language, package, without_mecab):
    told = rf"{language} is scored by characters.*sacrebleu\[{package}\]"
    with pytest.warns(UserWarning, match=told):
        assert tokenizer(texts) == "char"
    with pytest.raises(ImportError, match=rf"'{package}-mecab' needs.*sacrebleu\[{package}\]"):
        score(texts, texts, tokenize=f"{package}-mecab")


@pytest.mark.parametrize(
    "references, guesses, name",
    [(CHINESE, CHINESE_GUESSES, "zh"), (THAI, [t[:-3] for t in THAI], "char")],
)
def test_bleu(references, guesses, name):
    found = score(guesses, references)["bleu"]
    assert found.value == sacrebleu.corpus_bleu(guesses, [references], tokenize=name).score > 20
    assert f"|tok:{name}|" in found.signature
    # Which is what it was before.
    told = score(guesses, references, tokenize="13a")["bleu"]
    assert told.value == sacrebleu.corpus_bleu(guesses, [references]).score < found.value


@pytest.mark.filterwarnings("ignore:Japanese is scored by characters")
def test_japanese_bleu(without_mecab):
    found = score(JAPANESE_GUESSES, JAPANESE)["bleu"]
    golden = sacrebleu.corpus_bleu(JAPANESE_GUESSES, [JAPANESE], tokenize="char").score
    assert found.value == golden > 40 and "|tok:char|" in found.signature


def _split(text):
    """Chinese by hand: ideographs one by one, words of other letters, no punctuation."""
    return re.findall(r"[a-z]+|[\u4e00-\u9fff]", text.lower())


def test_chinese_rouge_and_word_errors():
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=_Tokenizer())
    each = [scorer.score(truth, text) for truth, text in zip(CHINESE, CHINESE_GUESSES)]
    found = score(CHINESE_GUESSES, CHINESE, ["rouge", "wer", "cer"])
    for key, kind in {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}.items():
        golden = 100 * sum(e[kind].fmeasure for e in each) / len(each)
        assert found[key].value == pytest.approx(golden) and golden > 60
        assert found[key].signature.endswith("|F1|tok:zh")
    with_blanks = [
        [re.sub(r"([\u4e00-\u9fff。])", r" \1 ", text) for text in texts]
        for texts in (CHINESE, CHINESE_GUESSES)
    ]
    assert found["wer"].value == pytest.approx(100 * jiwer.wer(*with_blanks))
    assert found["wer"].signature.endswith("|wer|tok:zh")
    # Characters are characters.
    assert found["cer"].value == pytest.approx(100 * jiwer.cer(CHINESE, CHINESE_GUESSES))
    assert found["cer"].signature.endswith("|cer")


class _Tokenizer:
    tokenize = staticmethod(_split)


def test_rouge_of_scripts_with_blanks():
    """rouge-score's own tokenizer has no words but those of a to z: it gave 0."""
    # 3 words of 4 and 4; 3 of 3 and 5.
    found = score(RUSSIAN_GUESSES, RUSSIAN, "rouge")["rouge_1"]
    assert found.value == pytest.approx(100 * (3 / 4 + 6 / 8) / 2)
    assert found.signature.endswith("|F1|tok:unicode")
    # Vowel signs are no letters, and belong to the word.
    assert score(["कुत्ता दौड़ा।"], HINDI, "rouge")["rouge_1"].value == pytest.approx(100 * 2 / 8)
    assert score(["می‌خواهم"], ["می‌خواهم بروم"], "rouge")["rouge_1"].value == pytest.approx(200 / 3)


def test_word_errors_between_blanks():
    found = score(RUSSIAN_GUESSES, RUSSIAN, "wer")["wer"]
    assert found.value == pytest.approx(100 * jiwer.wer(RUSSIAN, RUSSIAN_GUESSES))
    assert found.signature.endswith("|wer")
    korean, guess = ["강아지가 풀밭에서 뛰어요"], ["강아지가 풀밭에서 놀아요"]
    assert score(guess, korean, "wer")["wer"].value == pytest.approx(100 / 3)
    # But by characters where that is told: 2 of 11.
    told = score(guess, korean, "wer", tokenize="char")["wer"]
    assert told.value == pytest.approx(200 / 11) and told.signature.endswith("|wer|tok:char")


@JAVA
def test_captions():
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider

    split = [
        {i: [" ".join(_split(text))] for i, text in enumerate(texts)}
        for texts in (CHINESE, CHINESE_GUESSES)
    ]
    # METEOR takes seconds to start, and is called as for other languages.
    found = score(CHINESE_GUESSES, CHINESE, ["coco_bleu", "cider", "coco_rouge"])
    bleu, _ = Bleu(4).compute_score(*split, verbose=0)
    assert found["coco_bleu_4"].value == pytest.approx(100 * bleu[3])
    assert found["cider"].value == pytest.approx(Cider().compute_score(*split)[0])
    assert all("|tok:zh|" in figure.signature for figure in found.values())
    reward = evaluation.CiderReward([[text] for text in CHINESE])
    assert reward([0, 1, 2], CHINESE_GUESSES).mean() == pytest.approx(found["cider"].value)
    with_end = evaluation.CiderReward([[text] for text in CHINESE], with_end=True)
    assert with_end([0], ["一只狗跑。"]) > with_end([0], ["一只狗跑"])


@pytest.mark.parametrize(
    "name, message", [("zhh", "Did you mean 'zh'"), ("xyzzy", "Known: auto, 13a")]
)
def test_unknown_tokenizer(name, message):
    for ask in (
        lambda: score(["a"], ["a"], tokenize=name),
        lambda: tokenizer(["a"], name),
        lambda: evaluation.require([], name),
    ):
        with pytest.raises(ValueError, match=f"no tokenizer {name!r}.*{message}"):
            ask()


def test_all_tokenizers_of_sacrebleu_are_known():
    assert set(evaluation.TOKENIZERS) == set(sacrebleu.BLEU.TOKENIZERS)


def test_latin_text_needs_no_sacrebleu(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    assert score(["a b"], ["a b"], ["rouge", "wer"])["rouge_2"].value == 100
