// The A2A SDK's client over each of several wires: all that it can do. Prints one line of JSON, with an object a wire.
import { AgentCard, Role, SendMessageRequest } from "@a2a-js/sdk";
import { ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client";

const { GATEWAY, PUBLIC, TOKEN, WIRES, HOOK, BYTES } = process.env;
const fetchImpl = (url, options = {}) => {
  const headers = new Headers(options.headers);
  headers.set("txn-token", TOKEN);
  return fetch(String(url).replace(PUBLIC, GATEWAY), { ...options, headers });
};
const options = { fetchImpl, legacyCompat: { enabled: true } };
const factory = new ClientFactory({
  transports: [new JsonRpcTransportFactory(options), new RestTransportFactory(options)],
});
const message = (text, more = {}, configuration = undefined, parts = []) =>
  SendMessageRequest.fromJSON({
    message: { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ text }, ...parts], ...more },
    configuration,
  });
const FILES = [
  { url: "https://files.example/b.pdf", filename: "b.pdf", mediaType: "application/pdf" },
  { data: { n: 1.5, deep: { list: [1, "two", null, true] } } },
  ...(BYTES ? [{ raw: BYTES, filename: "a.bin", mediaType: "application/octet-stream" }] : []),
];

async function clientOf(wire) {
  const [binding, version] = wire.split("/");
  const answer = await fetchImpl(`${PUBLIC}/agents/writer/.well-known/agent-card.json`);
  const card = AgentCard.fromJSON(await answer.json());
  card.supportedInterfaces = card.supportedInterfaces.filter(
    (one) => one.protocolBinding === binding && one.protocolVersion === version,
  );
  return factory.createFromAgentCard(card);
}

async function sent(client, request) {
  const answer = await client.sendMessage(request);
  return answer.payload?.value ?? answer;
}

// An agent that asks back goes on in the same task.
async function asked(client, text) {
  const first = await sent(client, message(text));
  const next = await sent(client, message("go on", { taskId: first.id, contextId: first.contextId }));
  return [first.status.state, next.status.state, next.id === first.id];
}

// Begun at once and asked for until it has ended.
async function long(client) {
  let task = await sent(client, message("long", {}, { returnImmediately: true }));
  const states = [task.status.state];
  while (task.status.state < 3) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    task = await client.getTask({ tenant: "", id: task.id });
  }
  return [states[0] < 3, task.status.state];
}

// A stream that is left, taken up again, and ended by cancelling its task; a webhook is told.
async function left(client, wire) {
  let waiting;
  for await (const event of client.sendMessageStream(message("wait"))) {
    if (event.payload.$case === "task") waiting = event.payload.value;
    if (event.payload.$case === "statusUpdate") break;
  }
  const url = `${HOOK}${wire}`;
  const config = { tenant: "", id: "c1", taskId: waiting.id, url, token: "t", authentication: undefined };
  const made = await client.createTaskPushNotificationConfig(config);
  const got = await client.getTaskPushNotificationConfig({ tenant: "", taskId: waiting.id, id: "c1" });
  await client.createTaskPushNotificationConfig({ ...config, id: "c2" });
  const both = await client.listTaskPushNotificationConfig({ tenant: "", taskId: waiting.id });
  await client.deleteTaskPushNotificationConfig({ tenant: "", taskId: waiting.id, id: "c2" });
  const listed = await client.listTaskPushNotificationConfig({ tenant: "", taskId: waiting.id });
  const again = [];
  for await (const event of client.resubscribeTask({ tenant: "", id: waiting.id })) {
    again.push(event.payload.$case);
    if (again.length === 1) await client.cancelTask({ tenant: "", id: waiting.id });
  }
  return { made: [made.id, made.url === url, got.id], configs: [both.configs.length, listed.configs.length], again: [again[0], again.at(-1)] };
}

async function all(wire) {
  const client = await clientOf(wire);
  const kinds = [];
  let task;
  for await (const event of client.sendMessageStream(message("go"))) {
    kinds.push(event.payload.$case);
    if (event.payload.$case === "task") task = event.payload.value;
  }
  const got = await client.getTask({ tenant: "", id: task.id });
  const files = await sent(client, message("go", {}, undefined, FILES));
  const back = files.artifacts[0].parts.slice(1, 1 + FILES.length).map((part) => part.content);
  const listed = wire.endsWith("1.0")
    ? (await client.listTasks({ tenant: "", contextId: task.contextId, status: 0 })).tasks.map((one) => one.id === task.id)
    : [true];
  const extended = await client.getAgentCard();
  let missing = "";
  try {
    await client.getTask({ tenant: "", id: "never" });
  } catch (error) {
    missing = error.name;
  }
  return {
    kinds: [kinds[0], kinds[1], kinds.includes("artifactUpdate"), kinds.at(-1)],
    got: [got.id === task.id, got.status.state, got.history[0].role === Role.ROLE_USER],
    text: got.artifacts[0].parts[0].content.value,
    back: back.map((one) => [one.$case, one.$case === "raw" ? Buffer.from(one.value).toString("base64") : one.value]),
    listed,
    extended: extended.name,
    input: await asked(client, "ask"),
    auth: await asked(client, "authenticate"),
    long: await long(client),
    missing,
    ...(await left(client, wire)),
  };
}

const found = {};
for (const wire of WIRES.split(" ")) found[wire] = await all(wire);
console.log(JSON.stringify(found));
