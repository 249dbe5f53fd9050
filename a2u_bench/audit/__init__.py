"""Audit: is what is printed true? The instrument, texts, published tables."""
