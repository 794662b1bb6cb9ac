"""The mail catcher: stands in for the outside world. It takes every mail, keeps it, and shows it on a page."""
