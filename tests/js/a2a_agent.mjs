// An agent written with the A2A SDK, over every wire it has. Prints its port, and goes when its input closes.
import { AgentCard, Message, Task, TaskArtifactUpdateEvent, TaskStatusUpdateEvent } from "@a2a-js/sdk";
import {
  AgentEvent,
  DefaultPushNotificationSender,
  DefaultRequestHandler,
  InMemoryPushNotificationStore,
  InMemoryTaskStore,
} from "@a2a-js/sdk/server";
import { UserBuilder, agentCardHandler, jsonRpcHandler, restHandler } from "@a2a-js/sdk/server/express";
import express from "express";

const waiting = new Map();
const status = (task, state, text) =>
  AgentEvent.statusUpdate(
    TaskStatusUpdateEvent.fromJSON({
      taskId: task.id,
      contextId: task.contextId,
      status: {
        state: `TASK_STATE_${state}`,
        timestamp: new Date().toISOString(),
        message: text && { messageId: crypto.randomUUID(), role: "ROLE_AGENT", parts: [{ text }] },
      },
    }),
  );
class Executor {
  async execute(context, bus) {
    const task = { id: context.taskId, contextId: context.contextId };
    if (!context.task) {
      const history = [Message.toJSON(context.userMessage)];
      bus.publish(AgentEvent.task(Task.fromJSON({ ...task, status: { state: "TASK_STATE_SUBMITTED" }, history })));
    }
    const text = context.userMessage.parts[0].content.value;
    if (text === "ask") bus.publish(status(task, "INPUT_REQUIRED", "which one?"));
    else if (text === "authenticate") bus.publish(status(task, "AUTH_REQUIRED", "who are you?"));
    else if (text === "wait") {
      bus.publish(status(task, "WORKING"));
      await new Promise((resolve) => waiting.set(task.id, resolve));
      bus.publish(status(task, "CANCELED"));
    } else if (text === "long") {
      bus.publish(status(task, "WORKING"));
      await new Promise((resolve) => setTimeout(resolve, 200));
      bus.publish(status(task, "COMPLETED"));
    } else {
      bus.publish(status(task, "WORKING"));
      const parts = [{ text: `echo: ${text}` }, ...Message.toJSON(context.userMessage).parts.slice(1)];
      const artifact = { artifactId: "back", name: "what came", parts };
      const ids = { taskId: task.id, contextId: task.contextId };
      bus.publish(AgentEvent.artifactUpdate(TaskArtifactUpdateEvent.fromJSON({ ...ids, artifact, lastChunk: true })));
      bus.publish(status(task, "COMPLETED", "done"));
    }
    bus.finished();
  }

  async cancelTask(taskId) {
    waiting.get(taskId)?.();
  }
}

const app = express();
const server = app.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const card = AgentCard.fromJSON({
    name: "an agent in JavaScript",
    description: "Only tests know it.",
    version: "1.0.0",
    supportedInterfaces: [
      { url: `${url}/rpc`, protocolBinding: "JSONRPC", protocolVersion: "1.0" },
      { url: `${url}/rest`, protocolBinding: "HTTP+JSON", protocolVersion: "1.0" },
      { url: `${url}/rpc`, protocolBinding: "JSONRPC", protocolVersion: "0.3" },
      { url: `${url}/rest`, protocolBinding: "HTTP+JSON", protocolVersion: "0.3" },
    ],
    capabilities: { streaming: true, pushNotifications: true, extendedAgentCard: true },
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain"],
    skills: [{ id: "talk", name: "Talk", description: "Says something.", tags: ["text"] }],
  });
  const store = new InMemoryPushNotificationStore();
  const requestHandler = new DefaultRequestHandler(
    card,
    new InMemoryTaskStore(),
    new Executor(),
    undefined,
    store,
    new DefaultPushNotificationSender(store),
    async () => AgentCard.fromJSON({ ...AgentCard.toJSON(card), name: "the same, extended" }),
  );
  const how = { requestHandler, userBuilder: UserBuilder.noAuthentication, legacyCompat: { enabled: true } };
  app.use("/.well-known/agent-card.json", agentCardHandler({ agentCardProvider: requestHandler }));
  app.use("/rpc", jsonRpcHandler(how));
  app.use("/rest", restHandler(how));
  console.log(server.address().port);
});
process.stdin.resume();
process.stdin.on("close", () => process.exit(0));
