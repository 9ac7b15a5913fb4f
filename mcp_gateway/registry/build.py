"""Builds what the registry and the skills are made of."""

from mcp_gateway.authorize import Authorize
from mcp_gateway.catalog import Catalog
from mcp_gateway.config import Section
from mcp_gateway.registry.pages import RegistryPages, Shelf
from mcp_gateway.registry.published import Published
from mcp_gateway.registry.servers import Servers
from mcp_gateway.skills.directory import Directory
from mcp_gateway.skills.library import SkillLibrary
from mcp_gateway.skills.needs import Needs
from mcp_gateway.skills.shelf import SkillShelf
from mcp_gateway.standing.changes import Changes
from mcp_gateway.transports import SKILLS
from shared.authenticators import Authenticate
from shared.parts import Parts


class Registry:
    """`shelf` is there before the catalog of tools is, because that asks it for labels."""

    def __init__(self, section: Section, parts: Parts) -> None:
        self._section = section
        self._parts = parts
        self._began = parts.clock.now_us()
        self._published = Published()
        self.shelf = SkillShelf(section.skills, self._published, began=self._began)
        parts.snapshots.on("catalog", self._published.apply)

    def tell(self, changes: Changes) -> None:
        """Of skills that come and go, where there is a server of them."""
        if SKILLS in self._section.servers:
            self.shelf.changed.append(lambda: changes.changed(SKILLS, ""))

    def library(self, authorize: Authorize, catalog: Catalog) -> SkillLibrary:
        return SkillLibrary(self.shelf, Needs(self.shelf, authorize, catalog))

    def pages(self, authorize: Authorize, catalog: Catalog, authenticate: Authenticate) -> RegistryPages:
        section, parts = self._section, self._parts
        servers = Servers(
            section.servers,
            self._published,
            catalog,
            authorize,
            public_url=section.public_url,
            began=self._began,
        )
        skills = Directory(self.shelf, Needs(self.shelf, authorize, catalog), parts.kill)
        shelves: dict[str, Shelf] = {"servers": servers, "skills": skills}
        return RegistryPages(parts.account, authenticate, parts.policy, shelves)
