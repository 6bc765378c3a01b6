"""Serving: the eight models under their targets, and one of them beside what people would otherwise use."""
