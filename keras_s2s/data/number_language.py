"""Numbers, prices, times and dates as one language writes them."""

import datetime
import re
from typing import NamedTuple

from keras_s2s._optional import import_babel, import_num2words


class Number(NamedTuple):
    """A number and how many decimals to write; `grouped` separates its thousands."""

    value: float
    decimals: int = 0
    grouped: bool = False


class Price(NamedTuple):
    """A `Number` of a currency, `"dollar"` or `"euro"`, by its name or by its sign."""

    amount: Number
    currency: str
    by_sign: bool


class Time(NamedTuple):
    """A time of the day; the minute is None where only the hour is said."""

    hour: int
    minute: int | None


class Date(NamedTuple):
    """A date, with a year or without; `in_digits` where the month may be a number."""

    day: int
    month: int
    year: int | None
    in_digits: bool = False


class Year(NamedTuple):
    """A year, a month or a month of a year; `long` where the word "year" may stand before it."""

    year: int | None
    month: int | None
    long: bool = False


class Ordinal(NamedTuple):
    """A place in an order, such as the 3rd."""

    value: int


class Place(NamedTuple):
    """Where another number can stand in a sentence.

    Attributes:
        start: The first character.
        end: The character behind the last.
        kind: `"number"`, `"ordinal"`, `"price"`, `"time"`, `"date"`, `"day"` (on a weekday,
            tomorrow), `"past"` (yesterday, last year), `"noun"` (my room) or `"end"` (of a
            sentence whose last word is "number").
        value: The value that the place says; translations of each other have the same.
    """

    start: int
    end: int
    kind: str
    value: object


class NumberLanguage:
    """Finds the numbers of a sentence, and writes others. A subclass is a language."""

    code = None
    #: Templates of a day, a time and a year. `{}` is "Monday" or "May 3", "3:15", "1912".
    on, at, during = None, None, None
    #: Template of "on Monday", if not that of a date.
    weekday = None
    #: Words for tomorrow; for yesterday and other past times, in the same order in all languages. A
    #: day before one of `parts_of_day`, or after one of `prepositions`, is not replaced. These are
    #: regular expressions, the latter of a known width.
    days, past, parts_of_day, prepositions = (), (), "", ()
    #: From currencies to their plural names and signs.
    currencies = {}
    #: Nouns that a number can follow, in the same order in all languages, and the determiners that
    #: it replaces: "my room" becomes "room 408".
    nouns, determiners = (), ""
    #: The nouns as they stand before a number, if not as above: with an article.
    numbered = ()
    #: Regular expression of a noun at the end of a sentence that a number can follow.
    number_noun = ""
    #: Regular expressions. ORDINAL and MONTH stand for the words, NUMBER for digits or words. What
    #: `no_number` matches behind a number makes it something else, such as an ordinal.
    digits = r"\d+(?:[.,]\d+)*"
    ordinal, no_number, time, date = "", "", "", ""
    #: The sign between thousands, if not that of the locale.
    group = None

    def __init__(self):
        babel, num2words = import_babel(), import_num2words()
        code = self.code
        self._say = lambda value, to="cardinal": num2words(value, lang=code, to=to)
        self._decimal = babel.numbers.get_decimal_symbol(code)
        self._group = self.group or babel.numbers.get_group_symbol(code)
        self._locale_date = lambda date, form: babel.dates.format_date(date, form, locale=code)
        self._months = list(babel.dates.get_month_names("wide", locale=code).values())
        weekdays = babel.dates.get_day_names("wide", locale=code)
        weekdays = [(self.weekday or self.on).format(weekdays[i]).lower() for i in range(7)]
        self._days = [*weekdays, *self.days, *self.past]
        self._words = self._number_words()
        self._ordinals = {self._say(value, "ordinal"): value for value in range(2, 100)}
        words, ordinals = (
            "|".join(sorted(words, key=len, reverse=True))
            for words in (self._words, self._ordinals)
        )
        digits = f"(?:{self.digits})"
        number = f"(?:{digits}|(?i:{words}))"
        names, signs = (
            "|".join(map(re.escape, column)) for column in zip(*self.currencies.values())
        )
        months = "|".join(self._months)
        before = (word if word.endswith("'") else f"{word} " for word in self.prepositions)
        no_preposition = "".join(rf"(?<!\b{word})" for word in before)
        no_part_of_day = rf"(?!(?: |-)(?i:{self.parts_of_day})|'s)"
        patterns = {
            "date": self.date.replace("MONTH", months),
            "day": rf"{no_preposition}(?i:{'|'.join([*weekdays, *self.days])}){no_part_of_day}",
            "past": rf"{no_preposition}(?i:{'|'.join(self.past)}){no_part_of_day}",
            "price": rf"(?:{signs}) ?(?P<first>{digits})|(?P<last>{number}) ?(?:{names}|{signs})",
            "time": self.time.replace("NUMBER", number),
            "ordinal": self.ordinal.replace("ORDINAL", f"(?P<word>(?i:{ordinals}))"),
            "noun": rf"(?i:{self.determiners}) (?P<noun>{'|'.join(self.nouns)})",
            "end": rf"{self.number_noun}(?=\.$)",
            "number": number + self.no_number,
        }
        self._patterns = {
            kind: re.compile(rf"(?<![\w.,:$€-])(?:{pattern})(?![\w-]|[.,:]\d)")
            for kind, pattern in patterns.items()
            if pattern
        }
        # Most sentences have none of these places, which one quick search shows.
        hints = {*self._words, *self._ordinals, *self._days, *(noun.lower() for noun in self.nouns)}
        hints = "|".join(sorted(hints, key=len, reverse=True))
        self._hint = re.compile(rf"\d|(?i:\b(?:{hints})|(?:{self.number_noun})\.$)")

    def find(self, text):
        """Returns the `Place`s of a sentence, which do not overlap, in their order."""
        places = []
        if not self._hint.search(text):
            return places
        for kind, pattern in self._patterns.items():
            for match in pattern.finditer(text):
                start, end = match.span()
                value = self._value(kind, match)
                free = all(end <= place.start or place.end <= start for place in places)
                if free and value is not None:
                    places.append(Place(start, end, kind, value))
        return sorted(places)

    def _value(self, kind, match):
        if kind == "date":
            return int(match["day"]), self._months.index(match["month"])
        if kind in ("day", "past"):
            return self._days.index(match[0].lower())
        if kind == "ordinal":
            word = match["word"]
            return self._ordinals[word.lower()] if word else int(match["digits"])
        if kind == "noun":
            return self.nouns.index(match["noun"])
        if kind == "end":
            return ""
        if kind == "time":
            hour = self._parse(match["hour"])
            return None if hour is None or hour > 24 else (hour % 12, int(match["minute"] or 0))
        return self._parse(match[0] if kind == "number" else match["first"] or match["last"])

    def _parse(self, text):
        """The value of a number, or None if its decimal or group signs are misplaced."""
        if text.lower() in self._words:
            return self._words[text.lower()]
        whole, _, decimals = text.partition(self._decimal)
        first, *groups = whole.split(self._group)
        digits = [first, *groups, decimals or "0"]
        if not all(map(str.isdigit, digits)) or any(len(group) != 3 for group in groups):
            return None
        return float(f"{first}{''.join(groups)}.{decimals or 0}")

    def write(self, value):
        """Writes a `Number`, `Ordinal`, `Price`, `Time`, `Date` or `Year`; a string as it is."""
        if isinstance(value, str):
            return value
        if isinstance(value, Number):
            text = f"{value.value:{',' if value.grouped else ''}.{value.decimals}f}"
            return text.translate({ord(","): self._group, ord("."): self._decimal})
        if isinstance(value, Ordinal):
            return self._write_ordinal(value.value)
        if isinstance(value, Price):
            name, sign = self.currencies[value.currency]
            amount = self.write(value.amount)
            return self._with_sign(amount, sign) if value.by_sign else f"{amount} {name}"
        if isinstance(value, Time):
            return self._write_time(value)
        return self._write_year(value) if isinstance(value, Year) else self._write_date(value)

    def _write_ordinal(self, value):
        return self._say(value, "ordinal_num")

    def _write_date(self, value):
        date = datetime.date(value.year or 2000, value.month, value.day)
        text = self._locale_date(date, "long")
        return text if value.year else re.sub(r"(?:,| de)? 2000", "", text)

    def _write_year(self, value):
        month = self._months[value.month - 1] if value.month else ""
        return f"{month} {value.year or ''}".strip()

    def _number_words(self):
        """Dict from the words of numbers, in lower case, to their values."""
        large = [*range(200, 1000, 100), *range(2000, 13000, 1000), 20000, 50000]
        return {self._say(value): value for value in (*range(2, 100), *large)}

    def _with_sign(self, amount, sign):
        raise NotImplementedError

    def _write_time(self, time):
        raise NotImplementedError
