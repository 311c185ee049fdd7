//! Private Apache servers and virtualenvs for tests, demo and benchmarks.
