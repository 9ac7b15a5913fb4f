"""The guards of one call of a model at work, on what chats are made of."""

from llm_gateway.chat.parts import AnyPart
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.chat.request import Chat
from llm_gateway.guards.occasion import ChatOccasion
from llm_gateway.guards.texts import walk_chat, walk_reply
from shared.guards.run import Run


class ChatRun(Run[ChatOccasion]):
    async def request(self, chat: Chat) -> Chat:
        """The request as it may go on; the same object where nobody has changed it. Raises as `through`
        does.
        """
        there = self.on("request")
        return chat if there is None else await there.through(chat, walk_chat, "request")

    async def reply(self, reply: Reply) -> Reply:
        return await self.through(reply, walk_reply, "reply")

    async def part(self, part: AnyPart) -> AnyPart:
        """One part of a reply by itself."""
        alone = Reply(id="", model="", parts=(part,), stop=Stop.END)
        return (await self.reply(alone)).parts[0]
