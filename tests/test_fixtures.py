"""The two database fixtures keep what they promise."""

import psycopg


def test_a_database_is_empty_and_ours_alone(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        connection.execute("CREATE TABLE left_behind (id int)")
    assert tables == (0,)


def test_the_next_test_gets_another_database(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT to_regclass('left_behind')").fetchone()
    assert row == (None,)
