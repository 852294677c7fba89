"""What a summarizer is compared with: beginnings of the texts, and their best sentences.

    python tools/summary_baselines.py arxiv_titles/test.jsonl.gz
    python tools/summary_baselines.py arxiv_titles/test.jsonl.gz --preset RUN/preset

The best sentence is an oracle: the one with the highest ROUGE-L. Of the outputs of presets it also
says how many of their trigrams of words came before in the same output, and how many of their words
are in the text.
"""

import argparse
from collections import Counter

from rich.console import Console
from rich.table import Table

from keras_s2s import data, evaluation, zoo
from keras_s2s.preprocessing import split_sentences

WORDS = 10, 15


def beginnings(texts, count):
    return [" ".join(text.split()[:count]) for text in texts]


def best_sentences(texts, summaries):
    """The sentence of each text with the highest ROUGE-L, an oracle."""
    sentences = [[sentence for sentence, _ in split_sentences(text)] for text in texts]
    rows = [row for row, some in enumerate(sentences) for _ in some]
    flat = [sentence for some in sentences for sentence in some]
    scores = evaluation.REWARDS["rouge"](summaries)(rows, flat)
    best = {}
    for row, sentence, score in zip(rows, flat, scores):
        if row not in best or score > best[row][0]:
            best[row] = score, sentence
    return [best[row][1] if row in best else "" for row in range(len(texts))]


def repeated_trigrams(outputs):
    """The share of all trigrams of words that came before in the same output."""
    repeated = total = 0
    for output in outputs:
        words = output.lower().split()
        counts = Counter(zip(words, words[1:], words[2:]))
        total += sum(counts.values())
        repeated += sum(counts.values()) - len(counts)
    return repeated / max(total, 1)


def copied_words(outputs, texts):
    """The share of the outputs' words that their texts have, whatever their case."""
    copied = total = 0
    for output, text in zip(outputs, texts):
        words, there = output.lower().split(), set(text.lower().split())
        total += len(words)
        copied += sum(word in there for word in words)
    return copied / max(total, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", help="texts and summaries as JSON lines")
    parser.add_argument("--keys", default="text,summary", help="keys of text and summary")
    parser.add_argument("--preset", action="append", default=[], help="name or folder of a preset")
    parser.add_argument("--num-beams", type=int, help="in place of the preset's")
    arguments = parser.parse_args()
    texts, summaries = data.read_jsonl(arguments.file, *arguments.keys.split(","))
    rows = {f"first {count} words": beginnings(texts, count) for count in WORDS}
    rows["best sentence"] = best_sentences(texts, summaries)
    for name in arguments.preset:
        model = zoo.load(name)
        sampler = model.sampler
        if arguments.num_beams:
            config = {**sampler.get_config(), "num_beams": arguments.num_beams}
            sampler = sampler.from_config(config)
        rows[name] = model.generate(texts, sampler=sampler)
    table = Table("output", "ROUGE-1", "ROUGE-2", "ROUGE-L", "repeated", "in the text", box=None)
    for name, outputs in rows.items():
        scores = evaluation.score(outputs, summaries, ["rouge"], bootstrap=1000)
        figures = (f"{score.value:.2f} ± {score.spread:.2f}" for score in scores.values())
        shares = repeated_trigrams(outputs), copied_words(outputs, texts)
        table.add_row(name, *figures, *(f"{share:.1%}" for share in shares))
    Console(width=110).print(table)
    print(*(score.signature for score in scores.values()), sep="\n")


if __name__ == "__main__":
    main()
