"""Tells whether the first row of a table names its columns."""

_ROLES = frozenset(
    "source target src trg tgt input output inputs outputs reference translation source_text "
    "target_text source_sentence target_sentence encoder_text decoder_text sentence sentence1 "
    "sentence2 text text1 text2 id".split()
)
# ISO 639-1, and three-letter codes that collections of sentences use.
_CODES = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy "
    "da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu "
    "hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb "
    "lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om "
    "or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw "
    "ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    "ara bul cat ces cmn dan deu ell eng epo est eus fin fra glg heb hin hrv hun ind isl ita jpn "
    "kor lat lav lit nld nob nor pes pol por ron rus slk slv spa sqi srp swe tha tur ukr urd vie "
    "yue zho".split()
)
_LANGUAGES = frozenset(
    "arabic basque bengali bulgarian catalan chinese croatian czech danish dutch english esperanto "
    "estonian finnish french galician german greek hebrew hindi hungarian icelandic indonesian "
    "irish italian japanese korean latin latvian lithuanian norwegian persian polish portuguese "
    "romanian russian serbian slovak slovenian spanish swahili swedish thai turkish ukrainian urdu "
    "vietnamese welsh deutsch français español italiano português nederlands".split()
)


def is_header(first, sources, targets):
    """Whether a first row names the columns.

    Args:
        first: `(source, target)` of the first row.
        sources: Sources of the other rows.
        targets: Their targets.

    Returns:
        `True` for names of columns (`source`, `tgt`) or two languages above rows of sentences,
        `None` for two words that occur nowhere else and might be names, else `False`. Only `True`
        is certain enough to leave the row out.
    """
    names = [cell.strip().lower() for cell in first]
    if names[0] == names[1] or not all(map(_is_word, first)):
        return False
    if all(name in _ROLES for name in names):
        return True
    rows = range(len(sources))
    single = sum(_is_word(sources[i]) and _is_word(targets[i]) for i in rows)
    is_dictionary = not rows or single > len(rows) / 10
    # `es` and `it` are codes of languages, but also an entry of a German-English dictionary.
    known = all(_is_language(name) or name in _ROLES for name in names)
    if known:
        return None if is_dictionary else True
    if is_dictionary:
        return False
    seen = any(
        name in text.lower().split()
        for name, texts in zip(names, (sources, targets))
        for text in texts
    )
    return False if seen else None


def _is_word(text):
    return all(c.isalnum() or c in "_-" for c in text) and bool(text)


def _is_language(name):
    code, *region = name.replace("_", "-").split("-")
    return name in _LANGUAGES or (code in _CODES and len(region) < 3)
