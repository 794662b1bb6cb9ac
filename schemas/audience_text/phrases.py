"""The parts of sentences: names, values, durations, instants, windows, and the tests of facts."""

import json
from collections.abc import Sequence
from typing import Any

from schemas.audience import Around, Between, Calendar, Comparing, Filter, Happening, Lines, Window
from schemas.audience_text.amounts import Money, Unit, decimal, is_minor, is_whole, moment, money, span
from schemas.audience_text.lexicon import Case, Deed, Lexicon
from schemas.audience_text.titles import Titles, telling

SPENT = "total.minor"  # the amount of a whole order: "bought for 5,000 or more"
UTC = "UTC"


class Phrases:
    """Puts the words of a lexicon together. A name without a title stands in straight quotes, as does every text: they are
    as the condition has them; titles stand in the quotes of the language.
    """

    def __init__(self, lexicon: Lexicon, titles: Titles) -> None:
        self._lexicon, self._titles = lexicon, telling(titles)

    def fill(self, template: str, **parts: str) -> str:
        return self._lexicon.texts[template].format(**parts)

    def quoted(self, name: str, title: str | None = None) -> str:
        if not title:
            return json.dumps(name, ensure_ascii=False)
        opening, closing = self._lexicon.quotes
        return opening + title.replace(closing, "") + closing

    def attribute(self, name: str, path: str = "") -> str:
        """An attribute, or what lies at a path within it."""
        titles = self._titles.attributes
        if not path or (name, path) in titles:
            return self.quoted(name, titles.get((name, path)))
        return self.fill("within", path=self.quoted(path), name=self.quoted(name, titles.get((name, ""))))

    def deed(self, event: str) -> Deed:
        known, title = self._lexicon.deeds.get(event), self._titles.events.get(event)
        if known is not None and title is None:
            return known
        name = self.quoted(event, title)
        return Deed(*(words.replace("{name}", name) for words in self._lexicon.deed))

    def number(self, value: float) -> str:
        """12,345.5; whole floats are whole numbers."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return f"{value:,}".translate(dict(zip(map(ord, ",."), self._lexicon.marks, strict=True)))

    def counted(self, n: int, unit: Unit, case: Case = "plain") -> str:
        forms = getattr(self._lexicon.units[unit], case)
        return f"{self.number(n)} {forms[self._lexicon.form(n)]}"

    def span(self, ms: int, case: Case = "plain") -> str:
        return " ".join(self.counted(n, unit, case) for n, unit in span(ms))

    def last(self, ms: int) -> str:
        """The last so many ms: "in the last 90 days", with the space before it."""
        return self._single(self._lexicon.last, ms) or self.fill("last", x=self.span(ms))

    def next(self, ms: int) -> str:
        return self._single(self._lexicon.next, ms) or self.fill("next", x=self.span(ms))

    @staticmethod
    def _single(words: Any, ms: int) -> str:
        (n, unit), *more = span(ms)
        return words[unit] if n == 1 and not more else ""

    def moment(self, value: int | str, *, exact: bool = False) -> str:
        """31 March 2026, or with its time (UTC) where it is not midnight or is asked for."""
        when = moment(value)
        if when is None:
            return self.fill("instant", x=str(value))
        day = f"{when.day} {self._lexicon.months[when.month - 1]} {when.year}"
        return f"{day}, {when.time or '00:00'} UTC" if when.time or exact else day

    def amount(self, value: int, path: str, paid: Money | None) -> str:
        """A whole number at a path: money where a test says in which currency, minor units where none does."""
        if paid is not None and paid.covers(path):
            whole, rest = decimal(value, paid.currency)
            shown = ("-" if value < 0 else "") + self.number(whole) + (self._lexicon.marks[1] + rest if rest else "")
            return self._lexicon.money(shown, paid.currency)
        return self.fill("minor", x=self.number(value)) if is_minor(path) else self.number(value)

    def property(self, path: str, paid: Money | None) -> str:
        return self.quoted(paid.of if paid is not None and paid.covers(path) else path)

    def compared(self, what: str, test: Comparing, paid: Money | None = None, way: str = "") -> str:
        """A typed comparison in words. way: "for." where the amount follows a verb."""
        if test.op in {"exists", "missing"}:
            return self.fill(test.op, what=what)
        if test.value_type == "date":
            found = [self.moment(value) for value in test.listed if not isinstance(value, float)]
            exact = self.moment(test.listed[0], exact=True) if test.op in {"gt", "le"} else ""  # type: ignore[arg-type]
            way = "date." if test.op in {"gt", "ge", "lt", "le"} else ""
            return self.fill(way + test.op, what=what, value=", ".join(found), moment=exact)
        if is_whole(test):
            values = [self.amount(int(value), test.path, paid) for value in test.listed]
        else:
            values = [self._value(value) for value in test.listed]
        return self.fill(way + test.op, what=what, value=", ".join(values))

    def _value(self, value: Any) -> str:
        if isinstance(value, bool):
            return self._lexicon.texts["yes" if value else "no"]
        return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else self.number(value)

    def tests(self, leaf: Happening, measured: str | None = None) -> str:
        """What the facts have to be like: " for 5,000 ₽ or more (where "category" is "toys")". measured: the path of what is summed or counted
        of them, "" where it is no amount; None: the facts themselves are counted.
        """
        paid = money(leaf.where, () if leaf.lines or not measured else (measured,))
        spent = [t for t in leaf.where if t.path == SPENT and is_whole(t) and t.op not in {"in", "ne"}][:1]
        listed = self._listed([test for test in leaf.where if test not in spent], paid)
        parts = [self.fill("where", x=listed)] if listed else []
        if leaf.lines is not None:
            parts.append(self._lines(leaf.lines, measured))
        bought = "".join(self.compared("", test, paid, "for.") for test in spent)
        return bought + (f" ({'; '.join(parts)})" if parts else "")

    def _lines(self, lines: Lines, measured: str | None) -> str:
        listed = self._listed(lines.where, money(lines.where, (measured,) if measured else ()))
        way = "line" if measured is None else "lines"
        return self.fill(f"{way}.where" if listed else way, list=self.quoted(lines.path), x=listed)

    def _listed(self, tests: Sequence[Filter], paid: Money | None) -> str:
        """Tests without the one that names the currency of amounts: these say it."""
        said = (self.compared(self.property(t.path, paid), t, paid) for t in tests if paid is None or t != paid.test)
        return self.joined("and", list(said))

    def window(self, within: int | None, window: Window | None) -> str:
        """When it was; "" for ever."""
        if within is not None:
            return self.last(within)
        if isinstance(window, Calendar):
            return self._calendar(window)
        if isinstance(window, Between):
            return self._between(window)
        return self._around(window) if isinstance(window, Around) else ""

    def _calendar(self, window: Calendar) -> str:
        near = window.back < len(("this", "last"))
        text = self.fill(
            f"{window.unit}.{window.back}" if near else window.unit, x="" if near else self.counted(window.back, window.unit)
        )
        return text + self.zone(window.zone)

    def zone(self, name: str) -> str:
        """For whom we know no zone of his own: said where it is not UTC."""
        return "" if name == UTC else self.fill("zone", x=name)

    def _between(self, window: Between) -> str:
        since = "" if window.since is None else self.moment(window.since)
        until = "" if window.until is None else self.moment(window.until)
        return self.fill("between" if since and until else "since" if since else "until", since=since, until=until)

    def _around(self, window: Around) -> str:
        what = self.attribute(window.name, window.path)
        after, until = (None if ms is None else self._shift(ms, what) for ms in (window.after, window.until))
        way = "around" if after and until else "around.after" if after else "around.until"
        return self.fill(way, after=after or "", until=until or "")

    def _shift(self, ms: int, what: str) -> str:
        way = "shift.now" if ms == 0 else "shift.before" if ms < 0 else "shift.after"
        return self.fill(way, x=self.span(ms), what=what)

    def joined(self, word: str, parts: Sequence[str]) -> str:
        return self._lexicon.texts[word].join(parts)
