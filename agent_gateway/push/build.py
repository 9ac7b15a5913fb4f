"""Builds what push notifications are made of: the only place that knows all of it."""

from agent_gateway.catalog import Catalog
from agent_gateway.config import Section
from agent_gateway.forward import Own
from agent_gateway.guard import Guard
from agent_gateway.push.configs import Configs
from agent_gateway.push.deliver import Deliver
from agent_gateway.push.ingress import Ingress
from agent_gateway.push.outbox import Outbox
from agent_gateway.push.record import Record
from agent_gateway.push.webhooks import Webhooks
from agent_gateway.route import Route
from agent_gateway.tasks import Tasks
from agent_gateway.upstream import Upstream
from shared.egress import Egress
from shared.parts import Parts

# An attempt has this long for looking an address up, beside the time that connecting and answering may take.
_LOOK_UP_SECONDS = 20.0


class Push:
    """`operations` are served by name; `deliver` has to be run beside serving."""

    def __init__(
        self,
        section: Section,
        parts: Parts,
        catalog: Catalog,
        tasks: Tasks,
        route: Route,
        upstream: Upstream,
        guard: Guard,
    ) -> None:
        push = section.push
        egress = Egress(push.allow)
        self.webhooks = webhooks = Webhooks(parts.redis, seconds=section.task_seconds, per_task=push.per_task)
        lease = 3 * push.timeout_seconds + _LOOK_UP_SECONDS
        self.outbox = Outbox(parts.redis, parts.clock, waiting=push.waiting, lease=lease)
        record = Record(parts.ledger, parts.telemetry, parts.clock)
        self.deliver = Deliver(self.outbox, webhooks, parts.http, egress, parts.kill, record, push)
        self.configs = Configs(webhooks, egress, route, upstream, ingress=push.url)
        self.ingress = Ingress(
            parts.account,
            parts.policy,
            catalog,
            webhooks,
            tasks,
            self.outbox,
            self.deliver,
            guard,
            body_cap=push.max_bytes,
        )
        self.operations: dict[str, Own] = {
            "CreateTaskPushNotificationConfig": self.configs.create,
            "GetTaskPushNotificationConfig": self.configs.get,
            "ListTaskPushNotificationConfigs": self.configs.list,
            "DeleteTaskPushNotificationConfig": self.configs.delete,
        }
