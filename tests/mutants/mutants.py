"""The rules that are broken on purpose, and the tests that must notice. One entry is one rule.

`old` must stand in the file exactly once: code that moved fails the run until its mutant moves with it.
"""

from dataclasses import dataclass

LOOP, RELAY, LOCKS = (f"tests/chaos/test_{name}.py::test_" for name in ("loop_laws", "relay_laws", "person_locks"))
CASCADES = "tests/orchestrator/test_cascade_laws.py::test_"
ATTEMPTS = "tests/sender/live/test_attempts_live.py::test_"


@dataclass(frozen=True)
class Mutant:
    """name: the rule that is broken; tests: what must turn red, as pytest takes it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PUBLISH = """\
                await watermark.finish(connection, marks, froms, now, revision, [])
                producer = await self.relay._make().start()
                for topic, partition, _count, packed in rows:
                    await producer.send(topic, partition, outbox._unpack(packed))
                await producer.stop()
                self._failpoint("before_commit")
"""
COMMIT = """\
                await watermark.finish(connection, marks, froms, now, revision, rows)
                await self._tell_relay(connection, rows)
                self._failpoint("before_commit")
"""
MERGED = """\
    if any(row["merged_into"] is not None for row in rows):
        raise Again("merged while we waited for the lock")
"""

MUTANTS = (
    Mutant(
        "watermark filter",
        "runtime/watermark.py",
        "if item.offset < mark.next_offset:",
        "if item.offset < 0:",
        (LOOP + "what_a_zombie_still_holds_is_not_handled_again",),
    ),
    Mutant(
        "watermark row lock",
        "runtime/watermark.py",
        "ORDER BY w.topic, w.partition FOR UPDATE OF w",
        "ORDER BY 1, 2",
        (LOOP + "two_owners_at_the_same_moment_handle_a_batch_once",),
    ),
    Mutant(
        "seq filter",
        "runtime/watermark.py",
        "if place <= mark.seqs.get(src, (-1, -1, -1)):",
        "if place < (0, 0, 0):",
        (LOOP + "records_that_a_relay_sent_twice_count_once_in_one_batch_and_in_the_next",),
    ),
    Mutant("publish before commit", "runtime/loop.py", COMMIT, PUBLISH, (RELAY + "nothing_is_in_the_log_that_was_not_committed",)),
    Mutant(
        "relay goes on after a refusal",
        "runtime/outbox.py",
        "if outcome is None for row in taken]",
        "for row in taken]",
        (RELAY + "what_was_not_acknowledged_is_sent_again_and_nothing_is_skipped",),
    ),
    Mutant(
        "row lock, profile",
        "services/profile/store/people.py",
        "ORDER BY id FOR UPDATE",
        "ORDER BY id",
        (LOCKS + "two_batches_that_change_one_person_at_once_lose_neither_change",),
    ),
    Mutant(
        "row lock, identifiers",
        "services/profile/store/people.py",
        "ON CONFLICT (key) DO UPDATE SET key = EXCLUDED.key",
        "ON CONFLICT (key) DO NOTHING",
        (LOCKS + "two_batches_that_bring_one_new_identifier_at_once_make_one_person",),
    ),
    Mutant(
        "row lock, people",
        "runtime/people.py",
        "ORDER BY id FOR UPDATE",
        "ORDER BY id",
        (LOCKS + "two_transactions_at_one_row_add_up",),
    ),
    Mutant(
        "alias re-read, profile",
        "services/profile/store/people.py",
        MERGED,
        "",
        (LOCKS + "news_of_somebody_who_is_merged_away_at_that_moment_goes_to_the_survivor",),
    ),
    Mutant(
        "alias re-read, people",
        "runtime/people.py",
        "await _aliases(connection, ids) != aliases",
        "False",
        (LOCKS + "a_merge_that_commits_while_we_wait_is_seen",),
    ),
    Mutant(
        "attempt record, start",
        "services/sender/delivery.py",
        "send(ready.message, lambda: self._start(ready))",
        "send(ready.message)",
        (ATTEMPTS + "a_sender_that_dies_after_the_call_leaves_it_in_doubt_and_nobody_calls_again",),
    ),
    Mutant(
        "attempt record, claim",
        "services/sender/store.py",
        "ON CONFLICT DO NOTHING RETURNING id::text AS id",
        "ON CONFLICT (id) DO UPDATE SET state = 'taken', owner = EXCLUDED.owner RETURNING id::text AS id",
        (ATTEMPTS + "an_intent_that_comes_again_later_finds_its_row",),
    ),
    Mutant(
        "walk, looked at again under the lock",
        "services/orchestrator/handler/launches.py",
        'still.extend(row["id"] for row in await connection.fetch(recipients.STILL, launch, ids))',
        "still.extend(ids)",
        ("tests/orchestrator/test_launches_live.py::test_two_who_take_a_partition_for_their_own_decide_about_nobody_twice",),
    ),
    Mutant(
        "address key",
        "services/sender/migrations/0001_sender.sql",
        "address_key bytea NOT NULL UNIQUE",
        "address_key bytea NOT NULL",
        ("tests/sender/live/test_sender_live.py::test_the_same_message_to_one_address_of_two_profiles_goes_once",),
    ),
    Mutant(
        "silence about a new condition",
        "services/orchestrator/domain/steps/way.py",
        " or turn.book.silent.get(condition)",
        "",
        ("tests/orchestrator/test_marks_live.py::test_a_condition_so_new_that_the_segmenter_has_not_asked_anybody_is_waited_for",),
    ),
    Mutant(
        "everybody was asked",
        "services/segmenter/handler.py",
        "            if found.done:\n                emits.extend(_asked(",
        "            if True:\n                emits.extend(_asked(",
        (
            "tests/segmenter/live/test_plans.py::test_when_everybody_of_a_partition_was_asked_about_a_condition_it_is_said_behind_the_answers",
        ),
    ),
    Mutant(
        "the walk waits for batches under an earlier plan",
        "services/segmenter/sweeping.py",
        "return not self._before[1]",
        "return True",
        ("tests/segmenter/live/test_plans.py::test_nobody_is_looked_at_while_a_batch_may_go_on_under_an_earlier_plan",),
    ),
    Mutant(
        "a no to what a topic is a part of",
        "schemas/permission.py",
        "        refused = max(refused, said.no)\n",
        "        refused = said.no\n",
        ("tests/schemas/test_permission.py::test_a_later_no_to_anything_above_forbids_and_a_later_yes_to_it_by_itself_permits",),
    ),
    Mutant(
        "who has bought is not purged",
        "services/orchestrator/domain/purging.py",
        '    if person.bought:\n        return "bought"\n',
        "",
        ("tests/orchestrator/test_purge.py::test_who_has_bought_is_kept_also_where_the_segmenter_is_behind",),
    ),
    Mutant(
        "lock of a day's charges",
        "services/profile/store/charges.py",
        "ON {SAME} {ORDER} FOR UPDATE OF c",
        "ON {SAME} {ORDER}",
        ("tests/profile/test_charges_live.py::test_two_processes_that_charge_the_same_people_lose_nothing",),
    ),
    Mutant(
        "what was told is open no more",
        "services/profile/handler/charges.py",
        "await table.tell(tx.connection, [row.key for row in rows])",
        "pass",
        ("tests/profile/test_charges_live.py::test_a_fact_a_product_and_day_when_the_day_is_over_and_none_of_the_charges",),
    ),
    Mutant(
        "one channel of a cascade at a time",
        "services/orchestrator/domain/steps/cascading.py",
        "return bool(_pending(turn, run)) or any(HEARD.isdisjoint(letter.became) for letter in at.behind)",
        "return False",
        (CASCADES + "the_next_channel_follows_only_what_the_document_says_and_it_always_ends",),
    ),
    Mutant(
        "doubt stops a cascade that sells",
        "services/orchestrator/domain/steps/cascade_news.py",
        'return ("accepted",) if message_class == "service" else ("accepted", "in_doubt")',
        'return ("accepted",)',
        (CASCADES + "the_next_channel_follows_only_what_the_document_says_and_it_always_ends",),
    ),
    Mutant(
        "what was read goes by no other channel",
        "services/orchestrator/domain/steps/cascade_news.py",
        "changed = replace(run, cascade=replace(at, left=()) if became in READ else at)",
        "changed = replace(run, cascade=at)",
        (CASCADES + "the_next_channel_follows_only_what_the_document_says_and_it_always_ends",),
    ),
    Mutant(
        "a cascade has one place in the caps",
        "services/orchestrator/domain/sending.py",
        "            cascade=run.tried,\n        )\n        person.reservations",
        "        )\n        person.reservations",
        (CASCADES + "the_next_channel_follows_only_what_the_document_says_and_it_always_ends",),
    ),
    Mutant(
        "what two had of one cascade is enough",
        "services/orchestrator/domain/steps/cascade_news.py",
        "return replace(at, left=()) if one.taken and other.taken else at",
        "return at",
        ("tests/orchestrator/test_cascade_merges.py::test_what_both_have_had_is_enough",),
    ),
)
