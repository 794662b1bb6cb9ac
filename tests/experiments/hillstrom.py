"""The MineThatData e-mail challenge (K. Hillstrom, 2008, published for free use): 64,000 customers, a third of them each sent a letter about
men's goods, one about women's, or none. Sums over the file's rows, counted once; money in cents.
"""

from typing import NamedTuple


class Sums(NamedTuple):
    """history: what they had spent in the year before; spend: in the two weeks after. capped: no more than 200.00 each."""

    n: int
    visits: int
    conversions: int
    spend: int
    spend2: int
    history: int
    history2: int
    history_spend: int
    capped: int
    capped2: int
    above_cap: int


CONTROL = Sums(21306, 2262, 122, 1390833, 28700503621, 513224581, 25971724145563, 42679338399, 1179519, 15782991349, 17)
MENS = Sums(21307, 3894, 267, 3031169, 67590244973, 517410518, 27006876192752, 98575262586, 2480506, 34442961536, 46)
WOMENS = Sums(21387, 3238, 189, 2303811, 49114465763, 518713098, 26523269785210, 75130961923, 1945238, 27855356626, 30)
