"""How many records the next transaction of a lane may have, learnt from how long the last ones took."""


class Bound:
    """A slow batch halves the next ones, quick ones let them grow back. most, least: rows; below `least` time is no reason, as what a
    batch costs whatever its size would be paid too often then.
    """

    def __init__(self, most: int, least: int = 1) -> None:
        self.most, self.least, self.rows = most, min(least, most), most

    def after(self, took: float, seconds: float) -> None:
        """A batch took so long where it may take `seconds`."""
        if took > seconds:
            self.rows = max(self.least, self.rows // 2)
        elif took < seconds / 4:
            self.rows = min(self.most, self.rows * 2)
