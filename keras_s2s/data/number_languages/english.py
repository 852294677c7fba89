from keras_s2s.data.number_language import NumberLanguage


class English(NumberLanguage):
    """English, with American dates."""

    code = "en"
    on, at, during = "on {}", "at {}", "in {}"
    days, past = ("tomorrow",), ("yesterday", "last year")
    parts_of_day = "morning|noon|afternoon|evening|night"
    prepositions = ("for", "by", "until", "till", "from", "since", "before", "after", "than", "of")
    currencies = {"dollar": ("dollars", "$"), "euro": ("euros", "€"), "yen": ("yen", "¥")}
    nouns = (
        *("room", "bus", "page", "flight", "train", "chapter", "house", "class", "table"),
        *("door", "question", "office", "number", "lesson"),
    )
    determiners = "the|an?|my|your|his|her|its|our|their"
    number_noun = r"(?:\w+ )?number"
    ordinal = r"(?P<digits>\d+)(?:st|nd|rd|th)|ORDINAL"
    time = (
        r"(?P<hour>NUMBER)(?:(?::(?P<minute>\d\d))(?: (?P<pm>[ap])\.?m\b\.?)?"
        r"| o'clock| (?:[ap])\.?m\b\.?)"
    )
    date = r"(?P<month>MONTH) (?P<day>\d\d?)(?:st|nd|rd|th)?(?:, (?P<year>\d{4}))?"

    def _number_words(self):
        words = super()._number_words()
        for word, value in (("hundred", 100), ("thousand", 1000)):
            words |= {f"{prefix}{word}": value for prefix in ("", "a ", "one ")}
            words |= {
                f"{self._say(count)} {word}": count * value for count in (*range(2, 13), 20, 50)
            }
        return words

    def _with_sign(self, amount, sign):
        return f"{sign}{amount}"

    def _write_time(self, time):
        if time.minute is None and time.hour <= 12:
            return f"{time.hour} o'clock"
        # Not "6 p.m.": its hour differs on a 24-hour clock, so it could not be copied.
        return f"{time.hour}:{time.minute or 0:02}"
