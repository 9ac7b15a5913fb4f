from shared.policy.roles import DEEPEST, Catalogs, Roles


def test_roles_in_roles_are_found_in_their_domain_only() -> None:
    roles = Roles([("user:a", "role:dev", "acme"), ("role:dev", "role:staff", "acme")])
    assert roles.of("user:a", "acme") == ("user:a", "role:dev", "role:staff")
    assert roles.of("user:a", "globex") == ("user:a",)


def test_links_of_every_domain_mix_with_those_of_one() -> None:
    roles = Roles(
        [("user:a", "role:dev", "*"), ("role:dev", "role:staff", "acme"), ("role:staff", "role:all", "*")]
    )
    assert roles.of("user:a", "acme") == ("user:a", "role:dev", "role:staff", "role:all")
    assert roles.of("user:a", "globex") == ("user:a", "role:dev")


def test_roles_that_hold_each_other_come_to_an_end() -> None:
    roles = Roles([("role:a", "role:b", "acme"), ("role:b", "role:a", "acme")])
    assert roles.of("role:a", "acme") == ("role:a", "role:b")
    assert not roles.cut("role:a", "acme")


def test_what_lies_too_deep_is_reported() -> None:
    links = [(f"role:{n}", f"role:{n + 1}", "acme") for n in range(DEEPEST + 1)]
    roles = Roles(links)
    assert roles.cut("role:0", "acme")
    assert not roles.cut("role:1", "acme")
    assert len(roles.of("role:0", "acme")) == DEEPEST + 1


def test_names_without_roles_are_not_remembered() -> None:
    roles = Roles([("user:a", "role:dev", "acme")])
    for n in range(100):
        roles.of(f"user:{n}", f"tenant{n}")
    roles.of("user:a", "acme")
    assert len(roles._reached) == 1


def test_catalogs_hold_names_patterns_and_catalogs() -> None:
    catalogs = Catalogs(
        [("tool:git/*", "catalog:code"), ("catalog:code", "catalog:all"), ("model:x", "catalog:all")]
    )
    assert catalogs.of("tool:git/log") == ("catalog:code", "catalog:all")
    assert catalogs.of("model:x") == ("catalog:all",)
    assert catalogs.of("tool:fs/log") == ()
    assert Catalogs([]).of("tool:git/log") == ()
