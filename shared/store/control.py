"""What the control plane keeps, the same on both databases: keys, kills, policy versions, signing keys."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from shared.agents import AgentRecord
from shared.catalog_entries import CatalogEntry
from shared.identity.keys import KeyRecord
from shared.kill import Kill
from shared.store.columns import Record, fitted
from shared.store.flavor import Bound, Flavor
from shared.store.record import PolicyVersion, SigningKey

_POLICY = "version, number, rules, author, reason, at"


class Control(ABC):
    """A Store on SQL: the control plane's half. `_ask` reads, `_tell` writes in a transaction of its own;
    both return the rows that came back."""

    flavor: Flavor

    @abstractmethod
    async def _ask(self, sql: str, values: Sequence[object] = ()) -> list[Record]: ...

    @abstractmethod
    async def _tell(self, sql: str, values: Sequence[object] = ()) -> list[Record]: ...

    async def add_key(self, key: KeyRecord) -> bool:
        """False when a key with this id or this hash is there already."""
        sql = (
            "INSERT INTO keys (id, hash, tenant, created_at, revoked_at, used_at, record)"
            " VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT DO NOTHING RETURNING id"
        )
        record = msgspec.json.encode(key)
        return bool(
            await self._tell(
                sql, (key.id, key.hash, fitted(key.tenant), key.created_at, key.revoked_at, record)
            )
        )

    async def keys(self, tenant: str | None) -> list[KeyRecord]:
        bound = Bound()
        where = scoped("1 = 1", tenant, bound)
        sql = f"SELECT record, revoked_at FROM keys WHERE {where} ORDER BY created_at, id"
        found = await self._ask(sql, bound.values)
        decoded = [(msgspec.json.decode(as_bytes(record[0]), type=KeyRecord), record[1]) for record in found]
        return [msgspec.structs.replace(key, revoked_at=revoked_at) for key, revoked_at in decoded]

    async def revoke_key(self, identity: str, at: int) -> bool:
        """False when there is no such key, or it was revoked before."""
        sql = "UPDATE keys SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0 RETURNING id"
        return bool(await self._tell(sql, (at, identity)))

    async def touch_key(self, identity: str, at: int) -> None:
        await self._tell("UPDATE keys SET used_at = $1 WHERE id = $2 AND used_at < $1", (at, identity))

    async def keys_used(self, tenant: str | None) -> dict[str, int]:
        """When each key was last used; keys that never were are left out."""
        bound = Bound()
        sql = f"SELECT id, used_at FROM keys WHERE {scoped('used_at > 0', tenant, bound)}"
        return {str(identity): as_int(at) for identity, at in await self._ask(sql, bound.values)}

    async def add_kill(self, kill: Kill) -> bool:
        """False when a kill with this id is there already."""
        sql = (
            "INSERT INTO kills (id, at, lifted_at, lifted_by, record) VALUES ($1, $2, 0, '', $3)"
            " ON CONFLICT DO NOTHING RETURNING id"
        )
        return bool(await self._tell(sql, (kill.id, kill.at, msgspec.json.encode(kill))))

    async def kills(self) -> list[Kill]:
        """Those in force, oldest first."""
        found = await self._ask("SELECT record FROM kills WHERE lifted_at = 0 ORDER BY at, id")
        return [msgspec.json.decode(as_bytes(record[0]), type=Kill) for record in found]

    async def lift_kill(self, identity: str, at: int, by: str = "") -> bool:
        """False when no such kill is in force. It stays on record."""
        sql = "UPDATE kills SET lifted_at = $1, lifted_by = $2 WHERE id = $3 AND lifted_at = 0 RETURNING id"
        return bool(await self._tell(sql, (at, by, identity)))

    async def add_policy(self, policy: PolicyVersion) -> bool:
        """False when somebody else published this version or this number first, or a later one."""
        sql = (
            f"INSERT INTO policies ({_POLICY})"
            f" SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS {self.flavor.blob}),"
            " CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS BIGINT)"
            " WHERE CAST($2 AS BIGINT) = (SELECT COALESCE(MAX(number), 0) + 1 FROM policies)"
            " AND CAST($1 AS BIGINT) > (SELECT COALESCE(MAX(version), 0) FROM policies)"
            " ON CONFLICT DO NOTHING RETURNING version"
        )
        values = (policy.version, policy.number, policy.rules, policy.author, policy.reason, policy.at)
        return bool(await self._tell(sql, values))

    async def policies(self) -> list[PolicyVersion]:
        """Every version, newest first, without its rules."""
        columns = _POLICY.replace("rules", "''")
        found = await self._ask(f"SELECT {columns} FROM policies ORDER BY number DESC")
        return [_policy((*record[:2], b"", *record[3:])) for record in found]

    async def policy(self, number: int) -> PolicyVersion | None:
        found = await self._ask(f"SELECT {_POLICY} FROM policies WHERE number = $1", (number,))
        return _policy(found[0]) if found else None

    async def latest_policy(self, author: str = "") -> PolicyVersion | None:
        """The newest version, or the newest of one author."""
        where, values = (" WHERE author = $1", (author,)) if author else ("", ())
        found = await self._ask(f"SELECT {_POLICY} FROM policies{where} ORDER BY number DESC LIMIT 1", values)
        return _policy(found[0]) if found else None

    async def put_agent(self, agent: AgentRecord) -> bool:
        """Makes this what the agent of its name is. False when another tenant has the name."""
        sql = (
            "INSERT INTO agents (name, tenant, at, record) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at, record = excluded.record"
            " WHERE agents.tenant = excluded.tenant RETURNING name"
        )
        values = (agent.name, fitted(agent.tenant), agent.at, msgspec.json.encode(agent))
        return bool(await self._tell(sql, values))

    async def agents(self, tenant: str | None) -> list[AgentRecord]:
        bound = Bound()
        sql = f"SELECT record FROM agents WHERE {scoped('1 = 1', tenant, bound)} ORDER BY name"
        found = await self._ask(sql, bound.values)
        return [msgspec.json.decode(as_bytes(record[0]), type=AgentRecord) for record in found]

    async def remove_agent(self, name: str, tenant: str | None) -> bool:
        """False when there is no such agent."""
        bound = Bound()
        where = scoped(f"name = {bound(name)}", tenant, bound)
        gone = bool(await self._tell(f"DELETE FROM agents WHERE {where} RETURNING name", bound.values))
        if gone:
            # Whoever takes the name next has not taken it from a file.
            await self._tell("DELETE FROM marks WHERE kind = 'agent' AND name = $1", (name,))
        return gone

    async def catalog_entries(self) -> list[CatalogEntry]:
        found = await self._ask("SELECT record FROM catalog ORDER BY kind, name, version")
        return [msgspec.json.decode(as_bytes(record[0]), type=CatalogEntry) for record in found]

    async def add_signing_key(self, key: SigningKey) -> bool:
        """False when the kid is known: what a kid stood for once is never replaced."""
        sql = (
            "INSERT INTO signing_keys (kid, issuer, jwk, seen_at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING RETURNING kid"
        )
        return bool(await self._tell(sql, (key.kid, key.issuer, key.jwk, key.seen_at)))

    async def signing_keys(self) -> list[SigningKey]:
        found = await self._ask("SELECT kid, issuer, jwk, seen_at FROM signing_keys ORDER BY kid")
        return [
            SigningKey(kid=str(kid), issuer=str(issuer), jwk=as_bytes(jwk), seen_at=as_int(at))
            for kid, issuer, jwk, at in found
        ]


def scoped(where: str, tenant: str | None, bound: Bound) -> str:
    return where if tenant is None else f"{where} AND tenant = {bound(fitted(tenant))}"


def _policy(record: Record) -> PolicyVersion:
    version, number, rules, author, reason, at = record
    return PolicyVersion(
        version=as_int(version),
        rules=as_bytes(rules),
        number=as_int(number),
        author=str(author),
        reason=str(reason),
        at=as_int(at),
    )


def as_bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value


def as_int(value: object) -> int:
    assert isinstance(value, int)
    return value
