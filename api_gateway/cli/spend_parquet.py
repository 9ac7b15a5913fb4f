"""Records as a Parquet file, for whoever has `arro3-io` installed: 33 MB that only this needs."""

from collections.abc import Sequence
from importlib import import_module
from io import BytesIO
from typing import Any

from api_gateway.cli.remote import CommandFailed


def parquet(records: Sequence[dict[str, Any]]) -> bytes:
    """A column for every name, typed after its values; one that holds nothing holds texts. Raises
    CommandFailed where there is no record (nobody knows its columns) or no library."""
    if not records:
        raise CommandFailed("nothing was spent: there is nothing to write a Parquet file of")
    try:
        core, writing = import_module("arro3.core"), import_module("arro3.io")
    except ImportError as error:
        raise CommandFailed(
            "Parquet is written by arro3-io, which is not installed: pip install arro3-core arro3-io", 2
        ) from error
    columns = {name: [record[name] for record in records] for name in records[0]}
    table = core.Table.from_pydict(
        {name: core.Array(values, _type(core.DataType, values)) for name, values in columns.items()}
    )
    file = BytesIO()
    writing.write_parquet(table, file)
    return file.getvalue()


def _type(types: Any, values: Sequence[object]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if not kinds or not kinds <= {int, float}:
        return types.utf8()
    return types.int64() if kinds == {int} else types.float64()
