"""The published JSON Schema is what the code says."""

from schemas import generate


def test_it_is_up_to_date(capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_changed_file_is_noticed_and_mended(tmp_path):
    assert generate.stale(tmp_path) == ["fact.schema.json"]
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []
    (tmp_path / "fact.schema.json").write_text("{}")
    assert generate.stale(tmp_path) == ["fact.schema.json"]


def test_it_asks_for_what_a_backend_must_give():
    fact = generate.schemas()["fact.schema.json"]["$defs"]["Fact"]
    assert set(fact["required"]) == {"id", "type", "brand", "source", "occurred_at", "received_at"}
    assert fact.get("additionalProperties") is not False
