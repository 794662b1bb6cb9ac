"""The published JSON Schemas and the AsyncAPI document are what the code says."""

from schemas import generate


def test_it_is_up_to_date(capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_changed_a_missing_and_an_old_file_are_noticed_and_mended(tmp_path):
    assert set(generate.stale(tmp_path)) == set(generate.files()) > {"fact.schema.json", "asyncapi.json"}
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []
    (tmp_path / "fact.schema.json").write_text("{}")
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "of_old.schema.json").write_text("{}")
    assert generate.stale(tmp_path) == ["asyncapi.json", "fact.schema.json", "of_old.schema.json"]
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []


def test_it_asks_for_what_a_backend_must_give():
    fact = generate.files()["fact.schema.json"]["$defs"]["Fact"]
    assert set(fact["required"]) == {"id", "type", "brand", "source", "occurred_at", "received_at"}
    assert fact.get("additionalProperties") is not False
