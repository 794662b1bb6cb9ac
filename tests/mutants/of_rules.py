"""The rules over what is sent, broken one at a time: the random lives of tests/orchestrator/test_rules_hold.py must notice each."""

from tests.mutants.mutants import Mutant

SLOTS, SENDING, COMPETING = (f"services/orchestrator/domain/{name}.py" for name in ("slots", "sending", "competing"))
DECIDE = "services/orchestrator/domain/decide.py"
MERGING, CONTROLS = (f"services/orchestrator/domain/{name}.py" for name in ("merging", "local_control"))
LIVES = ("tests/orchestrator/test_rules_hold.py", "tests/orchestrator/test_under_way.py")
SAME_DAY = "if message.message_class in classes and _used(others, zone.day, at, now):"


def _mutant(name: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(f"rules: {name}", file, old, new, LIVES)


OF_RULES = (
    _mutant("quiet hours", SLOTS, "    if rules.quiet:\n", "    if False:\n"),
    _mutant("a slot ends with the night", SLOTS, "zone.quiet(at, quiet, zone.next_day(at))", "zone.next_day(at)"),
    _mutant("windows", SLOTS, 'yield Slot(opens(zone, at, hours.spans, limit), "send_window", hours.name)', "pass"),
    _mutant("a slot ends with its window", SLOTS, "end = closes(zone, at, hours.spans, end)", "pass"),
    _mutant("mass and triggered on one day", SLOTS, SAME_DAY, "if False:"),
    _mutant("the other class alone", SLOTS, "classes - {message.message_class}", "classes"),
    _mutant("one more than the cap", SLOTS, "_used(counted, zone.day, at, now) < cap.most", "_used(counted, zone.day, at, now) <= cap.most"),
    _mutant("a rolling window to the slot's end", SLOTS, "(r.until if at == now else r.at) > at - cap.within", "r.at > at - cap.within"),
    _mutant("a slot that a move makes two days", SLOTS, " or (first < period and one.until > one.at and at == now and period_of(one.until) >= period)", ""),
    _mutant("a cap of a brand, channel or topic", SLOTS, "scope.brand in (None, one.brand)", "True"),
    _mutant("what may be free is asked again", SENDING, "if asked else Answer", "if False else Answer"),
    _mutant("manager only", SENDING, "any(turn.stands(key) for key in rules.managers)", "False"),
    _mutant("global control", SENDING, "bucket(salt, person.bucketing[1]) < share", "bucket(salt, person.bucketing[1]) > share"),
    _mutant("exposed once", CONTROLS, "if plan is None or run.exposed:", "if plan is None:"),
    _mutant("back to its place", SENDING, "person.reservations.remove(found)", "pass"),
    _mutant("only its own attempt", SENDING, "found and found.attempt == verdict.attempt and", "found and"),
    _mutant("late is decided again", SENDING, "again(turn, key, replace(pending, attempt=pending.attempt + 1), moment)", "pass"),
    _mutant("a doubt that is over", SENDING, "(found.state == DOUBT and final)", "False"),
    _mutant("places of both", MERGING, "[r for r in loser.reservations if r.intent not in mine]", "[]"),
    _mutant("more important ones first", COMPETING, "_terms(turn, run, step).priority > priority", "False"),
    _mutant("right behind", COMPETING, "return now + 1", "return None"),
    _mutant("a place that is free is seen", DECIDE, "if turn.person.reservations != before:", "if False:"),
    _mutant("keeping off", "services/orchestrator/domain/rules.py", "if compete else ()", "if False else ()"),
    Mutant(
        "a timer that is over", SENDING, "waits=place, due_at=None", "waits=place",
        ("tests/orchestrator/test_unheard.py::test_a_message_whose_time_comes_is_decided_when_the_rules_can_be_asked_about_him",),
    ),
    Mutant(
        "a letter that stays after an unmerge", "services/orchestrator/domain/parting.py", "[*person.pending, *open_]", "open_",
        ("tests/orchestrator/test_unmerges.py::test_a_letter_that_stays_is_settled_though_it_was_sent_by_the_name_of_one_who_goes",),
    ),
)  # fmt: skip
