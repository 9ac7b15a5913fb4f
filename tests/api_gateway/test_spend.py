"""Money is told by any dimension, beside the period before, for programs, and as the month will end."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from api_gateway.admin.forecast import forecast
from api_gateway.admin.period import Period, moment, period
from shared.errors import BadRequest
from shared.ledger.entry import Usage
from tests.api_gateway.office import Office, opened
from tests.support.postgres import Postgres
from tests.support.rows import caller, entry

NOW = int(datetime(2026, 3, 11, 12, tzinfo=UTC).timestamp()) * 1_000_000
DAY = 86_400_000_000
RULE = {"id": "looks", "sub": "user:*", "dom": "acme", "obj": "admin:*", "act": "read"}


@pytest.fixture(params=["sqlite", "postgresql"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    sql = ""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        sql = await server.database()
    async with opened(tmp_path, {"rules": [RULE]}, sql) as office:
        yield office


async def spent(office: Office) -> int:
    """What was spent in the last three days, and in the three before. Returns now."""
    now = office.control.now_us()
    support, sales = caller(team="support"), caller("user:bob", team="=sales")
    usage = Usage(tokens_in=10, tokens_out=5)
    near, far = now - 2 * DAY, now - 5 * DAY
    calls = [
        entry(
            support,
            started_at=near,
            cost_micros=3_000_000,
            model="claude-5",
            provider="anthropic",
            usage=usage,
        ),
        entry(support, started_at=far, cost_micros=2_000_000, model="claude-5", provider="anthropic"),
        entry(
            sales, started_at=near + 1, cost_micros=1_000_000, model="gpt-5", provider="openai", usage=usage
        ),
        entry(caller(team="gone"), started_at=far, cost_micros=500_000, model="gpt-5", provider="openai"),
        entry(caller(tenant="globex"), started_at=near, cost_micros=9_000_000, model="gpt-5"),
    ]
    await office.remember(calls)
    return now


async def test_each_line_stands_beside_what_it_was_before(office: Office) -> None:
    await spent(office)
    answer = (await office.ask("GET", "/spend?tenant=acme&since=3d&compare=true")).body
    told = {
        line["group"]["team"]: (line["cost_micros"], line["before"]["cost_micros"], line["change"])
        for line in answer["lines"]
    }
    assert told == {
        "support": (3_000_000, 2_000_000, 0.5),
        "=sales": (1_000_000, 0, None),
        "gone": (0, 500_000, -1.0),
    }
    assert answer["compared_with"]["until"] == answer["since"]


async def test_a_tenant_sees_its_own_money_in_every_report(office: Office) -> None:
    await spent(office)
    key = await office.key("user:alice", "acme")
    for path in ("/spend?by=tenant", "/spend?shape=focus", "/spend/forecast?by=tenant", "/chains?since=9d"):
        answer = await office.ask("GET", path, key=key)
        assert answer.status == 200, answer.body
        assert "globex" not in json.dumps(answer.body), path
        assert (
            await office.ask("GET", f"{path}{'&' if '?' in path else '?'}tenant=globex", key=key)
        ).status == 403


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/spend?by=colour", "by"),
        ("/spend?since=soon", "since"),
        ("/spend?since=1d&until=2d", "since"),
        ("/spend?shape=round", "shape"),
        ("/spend?compare=maybe", "compare"),
        ("/spend?compare=true&by=day", "compare"),
        ("/spend/forecast?by=month", "by"),
        ("/spend/forecast?budget=lots", "budget"),
        ("/chains?order=colour", "order"),
        ("/chains?limit=0", "limit"),
        ("/chains?over_cost=-1", "over_cost"),
        ("/chains?colour=red", "colour"),
    ],
)
async def test_what_cannot_be_asked_is_refused_in_words(tmp_path: Path, path: str, word: str) -> None:
    async with opened(tmp_path) as office:
        answer = await office.ask("GET", path)
        assert answer.status == 400
        assert answer.body["detail"].startswith(word), answer.body


async def test_programs_get_csv_lines_and_focus_records(office: Office) -> None:
    await spent(office)
    filters = ("--tenant", "acme", "--since", "3d")
    table = list(csv.DictReader(io.StringIO((await office.say("spend", *filters, "--format", "csv")).out)))
    # A spreadsheet must not take a team's name for a formula.
    assert [(row["team"], row["cost_micros"]) for row in table] == [
        ("support", "3000000"),
        ("'=sales", "1000000"),
    ]
    told = (await office.say("spend", *filters, "--by", "model,day", "--format", "jsonl")).out
    assert {json.loads(line)["model"] for line in told.splitlines()} == {"claude-5", "gpt-5"}
    assert (await office.say("spend", *filters, "--focus")).code == 2
    told = (await office.say("spend", *filters, "--focus", "--format", "jsonl")).out
    claude, gpt = sorted(map(json.loads, told.splitlines()), key=lambda record: str(record["ResourceId"]))
    assert (claude["BilledCost"], claude["BillingCurrency"], claude["ProviderName"]) == (
        3.0,
        "USD",
        "anthropic",
    )
    assert (claude["ConsumedQuantity"], claude["ConsumedUnit"], claude["x_Calls"]) == (15, "Tokens", 1)
    assert json.loads(claude["Tags"]) == {"principal": "user:alice", "agent": "user:alice"}
    assert gpt["SubAccountId"] == "=sales"
    start, end = (datetime.fromisoformat(claude[f"ChargePeriod{name}"]) for name in ("Start", "End"))
    assert timedelta(0) < end - start <= timedelta(days=1)
    header = (await office.say("spend", *filters, "--focus", "--format", "csv")).out.splitlines()[0]
    assert header.startswith("BilledCost,BillingAccountId,")


async def test_the_command_line_compares_forecasts_and_lists_chains(office: Office) -> None:
    await spent(office)
    compared = await office.say("spend", "--tenant", "acme", "--since", "3d", "--compare")
    assert "+50.0%" in compared.out
    ahead = await office.say(
        "spend", "forecast", "--by", "team", "--budget", "100", "--tenant", "acme", "--json"
    )
    assert {line["group"]["team"] for line in ahead.json["lines"]} == {"support", "=sales", "gone"}
    assert (await office.say("spend", "forecast", "--budget", "100")).code == 0
    dear = await office.say("chains", "--since", "7d", "--over-cost", "2.5", "--tenant", "acme", "--json")
    [chain] = dear.json["chains"]
    assert (chain["principal"], chain["cost_micros"]) == ("user:alice", 5_000_000)
    human = await office.say("chains", "--principal", "user:bob", "--since", "7d")
    assert "$1.00" in human.out
    assert (await office.say("chain", chain["chain"])).code == 0


def test_periods_are_stretches_and_months() -> None:
    march, february = moment("2026-03", "since", NOW), moment("2026-02", "since", NOW)
    assert period("last-month", "", NOW) == period("2026-02", "", NOW) == Period(february, march)
    assert period("this-month", "", NOW) == Period(march, NOW)
    assert period("12h", "", NOW) == Period(NOW - DAY // 2, NOW)
    assert period("2026-02", "2026-03-02", NOW) == Period(february, march + DAY)
    assert moment("2026-03-11T14:00:00+02:00", "since", NOW) == NOW
    for text in ("", "7", "2026-13", "0000-01", "9999999d9", "1969-13-01", "٣d"):
        with pytest.raises(BadRequest):
            moment(text, "since", NOW)
    assert moment("1900-01-01", "since", NOW) == moment("999999w", "since", NOW) == 0


def test_a_period_is_compared_with_one_of_its_kind() -> None:
    march, february, january = (moment(f"2026-0{n}", "since", NOW) for n in (3, 2, 1))
    assert Period(february, march).before() == Period(january, february)
    assert Period(march, NOW).before() == Period(february, february + NOW - march)
    assert Period(NOW - DAY, NOW).before() == Period(NOW - 2 * DAY, NOW - DAY)


def test_a_steady_month_ends_as_it_goes_on() -> None:
    days = {(date(2026, 2, 11) + timedelta(days=n)).isoformat(): 1_000 for n in range(28)}
    told = forecast(days | {"2026-03-11": 500}, NOW, budget=20_000)
    assert (told.spent_micros, told.expected_micros) == (10_500, 31_000)
    assert told.low_micros == told.high_micros == 31_000
    assert (told.share, told.used_up, told.learnt_days) == (1.55, "2026-03-20", 28)
    assert forecast(days, NOW, budget=50_000).used_up is None


def test_weekends_are_expected_to_cost_what_weekends_cost() -> None:
    start = date(2026, 2, 11)
    span = [start + timedelta(days=n) for n in range(28)]
    days = {day.isoformat(): 1_000 for day in span if day.weekday() < 5}
    told = forecast(days, NOW)
    # From the 11th (half of it) to the 31st there are 14 more working days and six days of weekends.
    assert told.expected_micros == told.spent_micros + 500 + 14_000
    assert told.low_micros == told.high_micros


def test_a_forecast_from_nothing_promises_nothing() -> None:
    told = forecast({}, NOW, budget=5)
    assert (told.expected_micros, told.learnt_days, told.used_up, told.share) == (0, 0, None, 0.0)
    told = forecast({"2026-03-11": 7}, NOW, budget=5)
    assert (told.spent_micros, told.expected_micros, told.used_up) == (7, 7, "2026-03-11")
    uneven = forecast({"2026-03-01": 5, "2026-03-02": 50, "2026-03-03": 500}, NOW)
    assert uneven.low_micros < uneven.expected_micros < uneven.high_micros
