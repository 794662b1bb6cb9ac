"""One folder per service. A service imports `runtime` and `schemas`, never another service."""
