def pair_for_people(source, target, width=80):
    """A pair on one line, each side cut to `width` characters."""
    shown = (t if len(t) <= width else f"{t[: width - 4]} ..." for t in (source, target))
    return " -> ".join(shown)
