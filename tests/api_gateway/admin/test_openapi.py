"""The document of the admin API, and a machine that calls all of it with whatever the document allows and
forbids.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.api_gateway.office import Office

# What ends the key that the machine itself calls with.
_ITS_OWN = ("delete_keys_id", "delete_objects_key_name", "post_keys_id_rotate")
# A 400 that no schema can tell of (a version that does not exist) is no mistake; bad credentials are slowed
# down by address, which the machine would take for the answer.
_NOT_ASKED = "positive_data_acceptance,ignored_auth"
_SETTINGS = '[phases.coverage]\nunexpected-methods = ["PATCH"]\n'
_SECONDS = 12


async def test_every_page_is_described(office: Office) -> None:
    document = await _document(office)
    operations = [one for path in document["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    assert [one["operationId"] for one in operations if not one["summary"]] == []
    assert "/admin/openapi.json" in document["paths"]
    put = document["paths"]["/admin/api/objects/key/{name}"]["put"]
    assert put["requestBody"]["required"]
    assert {"reason", "author", "if-match"} <= {one["name"] for one in put["parameters"]}
    revoke = document["paths"]["/admin/api/keys/{id}"]["delete"]
    assert "if-match" not in {one["name"] for one in revoke["parameters"]}
    listing = document["paths"]["/admin/api/keys"]["get"]
    assert {"limit", "cursor", "sub"} <= {one["name"] for one in listing["parameters"]}


async def test_nothing_that_the_document_allows_or_forbids_is_answered_otherwise(
    office: Office, tmp_path: Path
) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(_SETTINGS)
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(settings), "run"),
        *(office.edge.url + "/admin/openapi.json", "-H", f"Authorization: Bearer {_key(office)}"),
        *("--phases", "coverage,fuzzing", "--max-time", str(_SECONDS), "--continue-on-failure"),
        *("--exclude-checks", _NOT_ASKED, "--warnings", "off", "--no-color", "--seed", "1"),
    ]
    for name in _ITS_OWN:
        command += ["--exclude-operation-id", name]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6000:]
    # It has been at the controls all the time, and is still.
    assert (await office.ask("GET", "/status")).status == 200


async def _document(office: Office) -> Any:
    headers = [("authorization", f"Bearer {_key(office)}")]
    async with await office.http.send("GET", f"{office.edge.url}/admin/openapi.json", headers=headers) as got:
        assert got.status == 200
        return msgspec.json.decode(await got.read(2**22))


def _key(office: Office) -> str:
    return office.key_file.read_text().strip()
