"""Takes a file in while it comes: sealed pieces in PostgreSQL, its encoding found out on the way."""

from services.ingest.domain import Malformed, Sniffer, Table
from services.ingest.store import Imports

PIECE = 1_000_000  # bytes


class Upload:
    """One file. `feed` what comes, `end` when all is there. Both raise Malformed; the caller drops the import then."""

    def __init__(self, imports: Imports, job: str, max_bytes: int) -> None:
        self._imports, self._job, self._max = imports, job, max_bytes
        self._sniffer = Sniffer()
        self._waiting = bytearray()
        self._first = b""
        self._pieces = 0
        self.size = 0

    async def feed(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._max:
            raise Malformed("file", "file_too_large", f"The file is larger than {self._max} bytes.", "send it in parts")
        self._sniffer.feed(data)
        self._waiting += data
        while len(self._waiting) >= PIECE:
            piece = bytes(self._waiting[:PIECE])
            del self._waiting[:PIECE]
            await self._keep(piece)

    async def end(self) -> None:
        if self._waiting:
            await self._keep(bytes(self._waiting))
            self._waiting.clear()
        if not self.size:
            raise Malformed("file", "file_missing", "There is no file in the request, or it is empty.", "send a CSV file")

    async def _keep(self, piece: bytes) -> None:
        if not self._pieces:
            self._first = piece
        await self._imports.add_part(self._job, self._pieces, piece)
        self._pieces += 1

    def encoding(self, asked: str) -> str:
        return asked or self._sniffer.encoding()

    def columns(self, encoding: str, delimiter: str) -> list[str]:
        """The header. Raises Malformed: there is none, or not in this encoding."""
        table = Table(encoding, delimiter)
        try:
            for _ in table.feed(self._first, final=self._pieces == 1):
                break
        except UnicodeDecodeError as error:
            raise Malformed("encoding", "encoding_wrong", f"The file is not in {encoding}.", "leave `encoding` out") from error
        if table.columns is None:
            raise Malformed("file", "header_missing", "The file has no header line.", "send a first line with the names")
        return table.columns
