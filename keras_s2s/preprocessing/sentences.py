"""Splits long texts into sentences, clauses and words, and joins the outputs of these."""

import re

# Abbreviations that no sentence ends with, such as titles.
_BEFORE_MORE = frozenset(
    "abb bzw ca chr co dipl dr evtl fa fam fr frl geb ggf hl hr hrn hrsg inkl inh jh jhd kap lfd "
    "mind mio mrd nr o.ä pfd prof sog std str tab tel tsd urspr usf vgl zit zzgl zzt "
    "adm approx appt apt assn assoc ave blvd brig capt cmdr comdr cpl dept gov insp lt maj messrs "
    "mr mrs ms mt pres rep reps rev sens sgt sr st supt viz vs "
    "bld env mlle mm mme p.ex sra srta ud uds vd vds "
    "jan feb mär mrz apr jun jul aug sep sept okt oct nov dez dec".split()
)
# Abbreviations that are words, too, or can end a sentence, but not if a number follows.
_BEFORE_NUMBERS = frozenset(
    "abs art bd ch col est fig figs gen kap max min no nos núm op pp pág sec vol".split()
)

# Number of characters before a full stop to look at; abbreviations are short.
_LONGEST = 20

_CLOSERS = "\"'’”“»«›‹)\\]}"
_OPENERS = "\"'‘“„»«›‹([{¿¡–—-"
_DENSE_CLOSERS = "」』）】》〉〕］｝”’"
_ENDING = re.compile(
    # Marks of scripts with blanks, where a blank must follow; marks of other scripts; line ends.
    rf"(?P<mark>[.!?…؟۔։]+)[{_CLOSERS}]*(?P<blank>\s+)"
    rf"|[。！？｡．।॥።။។]+[{_DENSE_CLOSERS}]*(?P<maybe>\s*)"
    r"|(?P<paragraph>\s*(?:\n\s*\n|\r\n?\s*\r|\u2029)\s*)"
    r"|(?P<line>[^\S\n\r\u2028]*[\n\r\u2028]\s*)"
)
_FOLLOWING = re.compile(f"[{re.escape(_OPENERS)}]*(.?)", re.DOTALL)
_CLAUSE = re.compile(r"(?<=[,;:،؛])\s+|(?<=[，；：、])\s*|\s+(?=[–—-]\s)")
_WORD = re.compile(r"\s+")
_CHARACTER = re.compile(r"(?<=.)(?=.)", re.DOTALL)

# Chinese, Japanese, Thai, Lao, Burmese and Khmer, which put no blanks between sentences or words.
_DENSE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff00-\uff65\U00020000-\U0003ffff]"
)


def split_sentences(text):
    """Splits a text into sentences, by rules for punctuation, numbers and abbreviations.

    Args:
        text: String.

    Returns:
        List of `(sentence, separator)`: the separator is the white space behind the sentence.
        All of them joined are the text.

    Example:
    ```python
    from keras_s2s.preprocessing.sentences import split_sentences

    assert split_sentences("Am 3. Mai kam Dr. Weiß. Wir aßen.") == [
        ("Am 3. Mai kam Dr. Weiß.", " "),
        ("Wir aßen.", ""),
    ]
    ```
    """
    return _split_where(text, (m for m in _ENDING.finditer(text) if _is_end(text, m)))


def split_long(text, count, most):
    """Splits a text that is too long into sentences, and only those that are too long further.

    A sentence that is too long by itself is split at commas and the like, then between words, then
    inside of words, each time into parts as long as they may be.

    Args:
        text: String.
        count: Function from a list of strings to their lengths.
        most: Integer, the largest length of a part.

    Returns:
        List of `(part, separator)`, as in `split_sentences`. Parts are longer than `most` only
        where one character is.
    """
    parts = [(text, "")]
    for pattern in (None, _CLAUSE, _WORD, _CHARACTER):
        finer = []
        for (part, separator), length in zip(parts, count([part for part, _ in parts])):
            units = [(part, "")]
            if length > most:
                if pattern is None:
                    units = split_sentences(part)
                else:
                    units = _grouped(_split_where(part, pattern.finditer(part)), count, most)
            last, blank = units[-1]
            finer += [*units[:-1], (last, blank + separator)]
        parts = finer
    return parts


def join(texts, separators):
    """Joins the outputs of parts with the separators of the source.

    Args:
        texts: Strings, one for each part; empty ones are left out.
        separators: For each part the white space behind it, as in `split_long`. Where it has no
            line end, the outputs decide: no blank beside scripts that have none, else at least one.

    Returns:
        String.
    """
    joined, separator = "", ""
    for text, behind in zip(texts, separators):
        if text and joined:
            if not re.search(r"[\n\r\u2028\u2029]", separator):
                is_dense = _DENSE.match(joined[-1]) or _DENSE.match(text[0])
                separator = "" if is_dense else separator or " "
            joined += separator + text
        else:
            joined += text
        separator = behind if text else separator + behind
    return joined


def _split_where(text, matches):
    parts, start = [], 0
    for match in matches:
        blanks = len(match[0]) - len(match[0].rstrip())
        end = match.end() - blanks
        if end > start and match.end() < len(text):
            parts.append((text[start:end], text[end : match.end()]))
            start = match.end()
    return [*parts, (text[start:], "")]


def _is_end(text, match):
    """Whether a sentence ends at a match of `_ENDING`."""
    following = _FOLLOWING.match(text, match.end())[1]
    if match["paragraph"] is not None or match["maybe"] is not None:
        return True
    # A sentence goes on in lower case after `!"`, an ellipsis, an abbreviation or a line end.
    if following.islower():
        return False
    if match["line"] is not None or match["mark"] != ".":
        return True
    before = text[max(match.start() - _LONGEST, 0) : match.start()]
    word = re.search(r"\S*$", before)[0].lstrip(_OPENERS).lower()
    if word.isdigit():
        # `3. Mai`, but `im Jahr 2021.`
        return len(word) > 2
    if re.fullmatch(r"[^\W\d_](\.[^\W\d_])*", word) or word in _BEFORE_MORE:
        return False
    return word not in _BEFORE_NUMBERS or not following.isdigit()


def _grouped(units, count, most):
    """Joins neighbouring units to parts of at most `most` ids."""
    groups, length = [], most
    for (unit, separator), more in zip(units, count([unit for unit, _ in units])):
        # Each count includes an end id, of which a part has only one.
        if length + more - 1 > most:
            groups.append(("", ""))
            length = 1
        groups[-1] = "".join(groups[-1]) + unit, separator
        length += more - 1
    return groups
