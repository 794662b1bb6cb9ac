"""The list of topics says who writes them, and so does each service."""

from schemas.topics import ALL
from services.audience.__main__ import service as audience
from services.gateway.__main__ import service as gateway
from services.ingest.__main__ import service as ingest
from services.orchestrator.__main__ import service as orchestrator
from services.profile.__main__ import service as profile
from services.segmenter.__main__ import service as segmenter
from services.sender.__main__ import service as sender
from services.warehouse.__main__ import service as warehouse

SERVICES = [made() for made in (audience, gateway, ingest, orchestrator, profile, segmenter, sender, warehouse)]


def test_every_topic_is_written_by_those_who_say_that_they_write_it():
    for topic in ALL:
        writers = {service.name for service in SERVICES if topic in service.topics_written}
        assert writers == set(topic.written_by.split(", ")) - {"backends"}, topic.name
