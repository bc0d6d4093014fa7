"""Measures Acta beside the reference CMS and beside the best SQL known for the same answers."""
