"""Spend as the FinOps Open Cost and Usage Specification names it (FOCUS 1.2), so that it can stand beside a
cloud bill.

It is what the ledger knows: what calls cost here, by the prices here. No invoice, discount or commitment is
made up; a record is one day of one combination.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from api_gateway.admin.period import Period
from shared.store import SpendLine

DIMENSIONS = (
    "day", "tenant", "team", "project", "principal", "agent", "key", "service", "provider", "model", "server",
    "tool",
)  # fmt: skip
_TAGS = ("project", "principal", "agent", "key")
_NAMES = {"llm_gateway": "Model calls", "mcp_gateway": "Tool calls", "agent_gateway": "Agent calls"}


def records(lines: list[SpendLine], asked: Period) -> list[dict[str, Any]]:
    """One record a line, oldest first. Columns of our own begin with `x_`, as the specification wants it."""
    return [_record(line, asked) for line in sorted(lines, key=lambda line: tuple(line.group.values()))]


def _record(line: SpendLine, asked: Period) -> dict[str, Any]:
    group = line.group
    day = date.fromisoformat(group["day"])
    start = max(_midnight(day), _moment(asked.since))
    end = min(_midnight(day + timedelta(days=1)), _moment(asked.until))
    dollars = line.cost_micros / 1_000_000
    tokens = line.tokens_in + line.tokens_out
    resource = group["model"] or group["tool"] or group["server"]
    return {
        "BilledCost": dollars,
        "BillingAccountId": group["tenant"],
        "BillingAccountName": group["tenant"],
        "BillingCurrency": "USD",
        "BillingPeriodStart": _text(_midnight(day.replace(day=1))),
        "BillingPeriodEnd": _text(_midnight((day.replace(day=1) + timedelta(days=32)).replace(day=1))),
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": f"{line.calls} calls of {resource or group['service']}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _text(start),
        "ChargePeriodEnd": _text(end),
        "ConsumedQuantity": tokens or line.calls,
        "ConsumedUnit": "Tokens" if tokens else "Requests",
        "ContractedCost": dollars,
        "EffectiveCost": dollars,
        "InvoiceIssuerName": group["provider"] or group["service"],
        "ListCost": dollars,
        "ProviderName": group["provider"] or group["service"],
        "PublisherName": group["provider"] or group["service"],
        "ResourceId": resource or None,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": _NAMES.get(group["service"], group["service"]),
        "SubAccountId": group["team"] or None,
        "SubAccountName": group["team"] or None,
        "Tags": msgspec.json.encode({name: group[name] for name in _TAGS if group[name]}).decode(),
        "x_Calls": line.calls,
        "x_TokensIn": line.tokens_in,
        "x_TokensOut": line.tokens_out,
    }


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _moment(stamp: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=stamp)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
