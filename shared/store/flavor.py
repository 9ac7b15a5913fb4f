"""Where the two databases' SQL differs. The rest is written once, in the part of SQL that both speak."""

from collections.abc import Callable

from msgspec import Struct

from shared.store.columns import fitted


class Flavor(Struct, frozen=True, kw_only=True):
    """`glob` compares a column with what `pattern` makes of a text with `*` and `?`, letter case included.
    `least_cube` is the smallest of the digests of a group.
    """

    blob: str
    least_cube: str
    compact: str  # for tables whose key is most of the row
    glob: str
    pattern: Callable[[str], str]
    month: str  # of microseconds since 1970, in UTC
    month_start: str  # of the month that `start` lies in, in microseconds since 1970


class Bound:
    """Collects the values of one statement; `$1`, `$2`… is how both databases name them."""

    def __init__(self) -> None:
        self.values: list[object] = []

    def __call__(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def matches(column: str, wanted: str, flavor: Flavor, bound: Bound) -> str:
    """The condition that `column` is `wanted`, or matches it when it holds a wildcard."""
    if "*" in wanted or "?" in wanted:
        pattern = flavor.pattern(wanted.replace("\x00", "\ufffd"))
        return flavor.glob.format(column=column, mark=bound(pattern))
    return f"{column} = {bound(fitted(wanted))}"


def _sqlite_pattern(text: str) -> str:
    return text.replace("[", "[[]")


def _postgres_pattern(text: str) -> str:
    for plain in ("\\", "%", "_"):
        text = text.replace(plain, "\\" + plain)
    return text.replace("*", "%").replace("?", "_")


SQLITE = Flavor(
    blob="BLOB",
    least_cube="min(cube)",
    compact="WITHOUT ROWID",
    glob="{column} GLOB {mark}",
    pattern=_sqlite_pattern,
    month="strftime('%Y-%m', {at} / 1000000, 'unixepoch')",
    # It knows no months after the year 9999: what lies there is in one.
    month_start=(
        "COALESCE(1000000 * strftime('%s', start / 1000000, 'unixepoch', 'start of month'),"
        " 253402300800000000)"
    ),
)
POSTGRES = Flavor(
    blob="BYTEA",
    least_cube="decode(min(encode(cube, 'hex')), 'hex')",  # it has no smallest of bytes
    compact="",
    glob="{column} LIKE {mark}",
    pattern=_postgres_pattern,
    month="to_char(to_timestamp({at} / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM')",
    month_start=(
        "1000000 * CAST(extract(epoch FROM date_trunc('month',"
        " to_timestamp(start / 1000000) AT TIME ZONE 'UTC')) AS BIGINT)"
    ),
)
