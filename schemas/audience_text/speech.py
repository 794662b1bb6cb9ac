"""Says one condition in one language: which template fits, and what goes into it. The words are the lexicon's."""

from schemas.audience import (
    Age,
    All,
    Anniversary,
    AnyOf,
    Attribute,
    Average,
    Condition,
    Consent,
    DateAttribute,
    Did,
    Distinct,
    Happening,
    Identifier,
    InSegment,
    Leaf,
    Not,
    RandomBucket,
    Reachable,
    Sequence,
    Since,
    Total,
)
from schemas.audience_text.amounts import money
from schemas.audience_text.phrases import Phrases

EVERYTHING = "*"  # the topic of all topics
_IN_PARTS = (Total, Average, Distinct, Sequence, Since)  # what stands in brackets beside others


class Speech(Phrases):
    """Sentences of which somebody is the subject who is not named: "bought at least 2 times in the last 90 days"."""

    def say(self, node: Condition, *, inside: bool = False) -> str:
        """inside: beside others, where a group or a sentence of several parts stands in brackets."""
        if isinstance(node, All | AnyOf):
            if not node.of:
                return self.fill("everybody")
            if len(node.of) == 1:
                return self.say(node.of[0], inside=inside)
            text = self.joined("and" if isinstance(node, All) else "or", [self.say(part, inside=True) for part in node.of])
            return f"({text})" if inside else text
        if isinstance(node, Not):
            return self._not(node.of)
        text = self._leaf(node)
        return f"({text})" if inside and isinstance(node, _IN_PARTS) else text

    def _not(self, node: Condition) -> str:
        while isinstance(node, All | AnyOf) and len(node.of) == 1:
            node = node.of[0]
        match node:
            case All(of=()):
                return self.fill("nobody")
            case Did(op="ge", value=1):
                return self._never(node)
            case Identifier() | Reachable() | InSegment():
                return self._mark(node, ".not")
        return self.fill("not", x=self.say(node))

    def _leaf(self, leaf: Leaf) -> str:
        match leaf:
            case Attribute():
                return self.compared(self.attribute(leaf.name, leaf.path), leaf)
            case DateAttribute():
                return self._date(leaf)
            case Anniversary():
                return self._anniversary(leaf)
            case Identifier() | Reachable() | InSegment():
                return self._mark(leaf)
            case RandomBucket():
                start, end = (self.number(share / 100) for share in (leaf.start, leaf.end))
                return self.fill("bucket", start=start, end=end, salt=self.quoted(leaf.salt))
            case Consent():
                return self._consent(leaf)
            case Did():
                return self._did(leaf)
            case Total() | Average() | Distinct():
                return self._measured(leaf)
            case Age():
                words = self.deed(leaf.event)
                spans = {"span": self.span(leaf.age), "span_of": self.span(leaf.age, "of")}
                return self.fill(f"{leaf.which}.{leaf.op}", did=words.did, tests=self.tests(leaf), **spans)
            case Sequence():
                return self._sequence(leaf)
            case Since():
                return self._since(leaf)

    def _date(self, leaf: DateAttribute) -> str:
        what, after, until = self.attribute(leaf.name, leaf.path), leaf.after, leaf.until
        if after == 0 and until is not None:
            return self.fill("date.next", what=what, next=self.next(until))
        if until == 0 and after is not None:
            return self.fill("date.last", what=what, last=self.last(after))
        way = "date.both" if after is not None and until is not None else "date.after" if until is None else "date.until"
        return self.fill(way, what=what, after=self._from_now(after or 0), until=self._from_now(until or 0))

    def _from_now(self, ms: int) -> str:
        return self.fill("now" if ms == 0 else "ago" if ms < 0 else "ahead", x=self.span(ms))

    def _anniversary(self, leaf: Anniversary) -> str:
        way = ("", ".before", ".after")[(leaf.before > 0) - (leaf.before < 0)] + (".days" if leaf.days > 1 else "")
        return self.fill(
            ("own" if leaf.year == "own" else "anniversary") + way,
            what=self.attribute(leaf.name, leaf.path),
            before=self.counted(abs(leaf.before), "day"),
            days=self.counted(leaf.days, "day"),
            days_of=self.counted(leaf.days, "day", "of"),
        ) + self.zone(leaf.zone)

    def _mark(self, leaf: Identifier | Reachable | InSegment, negated: str = "") -> str:
        if isinstance(leaf, InSegment):
            return self.fill(f"segment{negated}", x=self.quoted(leaf.key, self._titles.segments.get(leaf.key)))
        if isinstance(leaf, Identifier):
            return self.fill(f"identifier{negated}", x=self._lexicon.names.get(leaf.has) or self.quoted(leaf.has))
        return self.fill(f"reachable{negated}", x=self._channel(leaf.channel))

    def _channel(self, channel: str) -> str:
        return self._lexicon.names.get(f"channel.{channel}") or self.quoted(channel)

    def _consent(self, leaf: Consent) -> str:
        text = self.fill(leaf.state, x=self._channel(leaf.channel))
        if leaf.topic != EVERYTHING:
            text += self.fill("consent.topic", x=self.quoted(leaf.topic, self._titles.topics.get(leaf.topic)))
        return text if leaf.brand is None else text + self.fill("consent.brand", x=self.quoted(leaf.brand))

    def _did(self, leaf: Did) -> str:
        if (leaf.op, leaf.value) == ("eq", 0):
            return self._never(leaf)
        if (leaf.op, leaf.value) == ("ge", 1):
            times = self.fill("once")
        else:
            counts = {"times": self.counted(leaf.value, "time"), "times_of": self.counted(leaf.value, "time", "of")}
            times = self.fill(f"times.{leaf.op}", n=self.number(leaf.value), **counts)
        window = self.window(leaf.within, leaf.window)
        return self.fill("did", did=self.deed(leaf.event).did, tests=self.tests(leaf), times=times, window=window)

    def _never(self, leaf: Did) -> str:
        window = self.window(leaf.within, leaf.window)
        return self.fill("never", done=self.deed(leaf.event).done, tests=self.tests(leaf), window=window)

    def _measured(self, leaf: Total | Average | Distinct) -> str:
        path = leaf.sum if isinstance(leaf, Total) else leaf.of
        paid = money(leaf.where if leaf.lines is None else leaf.lines.where, (path,))
        if isinstance(leaf, Distinct):
            paid, value = None, self.number(leaf.value)  # texts and truths have no currency
        else:
            value = self.amount(leaf.value, path, paid)
        return self.fill(
            leaf.kind,
            of=self.property(path, paid),
            over=self.deed(leaf.event).over,
            tests=self.tests(leaf, "" if isinstance(leaf, Distinct) else path),
            window=self.window(leaf.within, leaf.window),
            amount=self.fill(f"amount.{leaf.op}", x=value),
        )

    def _done(self, what: Happening) -> dict[str, str]:
        return {"done": self.deed(what.event).done, "tests": self.tests(what)}

    def _sequence(self, leaf: Sequence) -> str:
        first, then = (self.deed(what.event).did + self.tests(what) for what in (leaf.first, leaf.then))
        without = "" if leaf.without is None else self.fill("sequence.without", **self._done(leaf.without))
        last = "" if leaf.last is None else self.fill("sequence.last", last=self.last(leaf.last))
        spans = {"span": self.span(leaf.within), "span_of": self.span(leaf.within, "of")}
        return self.fill("sequence", first=first, then=then, without=without, last=last, **spans)

    def _since(self, leaf: Since) -> str:
        within = leaf.within or 0
        spans = {
            "after": self.span(leaf.after),
            "after_of": self.span(leaf.after, "of"),
            "within": self.span(within),
            "within_of": self.span(within, "of"),
        }
        way = {(True, True): "when.both", (True, False): "when.after", (False, True): "when.within"}
        when = way.get((leaf.after > 0, leaf.within is not None))
        return self.fill(
            "since.leaf",
            did=self.deed(leaf.event).did,
            tests=self.tests(leaf),
            when=self.fill(when, **spans) if when else "",
            done=self.deed(leaf.without.event).done,
            later=self.tests(leaf.without),
        )
