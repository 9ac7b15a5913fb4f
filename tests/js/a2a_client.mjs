// The A2A SDK's client over one wire: messages, streams, tasks and push configs. Prints one line of JSON.
import { AgentCard, Role, SendMessageRequest } from "@a2a-js/sdk";
import { ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client";

const { GATEWAY, PUBLIC, TOKEN, BINDING, VERSION, HOOK } = process.env;
const fetchImpl = (url, options = {}) => {
  const headers = new Headers(options.headers);
  headers.set("txn-token", TOKEN);
  return fetch(String(url).replace(PUBLIC, GATEWAY), { ...options, headers });
};
const options = { fetchImpl, legacyCompat: { enabled: true } };
const answer = await fetchImpl(`${PUBLIC}/agents/writer/.well-known/agent-card.json`);
const card = AgentCard.fromJSON(await answer.json());
card.supportedInterfaces = card.supportedInterfaces.filter(
  (one) => one.protocolBinding === BINDING && one.protocolVersion === VERSION,
);
const factory = new ClientFactory({
  transports: [new JsonRpcTransportFactory(options), new RestTransportFactory(options)],
});
const client = await factory.createFromAgentCard(card);

const message = (text, more = {}) =>
  SendMessageRequest.fromJSON({
    message: { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ text }], ...more },
  });
const kinds = [];
let task;
for await (const event of client.sendMessageStream(message("go"))) {
  kinds.push(event.payload.$case);
  if (event.payload.$case === "task") task = event.payload.value;
}
const got = await client.getTask({ tenant: "", id: task.id });
const sent = await client.sendMessage(message("go"));
const asked = await client.sendMessage(message("ask"));
const first = asked.payload?.value ?? asked;
const second = await client.sendMessage(message("go on", { taskId: first.id, contextId: first.contextId }));
const next = second.payload?.value ?? second;

let waiting;
for await (const event of client.sendMessageStream(message("wait"))) {
  if (event.payload.$case === "task") waiting = event.payload.value;
  if (event.payload.$case === "statusUpdate") break;
}
const config = { tenant: "", id: "c1", taskId: waiting.id, url: HOOK, token: "t", authentication: undefined };
const made = await client.createTaskPushNotificationConfig(config);
const listed = await client.listTaskPushNotificationConfig({ tenant: "", taskId: waiting.id });
const again = [];
for await (const event of client.resubscribeTask({ tenant: "", id: waiting.id })) {
  again.push(event.payload.$case);
  if (again.length === 1) await client.cancelTask({ tenant: "", id: waiting.id });
}
let missing = "";
try {
  await client.getTask({ tenant: "", id: "never" });
} catch (error) {
  missing = error.name;
}
const body = sent.payload?.value ?? sent;
console.log(
  JSON.stringify({
    kinds,
    same: got.id === task.id,
    text: got.artifacts[0].parts.at(-1).content.value,
    state: body.status.state,
    role: got.history[0].role === Role.ROLE_USER,
    asked: first.status.state,
    next: [next.status.state, next.id === first.id],
    made: [made.id, made.url],
    listed: listed.configs.length,
    again,
    missing,
  }),
);
