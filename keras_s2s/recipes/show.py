import os


def pair_for_people(source, target, width=80):
    """A pair on one line, each side cut to `width` characters."""
    shown = (t if len(t) <= width else f"{t[: width - 4]} ..." for t in (source, target))
    return " -> ".join(shown)


def around_the_change(before, after, width=20):
    """Two texts that differ, each without what is farther than `width` from all differences."""
    start = len(os.path.commonprefix([before, after]))
    rest = before[start:], after[start:]
    end = len(os.path.commonprefix([text[::-1] for text in rest]))
    return tuple(_window(text, start, len(text) - end, width) for text in (before, after))


def _window(text, start, stop, width):
    start, stop = max(start - width, 0), min(stop + width, len(text))
    return "... " * (start > 0) + text[start:stop] + " ..." * (stop < len(text))
