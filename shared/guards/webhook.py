"""A guard of your own, asked over HTTP: in a plain form, which may block and redact, or in that of OpenAI's
moderations, which may block.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from shared.errors import UpstreamBroken
from shared.guards.borders import Borders
from shared.guards.section import Place, WebhookSection, Who
from shared.guards.verdict import NOTHING, Occasion, Said, Side, Strain, Verdict, Watch
from shared.http_client import HttpClient

_ANSWER_BYTES = 16_777_216
_MODERATION_MODEL = "omni-moderation-latest"


class Plain(Struct, frozen=True):
    """`texts` are all of them, in their order, where they are to be redacted. `findings` are kinds, not
    contents.
    """

    action: Literal["allow", "block", "redact"]
    texts: list[str] = []
    findings: list[str] = []
    message: str = ""


class Moderation(Struct, frozen=True):
    flagged: bool
    categories: dict[str, bool | None] = {}


class Moderations(Struct, frozen=True):
    results: list[Moderation]


class Webhook:
    places: tuple[Place, ...] = ("request", "reply", "stream")

    def __init__(self, section: WebhookSection, http: HttpClient) -> None:
        self.section = section
        self._http = http
        self._headers = [("content-type", "application/json"), ("accept", "application/json")]
        if section.key:
            self._headers.append(("authorization", f"Bearer {section.key.reveal()}"))

    def watch(self, occasion: Occasion) -> Watch:
        return WebhookWatch(self, occasion.target)

    async def ask(self, body: object) -> bytes:
        """Raises UpstreamFault."""
        wait = self.section.timeout_seconds
        reply = await self._http.send(
            "POST",
            self.section.url,
            headers=self._headers,
            body=msgspec.json.encode(body),
            connect_timeout=wait,
            header_timeout=wait,
            idle_timeout=wait,
        )
        async with reply:
            if reply.status != 200:
                raise UpstreamBroken(f"the guard's address answered with {reply.status}")
            return await reply.read(_ANSWER_BYTES)


class WebhookWatch:
    restores = False

    def __init__(self, webhook: Webhook, model: str) -> None:
        self._webhook = webhook
        self._model = model

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        if not any(said.text for said in texts):
            return NOTHING
        if self._webhook.section.form == "openai_moderation":
            return await self._moderated(texts)
        return await self._plain(texts, side)

    def strain(self, who: Who, *, enforced: bool) -> Strain:
        return Borders(self._judge, who, size=self._webhook.section.border, holds=enforced)

    async def _judge(self, texts: Sequence[Said]) -> Verdict:
        return await self.check(texts, "reply")

    async def _plain(self, texts: Sequence[Said], side: Side) -> Verdict:
        given = [said.text for said in texts]
        asked = {"side": side, "model": self._model, "texts": given, "who": [said.who for said in texts]}
        answer = msgspec.json.decode(await self._webhook.ask(asked), type=Plain)
        findings = tuple(what[:64] for what in answer.findings)
        if answer.action == "block":
            return Verdict(
                findings=findings or ("blocked",), refusal=answer.message[:500] or "it is not allowed"
            )
        if answer.action == "allow":
            return Verdict(findings=findings)
        if len(answer.texts) != len(given):
            raise UpstreamBroken("the guard's address sent back another number of texts")
        changed = {
            place: new for place, (new, old) in enumerate(zip(answer.texts, given, strict=True)) if new != old
        }
        return Verdict(findings=findings or ("redacted",), texts=changed)

    async def _moderated(self, texts: Sequence[Said]) -> Verdict:
        asked = {"model": _MODERATION_MODEL, "input": [said.text for said in texts if said.text]}
        answer = msgspec.json.decode(await self._webhook.ask(asked), type=Moderations)
        wanted = self._webhook.section.categories
        found = dict.fromkeys(
            name
            for result in answer.results
            for name, flagged in result.categories.items()
            if flagged and (not wanted or name in wanted)
        )
        if not wanted and any(result.flagged for result in answer.results):
            found = found or {"flagged": None}
        if not found:
            return NOTHING
        return Verdict(findings=tuple(found), refusal=f"it is about {', '.join(found)}")
