"""Takes out of what is to be kept whatever the guards for personal data and for credentials would find."""

from collections.abc import Sequence
from typing import Any

from llm_gateway.chat.parts import Foreign
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.guards.texts import walk_reply
from llm_gateway.transcripts.section import Redactor
from shared.guards.section import PiiSection, SecretsSection
from shared.guards.texts import texts_of, with_texts
from shared.guards.verdict import Occasion, TextGuard

_NOTHING_ASKED = Occasion()


class Redact:
    """The redactors of one configuration."""

    def __init__(self, names: Sequence[Redactor]) -> None:
        # As in `shared/guards`: what finds things is loaded for those who use it.
        self._guards: list[TextGuard] = []
        if "pii" in names:
            from shared.guards.pii import Pii

            self._guards.append(Pii(PiiSection(name="pii", action="redact")))
        if "secrets" in names:
            from shared.guards.secrets import Secrets

            self._guards.append(Secrets(SecretsSection(name="secrets", action="redact")))

    async def __call__(self, kept: dict[str, Any]) -> dict[str, Any]:
        """`kept` with every string, name and long number in it looked at. What a redactor raises is
        raised.
        """
        # As JSON that only some provider understands: guards look at all of that.
        part = Foreign(origin="", kind="", value=kept)
        whole = Reply(id="", model="", parts=(part,), stop=Stop.END)
        for guard in self._guards:
            verdict = await guard.watch(_NOTHING_ASKED).check(texts_of(whole, walk_reply), "reply")
            if verdict.texts:
                whole = with_texts(whole, verdict.texts, walk_reply)
        [seen] = whole.parts
        assert isinstance(seen, Foreign)
        return seen.value
