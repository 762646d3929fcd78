-- The catalog and Dagster each keep a table of schema versions under the same name: they need a database each.
CREATE DATABASE dagster;
