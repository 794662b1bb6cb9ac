"""Asks a program whether it is ready to serve; each question is cheap and safe to repeat."""

import socket
import struct

import httpx

METADATA_V1_NO_TOPICS = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # api key, version, correlation id, no client id, no topics


def kafka(port: int) -> bool:
    """True when the broker answers and lists itself as alive: before that, a producer would be told to wait.

    Twenty bytes by hand: the Kafka client belongs to runtime/kafka alone.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(METADATA_V1_NO_TOPICS)) + METADATA_V1_NO_TOPICS)
            head = _exactly(connection, 12)
    except OSError:
        return False
    _size, correlation, brokers = struct.unpack(">iii", head)
    return bool(correlation == 1 and brokers > 0)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (part := connection.recv(size - len(data))):
            raise ConnectionError("closed before the whole answer came")
        data += part
    return data


def http(port: int, path: str = "/readyz") -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success
