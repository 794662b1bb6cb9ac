"""Providers of channels: each adapter turns one rendered message into one outcome."""
