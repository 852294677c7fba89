class Lines:
    """Counts lines, and keeps the numbers of the first few."""

    def __init__(self):
        self.count, self.first = 0, []

    def add(self, number):
        self.count += 1
        if len(self.first) < 5:
            self.first.append(number)

    def merge(self, other):
        self.count += other.count
        self.first = sorted(self.first + other.first)[:5]

    def rows(self):
        return f"{self.count:,} row{'s' if self.count > 1 else ''}"

    def __str__(self):
        shown = ", ".join(map(str, self.first))
        more = f" and {self.count - len(self.first):,} more" if self.count > len(self.first) else ""
        return f"line{'s' if self.count > 1 else ''} {shown}{more}"
