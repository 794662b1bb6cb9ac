"""ISO 4217: how many digits the minor unit of a currency stands behind the point."""

# fmt: off
_NO_DECIMALS = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
                "XOF", "XPF"}
_THREE_DECIMALS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
_FOUR_DECIMALS = {"CLF", "UYW"}
# fmt: on
_DIGITS = {  # 2 unless listed
    **dict.fromkeys(_NO_DECIMALS, 0),
    **dict.fromkeys(_THREE_DECIMALS, 3),
    **dict.fromkeys(_FOUR_DECIMALS, 4),
}


def digits(currency: str) -> int:
    """Digits behind the point of a currency's amounts: 2 for GBP, 0 for JPY."""
    return _DIGITS.get(currency, 2)
