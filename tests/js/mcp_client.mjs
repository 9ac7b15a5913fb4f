// The official MCP clients, the first (SDK=1, sessions only) and the second (SDK=2, in any MODE), with nothing but an
// address and a header. Prints one line of JSON: what the user would have seen.
import * as second from "@modelcontextprotocol/client";
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const { URL: address, TOKEN, SDK, MODE, TOOL, RESOURCE } = process.env;
const mode = ["auto", "legacy"].includes(MODE) ? MODE : { pin: MODE };
const who = { name: "test", version: "0" };
const capabilities = { elicitation: {} };
const answer = async () => ({ action: "accept", content: { username: "ada", email: "ada@example.com" } });

let client;
if (SDK === "1") {
  client = new FirstClient(who, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, answer);
} else {
  client = new second.Client(who, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler("elicitation/create", answer);
}
const Transport = SDK === "1" ? FirstTransport : second.StreamableHTTPClientTransport;
const transport = new Transport(new URL(address), { requestInit: { headers: { "txn-token": TOKEN } } });
await client.connect(transport);

const steps = [];
const call = (name, given = {}, options) => client.callTool({ name: TOOL + name, arguments: given }, ...options);
const blank = SDK === "1" ? [undefined] : [];
const progress = { onprogress: ({ progress }) => steps.push(progress) };
const text = async (result) => (await result).content[0].text;

const seen = {
  tools: (await client.listTools()).tools.map((tool) => tool.name),
  said: await text(call("test_simple_text", {}, blank)),
  failed: (await call("test_error_handling", {}, blank)).isError,
  progress: (await call("test_tool_with_progress", {}, [...blank, progress]), steps),
  asked: await text(call("test_elicitation", { message: "Who are you?" }, blank)),
  read: (await client.readResource({ uri: `${RESOURCE}test://static-text` })).contents[0].text,
  prompt: (await client.getPrompt({ name: `${TOOL}test_simple_prompt` })).messages[0].content.text,
};
await client.close();
console.log(JSON.stringify(seen));
