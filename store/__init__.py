"""PostgreSQL: migrations, SQL files and the queries that run them."""
