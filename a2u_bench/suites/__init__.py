"""Suites: what a request means. Named axes become a plan of cases."""
